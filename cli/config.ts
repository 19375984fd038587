/**
 * What the CLI takes from its surroundings: the only file here that reads the environment.
 *
 * `PAAS_API_URL` names the platform, `PAAS_API_KEY` a token that goes before the stored one, `PAAS_APP` the app that
 * commands act on when neither a flag nor a git remote says so. Files follow the XDG base directories.
 */
import path from 'node:path'
import { CliError } from './errors.js'

export type Env = Readonly<Record<string, string | undefined>>

export interface CliConfig {
  /** Scheme, host and port of the API, without a trailing slash. */
  readonly apiOrigin: string
  readonly apiKey: string | undefined
  readonly app: string | undefined
  /** Folder for credentials and trusted certificates; it may not exist. */
  readonly configDir: string
  readonly color: { readonly stdout: boolean; readonly stderr: boolean }
  /** What a one-off dyno is told the terminal is. */
  readonly term: string
  /** Folders that commands such as `xdg-open` are looked up in. */
  readonly searchPath: readonly string[]
}

const defaultApiUrl = 'http://localhost:5000'

/** Reads the environment; throws a sentence naming the variable that is unusable. */
export function loadCliConfig(env: Env = process.env): CliConfig {
  return {
    apiOrigin: readOrigin(text(env, 'PAAS_API_URL') ?? defaultApiUrl),
    apiKey: readKey(text(env, 'PAAS_API_KEY')),
    app: text(env, 'PAAS_APP'),
    configDir: path.join(readConfigHome(env), 'paas'),
    color: { stdout: wantsColor(env, process.stdout), stderr: wantsColor(env, process.stderr) },
    term: text(env, 'TERM') ?? 'xterm',
    searchPath: (env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== ''),
  }
}

function text(env: Env, name: string): string | undefined {
  const value = env[name]?.trim()
  return value === '' ? undefined : value
}

function readOrigin(value: string): string {
  const url = /^https?:\/\//i.test(value) && URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || url.pathname !== '/')
    throw new CliError(
      `PAAS_API_URL is '${value}'; it must be an http or https address without a path, such as ${defaultApiUrl}`,
    )
  return url.origin
}

function readKey(value: string | undefined): string | undefined {
  // A line break here would end the Authorization header early.
  if (value !== undefined && !/^[\x21-\x7e]+$/.test(value))
    throw new CliError('PAAS_API_KEY holds characters that no token has; copy it again from paas authorizations:create')
  return value
}

function readConfigHome(env: Env): string {
  const xdg = text(env, 'XDG_CONFIG_HOME')
  // The XDG specification has relative paths ignored.
  if (xdg !== undefined && path.isAbsolute(xdg)) return xdg
  const home = text(env, 'HOME') ?? text(env, 'USERPROFILE')
  if (home === undefined) throw new CliError('Neither HOME nor XDG_CONFIG_HOME is set; set one of them')
  return path.join(home, '.config')
}

function wantsColor(env: Env, stream: { readonly isTTY?: boolean }): boolean {
  if (text(env, 'NO_COLOR') !== undefined) return false
  if (text(env, 'FORCE_COLOR') !== undefined) return env.FORCE_COLOR !== '0'
  return stream.isTTY === true && env.TERM !== 'dumb'
}
