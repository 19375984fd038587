/** An app's routes as a pure function of what should run and what is up. */
import type { AppRoutes, RouteBackend, RouteState } from '../model/route-table.js'
import type { DesiredApp } from './desired.js'
import { hasEnded, type ObservedApp, type ObservedDyno } from './observed.js'
import type { WantedDyno } from './wanted.js'

export function backendName(dyno: Pick<ObservedDyno, 'dyno' | 'containerId'>): string {
  return `${dyno.dyno}_${dyno.containerId.slice(0, 12)}`
}

/** Routes go to web dynos of the current release that are up: for each ordinal the wanted one, else the one it replaces. */
export function appRoutes(desired: DesiredApp, observed: ObservedApp, wanted: readonly WantedDyno[]): AppRoutes {
  const web = wanted.filter((w) => w.type === 'web')
  const backends = web.flatMap((w): RouteBackend[] => {
    const candidates = observed.dynos
      .filter((d) => d.dyno === w.dyno && d.version === w.release.version && d.isUp && !d.isStopping && !hasEnded(d))
      .sort((a, b) => Number(b.generation) - Number(a.generation) || b.attempt - a.attempt)
    const best = candidates[0]
    return best ? [{ name: backendName(best), dyno: best.dyno, address: best.address, port: best.port }] : []
  })
  return {
    appId: desired.app.id,
    appName: desired.app.name,
    hosts: desired.hosts,
    state: routeState(desired, observed, web, backends.length > 0),
    backends,
  }
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
