/** Route tables of many small apps, one of which is deployed again and again. */
import type { AppRoutes, RouteTable } from '../server/model/route-table.js'
import type { Router } from '../server/router/router.js'

/** As the control plane's: what has not changed stays the same object. */
const kept = new Map<string, AppRoutes>()

function appOf(backendPort: number, n: number, step: number): AppRoutes {
  const key = `${backendPort} ${n}`
  const known = n === 0 ? undefined : kept.get(key)
  if (known !== undefined) return known
  const app: AppRoutes = {
    appId: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    appName: `bench-${n}`,
    hosts: [`bench-${n}.localhost`],
    state: 'up',
    backends: [
      { name: `web.1_${step}`, dyno: 'web.1', address: '127.0.0.1', port: backendPort + (n === 0 ? step % 2 : 0) },
    ],
  }
  kept.set(key, app)
  return app
}

/** `step` moves the first app between two servers, as a deploy does: a new server under a new name, the old one gone. */
export function benchTable(router: Router, backendPort: number, apps: number, step: number): RouteTable {
  const routes = Array.from({ length: apps }, (_, n) => appOf(backendPort, n, n === 0 ? step : 0))
  return { version: router.current().version + 1, apps: routes }
}
