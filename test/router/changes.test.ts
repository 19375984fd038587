/** Changes of the route table while requests run: none fails, none goes astray, none reaches a dyno that was taken out. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import type net from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import tls from 'node:tls'
import t from 'tap'
import type { AppRoutes } from '../../server/model/route-table.js'
import { createCertificates } from '../../server/router/certificates.js'
import { layoutOf } from '../../server/router/layout.js'
import { createMemory } from '../../server/router/memory.js'
import { routerPaths } from '../../server/router/paths.js'
import { emptyPlacement } from '../../server/router/placement.js'
import { ask as command } from '../../server/router/runtime-socket.js'
import { renewCertificate } from '../../server/router/settle.js'
import { type Backend, ask, backendName, httpApp, load, publish, rawApp, routes } from './backends.js'
import { routerUnderTest, until } from './haproxy-container.js'

t.setTimeout(180_000)

interface CountingBackend extends Backend {
  requests: number
}

async function countingApp(t: { teardown(fn: () => unknown): void }, name: string): Promise<CountingBackend> {
  const app: CountingBackend = Object.assign(
    await httpApp(t, (_, response) => {
      app.requests++
      response.end(name)
    }),
    { requests: 0 },
  )
  return app
}

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
  const moved = await httpApp(t, (_, response) => response.end('moved'))
  const [sameName] = routes('one', [app]).backends
  if (sameName === undefined) throw new Error('no backend')
  await publish(u.router, {
    ...routes('one', []),
    backends: [{ ...sameName, address: moved.address, port: moved.port }],
  })
  t.equal((await ask({ port: u.httpPort, host: 'one.localhost' })).body, 'moved', 'a dyno may get another address')
})

t.test('with the control plane dead, HAProxy comes back with the last table and drops dead dynos', async (t) => {
  const u = await routerUnderTest(t)
  await u.start()
  const dynos = await Promise.all(Array.from({ length: 3 }, () => countingApp(t, 'one')))
  await publish(u.router, routes('one', dynos), routes('two', [], 'maintenance'))
  await u.kill()
  t.equal((await u.router.health()).up, false)
  t.equal(await u.router.inFlight('id-one', backendName(1, dynos[0]?.port ?? 0)), 0)
  await u.start()
  t.equal((await ask({ port: u.httpPort, host: 'one.localhost' })).body, 'one')
  t.equal((await ask({ port: u.httpPort, host: 'two.localhost' })).status, 503)

  const running = load(u.httpPort, 'one.localhost', { expect: 'one', pauseMs: () => 1 })
  await until('all dynos serve', () => dynos.every((dyno) => dyno.requests > 10))
  await dynos[0]?.close()
  const served = running.served()
  await until('the others carry on', () => running.served() > served + 500)
  await running.stop()
  t.strictSame(running.failures, [], 'a refused connection goes to another dyno')
})

t.test('a table published while HAProxy is down is there when it comes up', async (t) => {
  const u = await routerUnderTest(t)
  const one = await httpApp(t, (_, response) => response.end('one'))
  const two = await httpApp(t, (_, response) => response.end('two'))
  await publish(u.router, routes('one', [one]))
  await u.start()
  t.equal((await ask({ port: u.httpPort, host: 'one.localhost' })).body, 'one')
  await u.kill()
  await publish(u.router, routes('two', [two]))
  await u.start()
  t.equal((await ask({ port: u.httpPort, host: 'two.localhost' })).body, 'two')
  t.equal((await ask({ port: u.httpPort, host: 'one.localhost' })).status, 404)
  await u.router.housekeep()
  await publish(u.router, routes('two', [one]))
  t.equal((await ask({ port: u.httpPort, host: 'two.localhost' })).body, 'one', 'and changes go on from there')
})

t.test('a new control plane finds the table and puts right what differs', async (t) => {
  const u = await routerUnderTest(t)
  await u.start()
  const one = await httpApp(t, (_, response) => response.end('one'))
  const two = await httpApp(t, (_, response) => response.end('two'))
  await publish(u.router, routes('one', [one]), routes('two', [two]))
  const tell = (text: string) => command(`${u.options.dir}/run/admin.sock`, text)
  await tell(`del map ${u.options.dir}/maps/hosts.map two.localhost`)
  await tell(`set map ${u.options.dir}/maps/hosts.map one.localhost slot_1`)
  await tell(`set map ${u.options.dir}/maps/slots.map slot_1 crashed:x:y`)
  await tell(`set server slot_0/${backendName(1, one.port)} state maint`)
  await tell('add server slot_0/web.9_stray 127.0.0.1:9')
  const router = u.another()
  await router.prepare()
  t.strictSame(router.current(), u.router.current())
  await router.resync()
  t.equal((await ask({ port: u.httpPort, host: 'one.localhost' })).body, 'one')
  t.equal((await ask({ port: u.httpPort, host: 'two.localhost' })).body, 'two')
  await router.housekeep()
  t.notMatch(await tell('show servers state'), /stray/)
  await t.rejects(router.publish({ version: 0, apps: [] }), { name: 'RouterError', kind: 'stale' })
  // The number that is published, with other routes.
  await t.rejects(router.publish({ version: 1, apps: [] }), { name: 'RouterError', kind: 'stale' })
})

// Goal: wherever a control plane dies in a publish, requests go on, and the next one ends with the newest table.
// Method: another process publishes a table that moves, adds and removes apps (and one that needs a reload) and dies at
// one failpoint; the load must not notice, and a new control plane must find and finish what was begun.
t.test('a control plane may die anywhere in a publish', async (t) => {
  const failpoints = ['before-files', 'files-written', 'before-commands', 'between-commands', 'settled']
  const u = await routerUnderTest(t, { slots: 8, slotRestMs: 1 })
  await u.start()
  const app = await httpApp(t, (_, response) => response.end('one'))
  const other = await httpApp(t, (_, response) => response.end('two'))
  await publish(u.router, routes('one', [app]))
  const running = load(u.httpPort, 'one.localhost', { expect: 'one', pauseMs: () => 2 })
  let version = 1
  const dieAt = async (failpoint: string, apps: AppRoutes[]) => {
    version++
    const script = path.join(import.meta.dirname, `publish-once${path.extname(import.meta.filename)}`)
    const loader = script.endsWith('.ts') ? ['--import', 'tsx'] : []
    const child = spawn(process.execPath, [...loader, script, JSON.stringify(u.options), `publish.${failpoint}`], {
      stdio: ['pipe', 'inherit', 'inherit'],
    })
    child.stdin.end(JSON.stringify({ version, apps }))
    const [, signal] = await once(child, 'exit')
    t.equal(signal, 'SIGKILL', `died at ${failpoint}`)
    const next = u.another()
    await next.prepare()
    await next.resync()
    const published = next.current().version === version
    t.equal(
      published,
      failpoint !== 'before-files',
      `${failpoint}: the table is ${published ? 'the newest' : 'the former'}`,
    )
    version = Math.max(version, next.current().version)
    await next.publish({ version: ++version, apps })
    for (const { hosts } of apps) {
      const answer = await ask({ port: u.httpPort, host: hosts[0] ?? '' })
      t.equal(answer.status, 200, `${failpoint}: ${hosts[0]} answers`)
    }
  }
  for (const [i, failpoint] of failpoints.entries())
    await dieAt(failpoint, [
      routes('one', i % 2 ? [app] : [app, await httpApp(t, (_, r) => r.end('one'))]),
      routes(`new-${i}`, [other]),
    ])
  const many = (name: string) => Array.from({ length: 9 }, (_, i) => routes(`${name}-${i}`, [other]))
  await dieAt('before-reload', [routes('one', [app]), ...many('a')])
  await dieAt('reloaded', [routes('one', [app]), ...many('b'), ...many('c')])
  await running.stop()
  t.strictSame(running.failures, [])
})

t.test('a certificate made anew is shown without a reload', async (t) => {
  const u = await routerUnderTest(t)
  await u.start()
  await publish(u.router, routes('one', [], 'booting'))
  const serial = () =>
    new Promise<string>((resolve, reject) => {
      const socket = tls.connect(
        { port: u.httpsPort, host: '127.0.0.1', servername: 'one.localhost', rejectUnauthorized: false },
        () => {
          resolve(socket.getPeerCertificate().serialNumber)
          socket.destroy()
        },
      )
      socket.on('error', reject)
    })
  const before = await serial()
  const { dir, caDir, instance } = u.options
  const paths = routerPaths(dir)
  const certificates = createCertificates(caDir, paths.certsDir, instance)
  t.strictSame(await certificates.ensure(['one.localhost'], new Date(Date.now() + 380 * 86_400_000)), ['one.localhost'])
  const memory = createMemory(paths)
  await memory.recall()
  await renewCertificate(
    'one.localhost',
    {
      layout: layoutOf(emptyPlacement(1), 'localhost'),
      mark: '',
      fileOf: certificates.fileOf,
      certificatePem: (host) => readFile(certificates.fileOf(host), 'utf8'),
    },
    memory,
    paths,
  )
  t.not(await serial(), before)
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
