import Type, { type Static } from 'typebox'
import {
  alwaysNull,
  appParamsWith,
  id,
  idAndEmail,
  idAndName,
  ignored,
  instant,
  nullable,
  nullableString,
  strict,
  words,
} from './common.js'

export const domainBody = strict({
  id,
  acm_status: nullableString,
  acm_status_reason: nullableString,
  app: idAndName,
  cname: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'What the host name must point to.' }),
  created_at: instant,
  hostname: Type.String(),
  kind: words('heroku', 'custom'),
  sni_endpoint: alwaysNull,
  status: words('succeeded'),
  updated_at: instant,
})
export type DomainBody = Static<typeof domainBody>

export const domainParams = appParamsWith({ domain: Type.String({ description: 'Its id or host name.' }) })

export const addDomainBody = strict({
  hostname: Type.String({ maxLength: 300 }),
  sni_endpoint: Type.Optional(
    nullable(Type.Union([Type.String({ maxLength: 200 }), strict({ id: ignored, name: ignored })])),
  ),
})

export const collaboratorBody = strict({
  id,
  app: idAndName,
  created_at: instant,
  permissions: Type.Array(strict({ name: Type.String(), description: Type.String() })),
  role: words('owner'),
  updated_at: instant,
  user: strict({ ...idAndEmail.properties, federated: Type.Boolean() }),
})
export type CollaboratorBody = Static<typeof collaboratorBody>

export const regionBody = strict({
  id,
  country: Type.String(),
  created_at: instant,
  description: Type.String(),
  locale: Type.String(),
  name: Type.String(),
  private_capable: Type.Boolean(),
  provider: strict({ name: Type.String(), region: Type.String() }),
  updated_at: instant,
})
export type RegionBody = Static<typeof regionBody>

export const stackBody = strict({
  id,
  created_at: instant,
  default: Type.Boolean(),
  name: Type.String(),
  state: words('public'),
  updated_at: instant,
})
export type StackBody = Static<typeof stackBody>

export const dynoSizeBody = strict({
  id,
  architecture: Type.String(),
  compute: Type.Integer(),
  cost: alwaysNull,
  dedicated: Type.Boolean(),
  dyno_units: Type.Integer(),
  generation: strict({ id, name: Type.String() }),
  memory: Type.Number({ description: 'GiB.' }),
  name: Type.String(),
  precise_dyno_units: Type.Number(),
  private_space_only: Type.Boolean(),
})
export type DynoSizeBody = Static<typeof dynoSizeBody>

/** Of things that Heroku has and this platform hasn't: the list is there, and empty. */
export const nothing = strict({})

export const healthBody = strict({
  status: words('ok', 'starting'),
  missing: Type.Array(Type.String(), { description: 'Parts that are not ready.' }),
})
