/** One-off dynos: starting one, and joining this terminal to it. */
import { type ApiClient, route } from './api-client.js'
import type { Dyno } from './api-types.js'
import type { CliConfig } from './config.js'
import { CliError, UsageError } from './errors.js'
import { action, appLabel } from './output.js'
import { caFileOf } from './platform-ca.js'

export interface OneOff {
  readonly app: string
  /** A shell command line. */
  readonly command: string
  /** What the progress line calls it; the command unless given. */
  readonly label?: string
  readonly env: Readonly<Record<string, string>>
  readonly size?: string
  readonly type?: string
}

/**
 * The command line of words given to `run`: one word is a shell command line already, several are kept apart as they
 * were given.
 */
export async function commandLineOf(words: readonly string[]): Promise<string> {
  const [only] = words
  if (only !== undefined && words.length === 1) return only
  const { quote } = await import('shell-quote')
  return quote(words)
}

/** Reads `A=1;B=2` words of `--env`. */
export function parseEnv(words: readonly string[]): Record<string, string> {
  const pairs = words.flatMap((word) => word.split(';')).filter((pair) => pair !== '')
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(pair) ?? []
      if (name === undefined || value === undefined)
        throw new UsageError(`${pair} is invalid. --env takes NAME=value, several parted by semicolons.`)
      return [name, value]
    }),
  )
}

/** Starts a one-off dyno that nobody is attached to. */
export function startDetached(api: ApiClient, oneOff: OneOff): Promise<Dyno> {
  return action(
    `Running ${oneOff.command} on ${appLabel(oneOff.app, 'stderr')}`,
    () => api.post<Dyno>(route`/apps/${oneOff.app}/dynos`, { ...requestOf(oneOff), attach: false }),
    (dyno) => dyno.name,
  )
}

/** Starts a one-off dyno attached to this terminal, or to pipes, and resolves with its command's exit code. */
export async function runAttached(
  api: ApiClient,
  config: CliConfig,
  oneOff: OneOff,
  options: { readonly noTty?: boolean; readonly stdin?: AsyncIterable<Buffer | string> } = {},
): Promise<number> {
  const stdin = options.stdin ?? process.stdin
  const tty = !options.noTty && stdin === process.stdin && process.stdin.isTTY === true && process.stdout.isTTY === true
  const request = {
    ...requestOf(oneOff),
    env: { ...terminalEnv(config, tty), ...oneOff.env },
    attach: true,
    ...(tty ? {} : { force_no_tty: true }),
  }
  const dyno = await action(
    `Running ${oneOff.label ?? oneOff.command} on ${appLabel(oneOff.app, 'stderr')}`,
    // Without it the address would be one for Heroku's own command line.
    () => api.post<Dyno>(route`/apps/${oneOff.app}/dynos`, request, { headers: { 'paas-attach': 'websocket' } }),
    ({ name, state }) => `${state}, ${name}`,
  )
  if (!dyno.attach_url) throw new CliError(`The platform started ${dyno.name} but gave no address to attach to.`)
  const { attach } = await import('./attach.js')
  return attach({ url: dyno.attach_url, tty, stdin, dynoName: dyno.name, caFile: caFileOf(config) })
}

function requestOf({ command, env, size, type }: OneOff) {
  return {
    command,
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(size === undefined ? {} : { size }),
    ...(type === undefined ? {} : { type }),
  }
}

function terminalEnv(config: CliConfig, tty: boolean): Record<string, string> {
  const { columns, rows } = process.stdout
  return {
    TERM: tty ? config.term : 'dumb',
    ...(tty && columns > 0 ? { COLUMNS: String(columns) } : {}),
    ...(tty && rows > 0 ? { LINES: String(rows) } : {}),
  }
}
