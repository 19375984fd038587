/** What the router is told at start, and what it takes for granted when it isn't. */

export interface RouterOptions {
  /** The router's folder; its container mounts it at the same path. */
  readonly dir: string
  /** Folder of the development CA. Not the router's, so that its key is out of HAProxy's sight. */
  readonly caDir: string
  /** Name of the platform on this machine; part of the CA's name. */
  readonly instance: string
  readonly domain: string
  /** Address the public ports bind to. */
  readonly bind: string
  readonly httpPort: number
  readonly httpsPort: number
  /** API and git, on loopback. */
  readonly apiPort: number
  /** Room for apps at first; it doubles by itself. */
  readonly slots: number
  readonly connectTimeoutMs: number
  readonly firstByteTimeoutMs: number
  readonly idleTimeoutMs: number
  /** An idle client connection is kept this long. */
  readonly keepAliveTimeoutMs?: number
  /** A request's headers must be complete within this time. */
  readonly headersTimeoutMs?: number
  /** Silence allowed towards API and git, where a push is held while its build runs. */
  readonly apiIdleTimeoutMs?: number
  /** After a reload the old process may serve what it has for this long. */
  readonly hardStopMs?: number
  /** So many requests of one app in a second are all logged; of more, a sample. */
  readonly logLinesPerSecond?: number
  /** A slot stays empty this long before another app may have it. */
  readonly slotRestMs?: number
}

export type RouterSettings = Required<RouterOptions>

export function withDefaults(options: RouterOptions): RouterSettings {
  return {
    keepAliveTimeoutMs: 75_000,
    headersTimeoutMs: 10_000,
    apiIdleTimeoutMs: 1_800_000,
    hardStopMs: 3_600_000,
    logLinesPerSecond: 2_000,
    slotRestMs: 60_000,
    ...options,
  }
}
