/** Which apps the working folder's git remotes belong to, and making such remotes. */
import { realpathSync } from 'node:fs'
import path from 'node:path'
import type { App } from './api-types.js'
import type { CliConfig } from './config.js'
import type { Credentials } from './credentials.js'
import { CliError } from './errors.js'
import { type GitRemote, listGitRemotes, setCredentialHelpers, setGitRemote } from './git.js'
import { warn } from './output.js'

/** The remote's name unless another is asked for. */
export const defaultRemote = 'paas'

export interface AppRemote {
  readonly remote: string
  readonly app: string
}

/** The remotes whose address is an app's on this platform. */
export async function listAppRemotes(config: CliConfig, credentials: Credentials): Promise<AppRemote[]> {
  return (await listGitRemotes()).flatMap((remote) => {
    const app = appOfRemote(remote, config, credentials)
    return app === undefined ? [] : [{ remote: remote.name, app }]
  })
}

function appOfRemote({ url }: GitRemote, config: CliConfig, credentials: Credentials): string | undefined {
  if (!URL.canParse(url)) return undefined
  const { origin, pathname } = new URL(url)
  const same = credentials.isGitOrigin(origin) || nameLoopback(config.apiOrigin) === nameLoopback(origin)
  return same ? /^\/([a-z][a-z0-9-]*?)(?:\.git)?\/?$/.exec(pathname)?.[1] : undefined
}

// Which name of this machine somebody typed says nothing about which platform is meant.
function nameLoopback(origin: string): string {
  return origin.replace(/^(https?:\/\/)(?:127\.0\.0\.1|\[::1\])(?=:|$)/, '$1localhost')
}

/**
 * Makes the app a remote, or points that remote at it, and has git ask us for the password. With `keep` a remote that
 * leads elsewhere stays: a push must not go to another app than before without being told to.
 */
export async function addAppRemote(
  app: App,
  remote: string,
  { config, credentials }: { readonly config: CliConfig; readonly credentials: Credentials },
  options: { readonly keep?: boolean } = {},
): Promise<'added' | 'updated' | 'kept'> {
  const { origin, protocol } = new URL(app.git_url)
  // git has address forms that run commands; the platform's are plain.
  if (protocol !== 'http:' && protocol !== 'https:') throw new CliError(`${app.git_url} is not an http address`)
  const present = (await listGitRemotes()).find((r) => r.name === remote)
  const keeps = options.keep === true && present !== undefined && present.url !== app.git_url
  if (!keeps) await setGitRemote(remote, app.git_url, present !== undefined)
  if (credentials.learnGitOrigin(origin))
    await setCredentialHelpers(origin, await credentialHelpers(config, credentials))
  else warn(`git will ask for a password at ${origin}: give it the token that paas auth:token prints.`)
  if (keeps) return 'kept'
  return present === undefined ? 'added' : 'updated'
}

/** Git's own reader of the file beside our credentials costs next to nothing; without a stored token git asks us. */
async function credentialHelpers(config: CliConfig, credentials: Credentials): Promise<string[]> {
  if (!credentials.isStored()) return [await credentialHelper(config)]
  const { quote } = await import('shell-quote')
  return [`store --file=${quote([credentials.gitFile])}`]
}

/** How git calls us back: by name where `paas` on the search path is this very program, else by its place. */
async function credentialHelper(config: CliConfig): Promise<string> {
  const self = realpathSync(process.argv[1] ?? '')
  const onPath = config.searchPath.map((folder) => path.join(folder, 'paas')).find(isFile)
  if (onPath !== undefined && realpathSync(onPath) === self) return '!paas git:credentials'
  const { quote } = await import('shell-quote')
  return `!${quote([process.execPath, self])} git:credentials`
}

function isFile(file: string): boolean {
  try {
    return realpathSync(file) !== ''
  } catch {
    return false
  }
}
