/**
 * Refuses a route table that can't be written into a configuration as it stands.
 *
 * Everything that ends up in HAProxy's configuration, maps or commands passes here, so no name can bring a space, a
 * line end or a keyword with it. The checks repeat what the rows already promise: a table that fails here is a bug.
 */
import { isIP } from 'node:net'
import { remembered } from '../lib/remembered.js'
import type { AppRoutes, RouteBackend, RouteState, RouteTable } from '../model/route-table.js'
import { RouterError } from './errors.js'

const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
const hostPattern = new RegExp(`^(\\*\\.)?(${label}\\.)*${label}$`)
const idPattern = /^[A-Za-z0-9-]{1,64}$/
const appNamePattern = /^[a-z][a-z0-9-]{0,62}$/
const dynoPattern = /^[a-z][a-z0-9_-]{0,62}\.\d{1,5}$/i
const states: readonly RouteState[] = ['up', 'no-release', 'no-web', 'crashed', 'booting', 'maintenance']
const suffixPattern = /^(_[A-Za-z0-9-]{1,64})?$/

/** Hosts that the platform answers itself, never an app. */
export function platformHosts(domain: string): readonly [string, string] {
  return [`api.${domain}`, `git.${domain}`]
}

/** Throws `RouterError` kind `invalid` naming the first thing wrong. */
export function checkTable(table: RouteTable, domain: string): void {
  if (!Number.isSafeInteger(table.version) || table.version < 0) refuse(`version ${table.version} is not a number`)
  const hosts = new Map<string, string>(platformHosts(domain).map((host) => [host, 'the platform']))
  const ids = new Set<string>()
  for (const app of table.apps) {
    checkApp(app)
    if (ids.has(app.appId)) refuse(`app ${app.appName} is listed twice`)
    ids.add(app.appId)
    for (const host of app.hosts) {
      const owner = hosts.get(host)
      if (owner !== undefined) refuse(`host ${host} of app ${app.appName} belongs to ${owner}`)
      hosts.set(host, `app ${app.appName}`)
    }
  }
}

/** Of a thousand apps in a table one or two are new. */
const checkApp = remembered((app: AppRoutes): void => {
  if (!idPattern.test(app.appId)) refuse(`'${app.appId}' is not an app id`)
  if (!appNamePattern.test(app.appName)) refuse(`'${app.appName}' is not an app name`)
  if (!states.includes(app.state)) refuse(`'${app.state}' is not a state that app ${app.appName} can be in`)
  for (const host of app.hosts)
    if (host.length > 253 || !hostPattern.test(host)) refuse(`'${host}' of app ${app.appName} is not a host name`)
  const names = new Set<string>()
  for (const backend of app.backends) {
    checkBackend(app, backend)
    if (names.has(backend.name)) refuse(`backend ${backend.name} of app ${app.appName} is listed twice`)
    names.add(backend.name)
  }
})

function checkBackend(app: AppRoutes, backend: RouteBackend): void {
  const of = `backend ${backend.name} of app ${app.appName}`
  if (!dynoPattern.test(backend.dyno)) refuse(`${of}: '${backend.dyno}' is not a dyno`)
  if (!backend.name.startsWith(backend.dyno) || !suffixPattern.test(backend.name.slice(backend.dyno.length)))
    refuse(`${of} must be named ${backend.dyno} or ${backend.dyno}_<suffix>`)
  if (isIP(backend.address) !== 4) refuse(`${of}: '${backend.address}' is not an IPv4 address`)
  if (!Number.isInteger(backend.port) || backend.port < 1 || backend.port > 65535)
    refuse(`${of}: ${backend.port} is not a port`)
}

function refuse(what: string): never {
  throw new RouterError('invalid', `The route table can't be used: ${what}`)
}
