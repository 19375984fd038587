/** The Platform API's resources, as far as the CLI reads them; names and spelling are the API's. */

export interface Account {
  readonly id: string
  readonly email: string
  readonly name?: string | null
}

export interface App {
  readonly id: string
  readonly name: string
  readonly web_url: string
  readonly git_url: string
  readonly maintenance: boolean
  readonly owner: { readonly email: string }
  readonly region?: { readonly name: string } | null
  readonly stack?: { readonly name: string } | null
  readonly repo_size?: number | null
  readonly slug_size?: number | null
  readonly created_at?: string
  readonly acm?: boolean
}

export type ConfigVars = Readonly<Record<string, string>>

export interface Release {
  readonly id: string
  readonly version: number
  readonly description: string
  readonly status: string
  readonly current: boolean
  readonly created_at: string
  readonly user?: { readonly email: string } | null
  readonly eligible_for_rollback?: boolean
  readonly addon_plan_names?: readonly string[]
  readonly output_stream_url?: string | null
}

export interface Formation {
  readonly type: string
  readonly quantity: number
  readonly size: string
}

export interface Dyno {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly size: string
  readonly state: string
  readonly command: string
  readonly created_at: string
  readonly updated_at: string
  readonly attach_url?: string | null
  readonly release?: { readonly version: number }
  readonly failure?: string | null
}

export interface Domain {
  readonly id: string
  readonly hostname: string
  readonly kind: string
  readonly cname: string | null
  readonly status: string
  readonly acm_status?: string | null
}

export interface Price {
  readonly cents: number
  readonly unit: string
  readonly contract?: boolean
}

export interface AddOn {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly app: { readonly id: string; readonly name: string }
  readonly addon_service: { readonly name: string }
  readonly plan: { readonly name: string; readonly price?: Price }
  readonly config_vars: readonly string[]
  readonly provision_message?: string | null
  readonly created_at: string
}

export interface AddOnAttachment {
  readonly id: string
  readonly name: string
  readonly addon: { readonly id: string; readonly name: string }
  readonly app: { readonly id: string; readonly name: string }
}

export interface AddOnService {
  readonly name: string
  readonly human_name: string
  readonly state: string
}

export interface Plan {
  readonly name: string
  readonly human_name: string
  readonly description?: string
  readonly default: boolean
  readonly price?: Price
}

export interface BuildpackInstallation {
  readonly ordinal: number
  readonly buildpack: { readonly url: string; readonly name: string }
}

export interface Build {
  readonly id: string
  readonly status: string
  readonly created_at: string
  readonly updated_at: string
  readonly output_stream_url?: string | null
  readonly stack?: string
  readonly user?: { readonly email: string } | null
  readonly source_blob?: { readonly version?: string | null; readonly version_description?: string | null } | null
  readonly buildpacks?: readonly { readonly name?: string; readonly url: string }[] | null
  readonly release?: { readonly id: string } | null
}

export interface Authorization {
  readonly id: string
  readonly description: string
  readonly scope: readonly string[]
  readonly created_at: string
  readonly access_token: { readonly token: string; readonly expires_in: number | null } | null
}

export interface LogSession {
  readonly logplex_url: string
}
