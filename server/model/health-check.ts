/**
 * `healthchecks` of app.json, in the form that Dokku gave it: what a new web dyno has to show before it gets requests.
 *
 * Of all checks those of `web` with type `startup` count, here as with Dokku on one machine. One kind each: a `path` that
 * must answer, with `content` in it where given, or an `uptime`. That a dyno is `listening` is asked of every web dyno
 * anyway.
 */

export interface PathCheck {
  readonly kind: 'path'
  readonly path: string
  /** Must be somewhere in the body. */
  readonly content: string | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly attempts: number
  /** Seconds that one attempt may take. */
  readonly timeout: number
  /** Seconds between attempts. */
  readonly wait: number
  /** Seconds before the first. */
  readonly initialDelay: number
}

export interface UptimeCheck {
  readonly kind: 'uptime'
  /** Seconds that the dyno must have run. */
  readonly uptime: number
}

export type HealthCheck = PathCheck | UptimeCheck

export interface HealthChecks {
  readonly web: readonly HealthCheck[]
  /** A sentence for each part that has no effect here. */
  readonly notes: readonly string[]
}

export const noHealthChecks: HealthChecks = { web: [], notes: [] }

type Json = Readonly<Record<string, unknown>>

const types = ['startup', 'liveness', 'readiness']
const longest = 3_600
const mostAttempts = 1_000
/** They are run side by side, and what each answers is held in memory. */
const mostChecks = 10

/** Throws a sentence that names the field. Unknown fields are ignored. */
export function parseHealthChecks(value: unknown): HealthChecks {
  if (value === undefined || value === null) return noHealthChecks
  if (!isObject(value)) throw new Error('healthchecks must be an object of process types.')
  const web: HealthCheck[] = []
  const notes: string[] = []
  for (const [processType, checks] of Object.entries(value)) {
    const name = `healthchecks.${processType}`
    if (!Array.isArray(checks)) throw new Error(`${name} must be a list of checks.`)
    for (const [at, check] of checks.entries()) {
      const parsed = parseCheck(check, `${name}[${at}]`)
      if (processType !== 'web') notes.push(`${name}[${at}] has no effect: only web dynos are checked.`)
      else if (typeof parsed === 'string') notes.push(parsed)
      else if (parsed !== undefined) web.push(parsed)
    }
  }
  if (web.length > mostChecks)
    throw new Error(`healthchecks.web has ${web.length} checks; at most ${mostChecks} are run. Leave some out.`)
  return { web, notes }
}

/** The check, a note why it has no effect, or undefined for what every web dyno is asked anyway. */
function parseCheck(check: unknown, name: string): HealthCheck | string | undefined {
  if (!isObject(check)) throw new Error(`${name} must be an object.`)
  const type = text(check, 'type', name) ?? 'startup'
  if (type !== '' && !types.includes(type)) throw new Error(`${name}.type must be one of ${types.join(', ')}.`)
  if (check.command !== undefined)
    throw new Error(`${name}.command is not supported: a check is a path, or an uptime. Use ${name}.path instead.`)
  const scheme = text(check, 'scheme', name)
  if (scheme !== undefined && !/^(http)?$/i.test(scheme))
    throw new Error(`${name}.scheme must be http: that is what web dynos are asked by.`)
  const listening = flag(check, 'listening', name)
  const warn = flag(check, 'warn', name)
  const content = text(check, 'content', name) || undefined
  const path = text(check, 'path', name) || (content === undefined ? undefined : '/')
  const uptime = count(check, 'uptime', name, longest)
  const given = [listening && 'listening', path && 'path', uptime && 'uptime'].filter(Boolean)
  if (given.length > 1) throw new Error(`${name} has both ${given.join(' and ')}; make two checks of it.`)
  const checked = path === undefined ? undefined : toPathCheck(check, name, path, content)
  if (type === 'liveness' || type === 'readiness') return `${name} has no effect: its type is ${type}, not startup.`
  if (warn) return `${name} has no effect: it would only warn.`
  return checked ?? (uptime > 0 ? { kind: 'uptime', uptime } : undefined)
}

function toPathCheck(check: Json, name: string, path: string, content: string | undefined): PathCheck {
  if (!/^\/[\x21-\x7e]{0,2000}$/.test(path))
    throw new Error(`${name}.path must begin with / and have no spaces, as it is written in a request.`)
  return {
    kind: 'path',
    path,
    content,
    headers: toHeaders(check.httpHeaders, `${name}.httpHeaders`),
    attempts: count(check, 'attempts', name, mostAttempts) || 3,
    timeout: count(check, 'timeout', name, longest) || 5,
    wait: count(check, 'wait', name, longest) || 5,
    initialDelay: count(check, 'initialDelay', name, longest),
  }
}

function toHeaders(value: unknown, name: string): Record<string, string> {
  if (value === undefined || value === null) return {}
  if (!Array.isArray(value)) throw new Error(`${name} must be a list of objects with name and value.`)
  return Object.fromEntries(
    value.map((header: unknown, at): [string, string] => {
      const { name: key, value: content } = isObject(header) ? header : {}
      if (typeof key !== 'string' || !/^[\w!#$%&'*+.^`|~-]{1,200}$/.test(key))
        throw new Error(`${name}[${at}].name must be the name of a header.`)
      if (typeof content !== 'string' || !/^[\t\x20-\x7e]{0,4000}$/.test(content))
        throw new Error(`${name}[${at}].value must be a text of one line.`)
      return [key.toLowerCase(), content]
    }),
  )
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function text(check: Json, key: string, name: string): string | undefined {
  const value = check[key]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new Error(`${name}.${key} must be a text.`)
  return value
}

function flag(check: Json, key: string, name: string): boolean {
  const value = check[key] ?? false
  if (typeof value !== 'boolean') throw new Error(`${name}.${key} must be true or false.`)
  return value
}

/** Nought where it isn't given. */
function count(check: Json, key: string, name: string, most: number): number {
  const value = check[key] ?? 0
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most)
    throw new Error(`${name}.${key} must be a whole number from 0 to ${most}.`)
  return value
}
