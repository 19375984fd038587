/**
 * The route table: everything the router needs to know, as a pure function of rows and of which dynos are up.
 *
 * It is numbered; the router refuses an older number than the one it has.
 */

export interface RouteBackend {
  /** Unique within the app, for example `web.1` plus a part of the container's id: `web.1_3f2a9c`. */
  readonly name: string
  /** What the access log calls it: `web.1`. */
  readonly dyno: string
  readonly address: string
  readonly port: number
}

/** Why an app without a routable dyno has none; it decides page and H code. */
export type RouteState = 'up' | 'no-release' | 'no-web' | 'crashed' | 'booting' | 'maintenance'

export interface AppRoutes {
  readonly appId: string
  readonly appName: string
  /** Lower-case host names without a port; the app's own name under the platform's domain and its custom domains. */
  readonly hosts: readonly string[]
  readonly state: RouteState
  /** Empty unless `state` is `up` (a table may list them during maintenance: they are kept, not used). */
  readonly backends: readonly RouteBackend[]
}

export interface RouteTable {
  readonly version: number
  readonly apps: readonly AppRoutes[]
}
