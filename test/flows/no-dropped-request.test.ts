// Goal: no request is dropped, doubled or misled, whatever an app goes through: deploys, rollbacks, config changes, scaling,
// restarts, the death of the control plane, reloads of the router.
// Method: two apps under load from processes of their own: new, pooled and kept connections, https, HTTP/2, orders that must
// arrive exactly once, slow requests, streams, websockets. The long version is in test/soak.
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { Changes } from '../support/load/changes.js'
import { startLoad } from '../support/load/load.js'
import { keepOrderBook } from '../support/load/order-book.js'
import { failureCounts, printTally } from '../support/load/tally.js'
import { startWorld, until, type World } from '../support/world.js'

t.setTimeout(600_000)

let world: World
t.before(async () => {
  world = await startWorld({ env: { PAAS_ROUTER_SLOTS: '2' } })
})
t.teardown(() => world.stop())

t.test('no request is dropped, doubled or misled while the app is changed in every way', async (t) => {
  const repo = await world.checkout('load', 'busy')
  const besides = await world.checkout('load', 'rude')
  await world.paas(['config:set', 'RUDE=1', '--app', 'rude'])
  for (const each of [repo, besides]) {
    const pushed = await world.push(each)
    if (pushed.code !== 0) throw new Error(pushed.output)
  }
  const book = keepOrderBook(world, ['busy', 'rude'])
  const busy = await startLoad(world, 'busy', { perSecond: 30, clients: 8, slowMs: 25_000, open: 3 })
  const rude = await startLoad(world, 'rude', { perSecond: 4, clients: 1, slowMs: 25_000, open: 1 })
  const changes = new Changes(world, 'busy', repo, [busy])
  await changes.scale(2)
  await changes.deploy()
  await changes.config()
  await changes.deploy()
  await changes.rollback()
  await changes.growSlots()
  await changes.restart()
  await changes.killControlPlane(2_000)
  await changes.deploy()
  await changes.reloadRouter()
  await changes.scale(1)
  // It has served for longer than it has time to drain, and it ends at once when it is told to.
  await new Changes(world, 'rude', besides, [rude]).restart()
  // What the old process of the router is passing on counts too.
  await changes.reloadRouter()
  const [tally, calm] = await Promise.all([busy.stop(), rude.stop()])
  for (const line of [...printTally(tally), ...changes.journal.map((e) => `${e.at % 1_000_000} ${e.what}`)])
    t.comment(line)
  for (const failure of tally.failures.slice(0, 20))
    t.comment(`${failure.at % 1_000_000} ${failure.kind}: ${failure.what}`)
  t.strictSame(failureCounts(tally), [], 'nothing failed')
  t.strictSame(failureCounts(calm), [], 'nor at an app that does not wait for its requests')
  t.ok(tally.reused > 100, 'connections were used again')
  t.ok(Object.keys(tally.releases).length >= 5, 'by one release after the other')
  t.strictSame(
    Object.keys(tally.socketEnds).filter((code) => code !== '1001'),
    [],
    'websockets end as the app ends them',
  )
  const placed = { busy: tally.orders, rude: calm.orders }
  t.strictSame(await book.close(placed), [], 'each order arrived exactly once')
})

t.test(
  'a dyno that dies while the control plane is dead is left out by the router itself within five seconds',
  async (t) => {
    await world.paas(['ps:scale', 'web=2', '--app', 'busy'])
    const { id } = await world.api<{ id: string }>('GET', '/apps/busy')
    const dynos = await until('two dynos that answer', async () => {
      const names = await Promise.all(
        Array.from({ length: 20 }, async () => (await world.get('busy')).headers['x-dyno']),
      )
      const all = await world.engine.listContainers({ 'paas.app': id, 'paas.kind': 'dyno' })
      return new Set(names).size === 2 && all.filter((c) => c.state === 'running')
    })
    await world.endControlPlane('SIGKILL')
    const dead = dynos.find((c) => c.labels['paas.dyno'] === 'web.2')
    const asked: Promise<{ after: number; ms: number; status: number }>[] = []
    const killed = Date.now()
    await world.engine.killContainer(dead?.id ?? '', 'SIGKILL')
    for (let n = 0; n < 160; n++) {
      const begun = Date.now()
      const answer = world.get('busy').then(
        ({ status }) => ({ after: begun - killed, ms: Date.now() - begun, status }),
        () => ({ after: begun - killed, ms: Date.now() - begun, status: 0 }),
      )
      asked.push(answer)
      await wait(50)
    }
    const answers = await Promise.all(asked)
    const late = answers.filter(({ after, ms }) => after > 5_000 && ms > 1_000)
    t.comment(
      `slowest ${Math.max(...answers.map(({ ms }) => ms))} ms; slow until ${Math.max(0, ...answers.filter(({ ms }) => ms > 1_000).map(({ after }) => after))} ms`,
    )
    t.strictSame(
      answers.filter(({ status }) => status !== 200),
      [],
      'others answer for it meanwhile',
    )
    t.strictSame(late, [], 'then nobody waits for it')
    await world.startControlPlane()
  },
)
