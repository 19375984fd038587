/** An app's routes as a pure function of what should run and what is up. */
import type { AppRoutes, RouteBackend, RouteState } from '../model/route-table.js'
import type { DesiredApp } from './desired.js'
import { hasEnded, type ObservedApp, type ObservedDyno } from './observed.js'
import type { WantedDyno } from './wanted.js'

export function backendName(dyno: Pick<ObservedDyno, 'dyno' | 'containerId'>): string {
  return `${dyno.dyno}_${dyno.containerId.slice(0, 12)}`
}

/**
 * Routes go to web dynos of the current release that are up: for each ordinal the wanted one, else the one it replaces.
 * While none of them is up, the dynos that are routed stay so, whatever their release: a control plane that died between
 * settling a release and publishing its routes must not take the last serving dyno away when it comes back.
 */
export function appRoutes(desired: DesiredApp, observed: ObservedApp, wanted: readonly WantedDyno[]): AppRoutes {
  const web = wanted.filter((w) => w.type === 'web')
  const serving = observed.dynos.filter((d) => d.type === 'web' && d.isUp && !d.isStopping && !hasEnded(d))
  const chosen = web.flatMap(
    (w) =>
      serving
        .filter((d) => d.dyno === w.dyno && d.version === w.release.version)
        .sort((a, b) => Number(b.generation) - Number(a.generation) || b.attempt - a.attempt)[0] ?? [],
  )
  const kept = web.length === 0 ? [] : serving.filter((d) => d.isRouted).sort(byName)
  const backends = (chosen.length > 0 ? chosen : kept).map(toBackend)
  return {
    appId: desired.app.id,
    appName: desired.app.name,
    hosts: desired.hosts,
    state: routeState(desired, observed, web, backends.length > 0),
    backends,
  }
}

function toBackend(dyno: ObservedDyno): RouteBackend {
  return { name: backendName(dyno), dyno: dyno.dyno, address: dyno.address, port: dyno.port }
}

/** The order in which the engine lists containers means nothing; the table's order must not depend on it. */
function byName(a: ObservedDyno, b: ObservedDyno): number {
  return a.ordinal - b.ordinal || (a.containerId < b.containerId ? -1 : 1)
}

function routeState(desired: DesiredApp, observed: ObservedApp, web: readonly WantedDyno[], isUp: boolean): RouteState {
  if (desired.app.maintenance) return 'maintenance'
  if (isUp) return 'up'
  if (!desired.current?.slug) return 'no-release'
  if (web.length === 0) return 'no-web'
  const crashed = observed.dynos.some((d) => d.type === 'web' && d.version === desired.current?.version && hasEnded(d))
  return crashed ? 'crashed' : 'booting'
}

/** One comparable line. */
export function printRoutes(routes: AppRoutes): string {
  const backends = routes.backends.map((b) => `${b.name}=${b.address}:${b.port}`).join(',')
  return `${routes.appName} ${routes.state} [${routes.hosts.join(',')}] → [${backends}]`
}
