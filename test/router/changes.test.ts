/** Changes of the route table while requests run: none fails, none goes astray, none reaches a dyno that was taken out. */
import http from 'node:http'
import type net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { ask as command } from '../../server/router/runtime-socket.js'
import { type Backend, ask, backendName, countingApp, httpApp, load, publish, rawApp, routes } from './backends.js'
import { routerUnderTest, until } from './haproxy-container.js'

t.setTimeout(180_000)

t.test(
  'two hundred changes under load: no failure, and nothing for a dyno that is out',
  { timeout: 90_000 },
  async (t) => {
    const u = await routerUnderTest(t, { slotRestMs: 100 })
    await u.start()
    const dynos = await Promise.all(Array.from({ length: 6 }, () => countingApp(t, 'one')))
    const other = await countingApp(t, 'two')
    const pick = (i: number) => [dynos[i % 6], dynos[(i + 1) % 6]].flatMap((dyno) => (dyno === undefined ? [] : [dyno]))
    await publish(u.router, routes('one', pick(0)))
    const running = load(u.httpPort, 'one.localhost', { expect: 'one', pauseMs: () => 1 })
    const durations: number[] = []
    let strays = 0
    for (let i = 1; i <= 200; i++) {
      const table = [
        routes('one', pick(i)),
        routes('two', [other], i % 3 ? 'up' : 'maintenance'),
        ...(i % 5 ? [routes('three', [other])] : []),
      ]
      const started = performance.now()
      await publish(u.router, ...table)
      durations.push(performance.now() - started)
      const out = dynos.filter((dyno) => !pick(i).includes(dyno))
      const leaving = routes('one', pick(i - 1)).backends.filter(({ port }) => out.some((dyno) => dyno.port === port))
      await until('what was in flight is done', async () => {
        const inFlight = await Promise.all(leaving.map(({ name }) => u.router.inFlight('id-one', name)))
        return inFlight.every((n) => n === 0)
      })
      const before = out.map((dyno) => dyno.requests)
      if (i % 10 === 0) {
        await delay(20)
        await u.router.housekeep()
      }
      strays += out.filter((dyno, at) => dyno.requests !== before[at]).length
    }
    await running.stop()
    t.strictSame(running.failures, [])
    t.equal(strays, 0, 'no dyno got a request after it was out and idle')
    t.ok(running.served() > 500, `${running.served()} requests were served`)
    const median = durations.sort((a, b) => a - b)[100] ?? 0
    t.comment(`a change took ${median.toFixed(1)} ms (median), ${durations.at(-1)?.toFixed(0)} ms at most`)
    await u.router.housekeep()
    const state = await command(`${u.options.dir}/run/admin.sock`, 'show servers state')
    t.equal(state.match(/ web\.\d_/g)?.length, 3, 'servers that left are gone')
  },
)

t.test('a request on a dyno that leaves is finished, and counted until then', async (t) => {
  const u = await routerUnderTest(t, { firstByteTimeoutMs: 10_000 })
  await u.start()
  let finish = () => {}
  const old = await httpApp(t, (_, response) => {
    finish = () => response.end('old')
  })
  const fresh = await httpApp(t, (_, response) => response.end('fresh'))
  await publish(u.router, routes('one', [old]))
  const long = ask({ port: u.httpPort, host: 'one.localhost' })
  const name = backendName(1, old.port)
  await until('the long request runs', async () => (await u.router.inFlight('id-one', name)) === 1)
  await publish(u.router, routes('one', [fresh]))
  for (let i = 0; i < 20; i++) t.equal((await ask({ port: u.httpPort, host: 'one.localhost' })).body, 'fresh')
  await u.router.housekeep()
  t.equal(await u.router.inFlight('id-one', name), 1, 'it is still counted')
  await publish(u.router)
  t.equal(await u.router.inFlight('id-one', name), 1, 'also when the app is gone from the table')
  t.equal((await ask({ port: u.httpPort, host: 'one.localhost' })).status, 404)
  finish()
  t.match(await long, { status: 200, body: 'old' })
  await until('the dyno is free', async () => (await u.router.inFlight('id-one', name)) === 0)
  const house = new AbortController()
  const errors: unknown[] = []
  const kept = u.router.keepHouse(house.signal, (error) => errors.push(error), 20)
  await until('its server is removed', async () => {
    return !(await command(`${u.options.dir}/run/admin.sock`, 'show servers state')).includes(name)
  })
  house.abort()
  await kept
  t.strictSame(errors, [])
})

