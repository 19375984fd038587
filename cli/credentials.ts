/**
 * Stored tokens, one per API origin, in `credentials.json` with mode 0600. A token is handed out for its own origin, and
 * for the one where that API says its git is: the API that issued a token may be believed about where it is good.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { CliConfig } from './config.js'
import { CliError } from './errors.js'
import { isLoopbackHost } from './loopback.js'

interface Entry {
  /** Absent after a logout. */
  readonly token?: string
  readonly email?: string
  /** Where the API's git is, once an app's address has shown it. */
  readonly git_origin?: string
}

type CredentialsFile = Readonly<Record<string, Entry>>

export class Credentials {
  readonly path: string
  /** The same tokens in the form that git's own `credential-store` reads: it answers faster than any program of ours. */
  readonly gitFile: string
  readonly #config: CliConfig

  constructor(config: CliConfig) {
    this.#config = config
    this.path = path.join(config.configDir, 'credentials.json')
    this.gitFile = path.join(config.configDir, 'git-credentials')
  }

  /** Whether a token for the configured API is kept on disk, whatever `PAAS_API_KEY` says. */
  isStored(): boolean {
    return this.#entry()?.token !== undefined
  }

  /** The token for the configured API: `PAAS_API_KEY`, else the stored one. */
  token(): string | undefined {
    return this.#config.apiKey ?? this.#entry()?.token
  }

  /** Whether git at this origin is the configured API's. */
  isGitOrigin(origin: string): boolean {
    return isGitOriginOf(this.#config.apiOrigin, origin) || this.#entry()?.git_origin === origin
  }

  /** Remembers where the configured API says its git is; returns whether a token may be sent there. */
  learnGitOrigin(origin: string): boolean {
    if (this.isGitOrigin(origin)) return true
    const { protocol, hostname } = new URL(origin)
    if (protocol !== 'https:' && !isLoopbackHost(hostname)) return false
    this.#update({ git_origin: origin })
    return true
  }

  /** The token that git may have for this origin; undefined for every host that isn't a platform's. */
  tokenForGit(origin: string): string | undefined {
    if (this.#config.apiKey !== undefined && this.isGitOrigin(origin)) return this.#config.apiKey
    const logins = Object.entries(this.#read()).filter(([, entry]) => entry.token !== undefined)
    const found =
      logins.find(([apiOrigin]) => isGitOriginOf(apiOrigin, origin)) ??
      logins.find(([, entry]) => entry.git_origin === origin)
    return found?.[1].token
  }

  store(login: { readonly token: string; readonly email: string }): void {
    this.#update(login)
  }

  /** Forgets the configured API's token; returns whether there was one. */
  forget(): boolean {
    const wasLoggedIn = this.#entry()?.token !== undefined
    if (wasLoggedIn) this.#update({ token: undefined, email: undefined })
    return wasLoggedIn
  }

  #entry(): Entry | undefined {
    const all = this.#read()
    return Object.hasOwn(all, this.#config.apiOrigin) ? all[this.#config.apiOrigin] : undefined
  }

  #update(change: Entry): void {
    const all = this.#read()
    this.#write({ ...all, [this.#config.apiOrigin]: { ...this.#entry(), ...change } })
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
    writePrivately(this.path, `${JSON.stringify(all, null, 2)}\n`)
    writePrivately(this.gitFile, gitCredentialLines(all))
  }
}

function writePrivately(file: string, text: string): void {
  const temporary = `${file}.${process.pid}`
  try {
    writeFileSync(temporary, text, { mode: 0o600 })
    chmodSync(temporary, 0o600)
    renameSync(temporary, file)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

function gitCredentialLines(all: CredentialsFile): string {
  return Object.entries(all)
    .flatMap(([apiOrigin, { token, git_origin: gitOrigin }]) =>
      token === undefined
        ? []
        : [apiOrigin, ...(gitOrigin === undefined ? [] : [gitOrigin])].map((origin) => ({ origin, token })),
    )
    .map(({ origin, token }) => `${origin.replace('://', `://paas:${encodeURIComponent(token)}@`)}\n`)
    .join('')
}

function readEntries(value: unknown): CredentialsFile {
  if (typeof value !== 'object' || value === null) throw new TypeError('not an object')
  for (const entry of Object.values(value))
    if (typeof entry !== 'object' || !/^[\x21-\x7e]+$/.test(entry?.token ?? 'none')) throw new TypeError('not a login')
  return value as CredentialsFile
}

/**
 * Whether git at this origin is surely the API's own: the same origin, or `git.<domain>` beside `api.<domain>`. Apps live
 * under the same domain, so nothing looser is safe to send a token to.
 */
export function isGitOriginOf(apiOrigin: string, origin: string): boolean {
  return origin === apiOrigin || origin === apiOrigin.replace('://api.', '://git.')
}
