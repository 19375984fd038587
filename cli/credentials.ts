/**
 * Stored tokens, one per API origin, in `credentials.json` with mode 0600. A token is handed out for its own origin
 * only; `gitOrigin` names the one other place that may be given it.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { CliConfig } from './config.js'
import { CliError } from './errors.js'

interface StoredLogin {
  readonly token: string
  readonly email?: string
}

type CredentialsFile = Readonly<Record<string, StoredLogin>>

export class Credentials {
  readonly path: string
  readonly #config: CliConfig

  constructor(config: CliConfig) {
    this.#config = config
    this.path = path.join(config.configDir, 'credentials.json')
  }

  /** The token for the configured API: `PAAS_API_KEY`, else the stored one. */
  token(): string | undefined {
    return this.#config.apiKey ?? this.stored()?.token
  }

  /** The stored login of the configured API, whatever `PAAS_API_KEY` says. */
  stored(apiOrigin: string = this.#config.apiOrigin): StoredLogin | undefined {
    const all = this.#read()
    return Object.hasOwn(all, apiOrigin) ? all[apiOrigin] : undefined
  }

  /** The token that git may have for this origin; undefined for every host that isn't the platform's. */
  tokenForGit(origin: string): string | undefined {
    const { apiOrigin, apiKey } = this.#config
    if (apiKey !== undefined && isGitOriginOf(apiOrigin, origin)) return apiKey
    const found = Object.entries(this.#read()).find(([stored]) => isGitOriginOf(stored, origin))
    return found?.[1].token
  }

  store(login: StoredLogin): void {
    this.#write({ ...this.#read(), [this.#config.apiOrigin]: login })
  }

  /** Forgets the configured API's login; returns whether there was one. */
  forget(): boolean {
    const { [this.#config.apiOrigin]: gone, ...others } = this.#read()
    if (gone !== undefined) this.#write(others)
    return gone !== undefined
  }

  #read(): CredentialsFile {
    let text: string
    try {
      text = readFileSync(this.path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
      throw new CliError(`${this.path} can't be read: ${(error as Error).message}`)
    }
    try {
      return readEntries(JSON.parse(text))
    } catch {
      throw new CliError(`${this.path} is damaged; remove it and run paas login`)
    }
  }

  #write(all: CredentialsFile): void {
    mkdirSync(path.dirname(this.path), { recursive: true, mode: 0o700 })
    const temporary = `${this.path}.${process.pid}`
    try {
      writeFileSync(temporary, `${JSON.stringify(all, null, 2)}\n`, { mode: 0o600 })
      chmodSync(temporary, 0o600)
      renameSync(temporary, this.path)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
  }
}

function readEntries(value: unknown): CredentialsFile {
  if (typeof value !== 'object' || value === null) throw new TypeError('not an object')
  for (const login of Object.values(value))
    if (typeof login?.token !== 'string' || !/^[\x21-\x7e]+$/.test(login.token)) throw new TypeError('not a login')
  return value as CredentialsFile
}

/**
 * Whether git at this origin is the platform's own: the API's origin, or `git.<domain>` beside `api.<domain>`. Apps
 * live under the same domain, so nothing looser is safe to send a token to.
 */
export function isGitOriginOf(apiOrigin: string, origin: string): boolean {
  return origin === apiOrigin || origin === apiOrigin.replace('://api.', '://git.')
}
