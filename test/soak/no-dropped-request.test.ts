// Goal: the same promise as test/flows/no-dropped-request.test.ts, at length: 20 deploys, 5 rollbacks, 5 config changes,
// scaling, restarts, dead control planes and reloads, for three kinds of apps at once. The result is in docs/reliability.md.
// Method: an app that ends politely, one that is gone at once when told to stop, and one behind gunicorn, which closes idle
// connections after two seconds; each under load from a process of its own, each changed while the others are.
import t, { type Test } from 'tap'
import { Changes } from '../support/load/changes.js'
import type { Rates } from '../support/load/client.js'
import { type Load, startLoad } from '../support/load/load.js'
import { keepOrderBook } from '../support/load/order-book.js'
import { failureCounts, printTally, type Tally } from '../support/load/tally.js'
import { startWorld, until, type World } from '../support/world.js'

t.setTimeout(3_600_000)

/** Each is four deploys, a rollback, a config change, scaling and a restart of an app, a dead control plane and a reload. */
const rounds = Number(process.env.PAAS_SOAK_ROUNDS ?? 5)

let world: World
t.before(async () => {
  world = await startWorld({ env: { PAAS_ROUTER_SLOTS: '4' } })
})
t.teardown(() => world.stop())

interface Subject {
  readonly load: Load
  readonly changes: Changes
}

async function begin(app: string, fixture: string, rates: Rates, vars: readonly string[] = []): Promise<Subject> {
  const repo = await world.checkout(fixture, app)
  if (vars.length > 0) await world.paas(['config:set', ...vars, '--app', app])
  const pushed = await world.push(repo)
  if (pushed.code !== 0) throw new Error(pushed.output)
  await world.paas(['ps:scale', 'web=2', '--app', app])
  const load = await startLoad(world, app, rates)
  return { load, changes: new Changes(world, app, repo, [load]) }
}

/** One round of what happens to an app: four deploys, and everything else once. */
async function round({ changes }: Subject): Promise<void> {
  await changes.deploy()
  await changes.config()
  await changes.deploy()
  await changes.rollback()
  await changes.scale(3)
  await changes.deploy()
  await changes.restart()
  await changes.scale(2)
  await changes.deploy()
}

function report(t: Test, app: string, subject: Subject, tally: Tally): void {
  for (const line of printTally(tally)) t.comment(`${app}: ${line}`)
  if (tally.failures.length === 0) return
  for (const { at, what } of subject.changes.journal) t.comment(`${app} ${new Date(at).toISOString()} ${what}`)
  for (const { at, kind, what } of tally.failures.slice(0, 50))
    t.comment(`${app} ${new Date(at).toISOString()} ${kind}: ${what}`)
}

t.test('no request is dropped, doubled or misled while three apps are changed in every way', async (t) => {
  const rates = { perSecond: 12, clients: 12, slowMs: 25_000, open: 4 }
  const polite = await begin('polite', 'load', rates)
  const rude = await begin('rude', 'load', { ...rates, perSecond: 6 }, ['RUDE=1'])
  const python = await begin('gunicorn', 'load-gunicorn', { ...rates, perSecond: 6, withoutWebsockets: true })
  const book = keepOrderBook(world, ['polite', 'rude', 'gunicorn'])
  const subjects = { polite, rude, gunicorn: python }
  for (let n = 0; n < rounds; n++) {
    await Promise.all([round(polite), n % 2 === 0 ? round(rude) : round(python)])
    await polite.changes.killControlPlane(5_000)
    await polite.changes.reloadRouter()
    if (n < 3) await polite.changes.growSlots()
  }
  const tallies = await Promise.all(
    Object.entries(subjects).map(async ([app, subject]) => ({ app, subject, tally: await subject.load.stop() })),
  )
  for (const { app, subject, tally } of tallies) {
    report(t, app, subject, tally)
    t.strictSame(failureCounts(tally), [], `${app}: nothing failed`)
    t.ok(tally.reused > 1_000, `${app}: connections were used again`)
  }
  const placed = Object.fromEntries(tallies.map(({ app, tally }) => [app, tally.orders]))
  const count = Object.values(placed).flat().length
  t.strictSame(await book.close(placed), [], `each of ${count} orders arrived exactly once`)
  t.strictSame(
    Object.keys(tallies[0]?.tally.socketEnds ?? {}),
    ['1001'],
    'websockets of the polite app end as the app ends them',
  )
})

t.test('the same load sees what the death of a dyno costs', async (t) => {
  const repo = await world.checkout('load', 'mortal')
  t.equal((await world.push(repo)).code, 0)
  const load = await startLoad(world, 'mortal', { perSecond: 20, clients: 5, slowMs: 3_000, open: 2 })
  const dyno = await until('its dyno', async () => {
    const all = await world.engine.listContainers({ 'paas.instance': world.config.instance, 'paas.kind': 'dyno' })
    const { id } = await world.api<{ id: string }>('GET', '/apps/mortal')
    return all.find((c) => c.labels['paas.app'] === id)
  })
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  await world.engine.killContainer(dyno.id, 'SIGKILL')
  await until('another dyno', async () => (await world.get('mortal')).status === 200)
  const tally = await load.stop()
  for (const line of failureCounts(tally)) t.comment(line)
  for (const kind of ['new connections', 'slow requests', 'streams'] as const)
    t.ok(
      tally.failures.some((failure) => failure.kind === kind),
      `${kind} failed`,
    )
})