t.test('a dyno that comes back to a table it has left serves again', async (t) => {
  const u = await routerUnderTest(t)
  await u.start()
  const app = await httpApp(t, (_, response) => response.end('one'))
  const other = await httpApp(t, (_, response) => response.end('two'))
  const holding = new http.Agent({ keepAlive: true })
  for (const now of [app, other, app, other, app]) {
    await publish(u.router, routes('one', [now]))
    const { body } = await ask({ port: u.httpPort, host: 'one.localhost', agent: holding })
    t.equal(body, now === app ? 'one' : 'two')
  }
  holding.destroy()
})

t.test('a dyno that gets another address is asked there at once', async (t) => {
  const u = await routerUnderTest(t)
  await u.start()
  const places = await Promise.all(['here', 'there'].map((name) => countingApp(t, name)))
  const busy = await countingApp(t, 'busy')
  const moveTo = async ({ address, port }: Backend) => {
    // A connection that still ends a request goes back to those that are shared.
    await until('nothing is asked', async () => (await u.router.inFlight('id-one', 'web.1')) === 0)
    const one = { ...routes('one', []), backends: [{ name: 'web.1', dyno: 'web.1', address, port }] }
    await publish(u.router, one, routes('busy', [busy]))
    return (await ask({ port: u.httpPort, host: 'one.localhost' })).body
  }
  await moveTo(places[1] as Backend)
  const running = load(u.httpPort, 'busy.localhost', { expect: 'busy', clients: 16 })
  const answers: string[] = []
  for (let i = 0; i < 30; i++) for (const place of places) answers.push(await moveTo(place))
  await running.stop()
  t.strictSame(answers, Array.from({ length: 30 }, () => ['here', 'there']).flat())
  t.strictSame(running.failures, [])
})

t.test('publishes at the same time are written in order, the newest of those that wait', async (t) => {
  const u = await routerUnderTest(t)
  await u.start()
  const app = await httpApp(t, (_, response) => response.end('one'))
  const tables = Array.from({ length: 30 }, (_, i) => ({
    version: i + 1,
    apps: Array.from({ length: (i % 7) + 1 }, (_, n) => routes(`app-${n}`, [app])),
  }))
  await Promise.all(tables.map((table) => u.router.publish(table)))
  t.equal(u.router.current().version, 30)
  t.equal((await ask({ port: u.httpPort, host: 'app-1.localhost' })).status, 200)
  t.equal((await ask({ port: u.httpPort, host: 'app-2.localhost' })).status, 404)
})

t.test('room for more apps is made by a reload that nobody notices', async (t) => {
  const u = await routerUnderTest(t, { slots: 2, firstByteTimeoutMs: 20_000 })
  await u.start()
  const one = await countingApp(t, 'one')
  let finish = () => {}
  const slow = await httpApp(t, (_, response) => {
    finish = () => response.end('slow')
  })
  const after = await httpApp(t, (_, response) => response.end('after'))
  await publish(u.router, routes('one', [one]), routes('slow', [slow]))
  const long = ask({ port: u.httpPort, host: 'slow.localhost' })
  await until(
    'the long request runs',
    async () => (await u.router.inFlight('id-slow', backendName(1, slow.port))) === 1,
  )
  const running = load(u.httpPort, 'one.localhost', { expect: 'one', pauseMs: () => 1 })
  await until('the load runs', () => running.served() > 50)
  const more = Array.from({ length: 9 }, (_, i) => routes(`more-${i}`, [after]))
  await publish(u.router, routes('one', [one]), routes('slow', [slow]), ...more)
  for (let i = 0; i < 9; i++) t.equal((await ask({ port: u.httpPort, host: `more-${i}.localhost` })).body, 'after')
  t.equal(await u.router.inFlight('id-slow', backendName(1, slow.port)), 1, 'a request of the old process counts')
  await publish(u.router, routes('one', [one]), routes('slow', [after]), ...more)
  t.equal((await ask({ port: u.httpPort, host: 'slow.localhost' })).body, 'after')
  finish()
  t.match(await long, { status: 200, body: 'slow' })
  const served = running.served()
  await until('the load goes on', () => running.served() > served + 200)
  await running.stop()
  t.strictSame(running.failures, [])
  t.match(await command(`${u.options.dir}/run/master.sock`, 'show proc'), /worker/)
})

