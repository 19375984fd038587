/** Control planes and HAProxy dying, coming back and finding each other: requests go on with the newest table. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
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
import { ask, backendName, countingApp, httpApp, load, publish, routes } from './backends.js'
import { routerUnderTest, until } from './haproxy-container.js'

t.setTimeout(180_000)

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

/** By `srv_check_state` of HAProxy's `show servers state`: 4 is enabled, 8 paused. */
function isChecked(state: string): boolean {
  const [, names = '', row = ''] = state.split('\n')
  const check = Number(row.split(' ')[names.slice(2).split(' ').indexOf('srv_check_state')])
  return (check & 12) === 4
}

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
  await tell(
    `set server slot_1/${backendName(1, two.port)} state maint; disable health slot_1/${backendName(1, two.port)}`,
  )
  t.notOk(isChecked(await tell('show servers state slot_1')))
  const router = u.another()
  await router.prepare()
  t.strictSame(router.current(), u.router.current())
  await router.resync()
  t.equal((await ask({ port: u.httpPort, host: 'one.localhost' })).body, 'one')
  t.equal((await ask({ port: u.httpPort, host: 'two.localhost' })).body, 'two')
  t.ok(isChecked(await tell('show servers state slot_1')), 'a server that was left half-made is checked as any other')
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
      certificates: new Map([[certificates.fileOf('one.localhost'), 'one.localhost']]),
      certificatePem: (host) => readFile(certificates.fileOf(host), 'utf8'),
    },
    memory,
    paths,
  )
  t.not(await serial(), before)
})

t.test('a request in flight is counted at every moment of a reload, whoever asked for it', async (t) => {
  const u = await routerUnderTest(t, { firstByteTimeoutMs: 20_000 })
  await u.start()
  let finish = () => {}
  const slow = await httpApp(t, (_, response) => {
    finish = () => response.end('slow')
  })
  await publish(u.router, routes('one', [slow]))
  const name = backendName(1, slow.port)
  const long = ask({ port: u.httpPort, host: 'one.localhost' })
  await until('it runs', async () => (await u.router.inFlight('id-one', name)) === 1)
  const next = u.another()
  await next.prepare()
  const counts = new Set<number>()
  let asked = 0
  let isOver = false
  const asking = [u.router, next].map(async (router) => {
    while (!isOver) {
      counts.add(await router.inFlight('id-one', name))
      asked++
    }
  })
  const reload = () => command(`${u.options.dir}/run/master.sock`, 'reload', 30_000).catch(() => '')
  // The master takes no connection while it starts anew itself.
  for (let n = 0; n < 3; n++) await until('a reload', async () => (await reload()).startsWith('Success=1'))
  const before = asked
  await until('it is asked after the reloads too', () => asked > before + 20)
  isOver = true
  await Promise.all(asking)
  // Counted twice where it moves from one answer to the other; never not at all.
  t.ok(
    [...counts].every((n) => n === 1 || n === 2),
    [...counts].join(),
  )
  finish()
  t.match(await long, { status: 200, body: 'slow' })
  await until('it is over', async () => (await next.inFlight('id-one', name)) === 0)
})
