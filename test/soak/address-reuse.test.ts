// Goal: a host is answered by its own app or by nobody, however often addresses and ports change hands.
// Method: twenty hosts are probed over kept and new connections while their dynos come and go a hundred times, each on an
// address and a port that another one had just before.
import http from 'node:http'
import t from 'tap'
import { ask, backendName, publish } from '../router/backends.js'
import { routerUnderTest } from '../router/haproxy-container.js'
import type { AppRoutes } from '../../server/model/route-table.js'

t.setTimeout(600_000)

const hosts = 20
const changes = 120

t.test('dynos that take over each other’s addresses never answer for one another', async (t) => {
  const u = await routerUnderTest(t, { slots: 8, slotRestMs: 1, connectTimeoutMs: 500 })
  await u.start()
  const ports = [31_001, 31_002, 31_003, 31_004, 31_005, 31_006]
  const dynos = new Map<number, { readonly server: http.Server; readonly port: number; readonly serial: number }>()
  const start = async (app: number, port: number, serial: number) => {
    const server = http.createServer((_, response) => response.end(`app-${app}`))
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.77', resolve))
    dynos.set(app, { server, port, serial })
  }
  const stop = async (app: number) => {
    const { server } = dynos.get(app) ?? {}
    dynos.delete(app)
    await new Promise<void>((resolve) => {
      server?.close(() => resolve())
      server?.closeAllConnections()
    })
  }
  t.teardown(() => Promise.all([...dynos.keys()].map(stop)))
  const table = (): AppRoutes[] =>
    Array.from({ length: hosts }, (_, app) => {
      const dyno = dynos.get(app)
      const backend = {
        name: backendName(1, dyno?.serial ?? 0),
        dyno: 'web.1',
        address: '127.0.0.77',
        port: dyno?.port ?? 0,
      }
      return {
        appId: `id-${app}`,
        appName: `app-${app}`,
        hosts: [`app-${app}.localhost`],
        state: dyno ? 'up' : 'no-web',
        backends: dyno ? [backend] : [],
      }
    })
  // A host that no table has named yet is nobody's: 404.
  await publish(u.router, ...table())
  let probed = 0
  let served = 0
  const wrong: string[] = []
  let stopped = false
  const probe = async (first: number, agent: http.Agent | undefined) => {
    for (let n = first; !stopped; n++) {
      const app = n % hosts
      const answer = await ask({ port: u.httpPort, host: `app-${app}.localhost`, agent })
      probed++
      if (answer.status === 200) served++
      const isRight = answer.status === 200 ? answer.body === `app-${app}` : answer.status === 503
      if (!isRight) wrong.push(`app-${app}: ${answer.status} ${answer.body.slice(0, 20)}`)
    }
    agent?.destroy()
  }
  const agents = [1, 2, 3].map(() => new http.Agent({ keepAlive: true, maxSockets: 1 }))
  const probes = Promise.all([...agents, undefined, undefined].map((agent, n) => probe(n * 4, agent)))
  for (let serial = 0; serial < changes; serial++) {
    const app = (serial * 7) % hosts
    // Leaves the table before it stops, as dynos do; whoever is next has its address at once.
    const port = ports[serial % ports.length] ?? 0
    const before = [...dynos].find(([, dyno]) => dyno.port === port)?.[0]
    for (const leaving of new Set([before, dynos.has(app) ? app : undefined])) {
      if (leaving === undefined) continue
      const dyno = dynos.get(leaving)
      dynos.delete(leaving)
      await publish(u.router, ...table())
      if (dyno) dynos.set(leaving, dyno)
      await stop(leaving)
    }
    await start(app, port, serial)
    await publish(u.router, ...table())
    if (serial % 5 === 0) await u.router.housekeep()
  }
  stopped = true
  await probes
  t.comment(`${probed} probes, ${served} served, ${changes} starts`)
  t.strictSame(wrong, [])
  t.ok(served > changes)
})