t.test('a client connection left on the old process is not led to a dyno that is out', async (t) => {
  const u = await routerUnderTest(t, { slots: 1 })
  await u.start()
  const old = await countingApp(t, 'old')
  const fresh = await countingApp(t, 'fresh')
  await publish(u.router, routes('one', [old]))
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  t.equal((await ask({ port: u.httpPort, host: 'one.localhost', agent })).body, 'old')
  await publish(u.router, routes('one', [old]), routes('two', [old]))
  await publish(u.router, routes('one', [fresh]), routes('two', [old]))
  t.equal((await ask({ port: u.httpPort, host: 'one.localhost', agent })).body, 'fresh')
})

t.test('an app that closes idle connections early costs nobody a request', { timeout: 60_000 }, async (t) => {
  const u = await routerUnderTest(t)
  await u.start()
  const idleMs = 500
  const posts: string[] = []
  const connections = new Set<net.Socket>()
  const app = await rawApp(t, (socket, head) => {
    if (!connections.has(socket)) socket.setTimeout(idleMs, () => socket.destroy())
    connections.add(socket)
    if (head.startsWith('POST')) posts.push(head)
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nKeep-Alive: timeout=1\r\n\r\none')
  })
  await publish(u.router, routes('one', [app]))
  const pauseMs = () => idleMs - 3 + Math.random() * 6
  for (const kind of ['added while it runs', 'there from the start']) {
    if (kind === 'there from the start') {
      await u.kill()
      await u.start()
    }
    connections.clear()
    posts.length = 0
    const gets = load(u.httpPort, 'one.localhost', { clients: 40, expect: 'one', pauseMs })
    const puts = load(u.httpPort, 'one.localhost', { clients: 10, expect: 'one', pauseMs, method: 'POST', body: 'x' })
    await delay(4000)
    await Promise.all([gets.stop(), puts.stop()])
    t.strictSame([...gets.failures, ...puts.failures], [], `no failure with a server that was ${kind}`)
    t.equal(posts.length, puts.served(), 'no POST arrived twice')
    t.ok(connections.size < gets.served() + puts.served(), 'connections were reused')
  }
})

t.test('apps that come and go never answer for one another', async (t) => {
  const u = await routerUnderTest(t, { slots: 4, slotRestMs: 1 })
  await u.start()
  const apps = await Promise.all(
    Array.from({ length: 8 }, (_, i) => httpApp(t, (_, response) => response.end(`app-${i}`))),
  )
  const present = new Set<number>()
  let wrong = 0
  let stopped = false
  const probe = async (seed: number) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    for (let i = seed; !stopped; i++) {
      const { status, body } = await ask({ port: u.httpPort, host: `app-${i % 8}.localhost`, agent })
      if (status === 200 ? body !== `app-${i % 8}` : status !== 404 && status !== 503) wrong++
    }
    agent.destroy()
  }
  const probes = Promise.all([0, 3, 5].map(probe))
  for (let i = 0; i < 150; i++) {
    const which = (i * 5 + Math.floor(i / 7)) % 8
    if (!present.delete(which)) present.add(which)
    await publish(u.router, ...[...present].sort().flatMap((n) => routes(`app-${n}`, apps.slice(n, n + 1))))
    if (i % 4 === 0) await u.router.housekeep()
  }
  stopped = true
  await probes
  t.equal(wrong, 0)
})
