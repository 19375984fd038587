// Goal: an add-on ends up as its rows say, whatever happened to its server, its networks and its data.
// Method: one world on a real engine; apps are containers in their private networks that run psql.
import { mkdir, rename, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { appLinkName, appNetworkName, ensureAppNetworks } from '../../server/addons/app-network.js'
import type { AddOn } from '../../server/model/add-on.js'
import type { App } from '../../server/model/app.js'
import { markAddOnDestroyed, removeAttachment } from '../../server/store/add-ons.js'
import { markAppDestroyed, removeApp } from '../../server/store/apps.js'
import { waitFor } from '../support/database.js'
import { postgresImage, startWorld } from './world.js'
import { probeRights } from '../support/profile.js'

t.setTimeout(240_000)
const world = await startWorld(t, { instance: 'pgloop', subnets: '10.128.0.0/12' })
const { db, engine } = world
const loop = world.makeLoop()
const owner = await world.makeApp('owner')
const addOn = await world.makeAddOn(owner)
const url = await world.urlOf(addOn)
await loop.pass()
const probe = await world.probeIn(owner)
await probe.psql(url, 'CREATE TABLE kept (i int); INSERT INTO kept VALUES (7)')

const serverOf = (of: AddOn) => engine.findContainer(`pgloop-pg-${of.id}`)

/** A psql session that stays, in an app's network: its process ends when the server ends the session. */
async function openSession(app: App) {
  const name = `pgloop-session-${app.name}`
  await engine.removeContainer(name, { force: true })
  const id = await engine.createContainer({
    name,
    image: postgresImage,
    command: ['psql', '-X', '-At', '-c', "SET application_name = 'session'", '-c', 'SELECT pg_sleep(600)', url],
    labels: { 'paas.instance': 'pgloop', 'paas.kind': 'probe' },
    network: [{ network: `pgloop-app-${app.networkIndex}` }],
    ...probeRights,
  })
  await engine.startContainer(id)
  return { isRunning: async () => (await engine.findContainer(id))?.state === 'running' }
}

t.test('a pass over what is well does nothing', async (t) => {
  const before = await serverOf(addOn)
  world.changed.length = 0
  await loop.pass()
  const after = await serverOf(addOn)
  t.equal(after?.id, before?.id)
  t.same(after?.startedAt, before?.startedAt)
  t.same(world.changed, [])
})

t.test('two apps attach; a third cannot reach it; detaching closes the path and ends the sessions', async (t) => {
  const guest = await world.makeApp('guest')
  const stranger = await world.makeApp('stranger')
  const attachment = await world.attach(addOn, guest)
  await world.makeAddOn(stranger)
  await loop.pass()
  const guestProbe = await world.probeIn(guest)
  const strangerProbe = await world.probeIn(stranger)
  t.match(await guestProbe.psql(url, 'SELECT i FROM kept'), { ok: true, out: '7' })

  const addresses = Object.values((await serverOf(addOn))?.addresses ?? {})
  t.equal(addresses.length, 4, 'on the network of each app, and on its link')
  for (const host of [addOn.name, ...addresses])
    t.match(await strangerProbe.psql(url.replace(addOn.name, host), 'SELECT 1'), { ok: false }, `a stranger at ${host}`)

  const [ownerSession, guestSession] = [await openSession(owner), await openSession(guest)]
  await waitFor('both sessions', async () => {
    const found = await probe.psql(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'session'")
    return found.out === '2' ? true : undefined
  })
  const guestAddress = (await serverOf(addOn))?.addresses[`pgloop-app-${guest.networkIndex}`] ?? ''
  await removeAttachment(db, attachment)
  const since = Date.now()
  await loop.pass()
  await waitFor('the session to end', async () => ((await guestSession.isRunning()) ? undefined : true), 5_000)
  t.comment(`closed after ${Date.now() - since} ms`)
  t.match(await guestProbe.psql(url.replace(addOn.name, guestAddress), 'SELECT 1'), { ok: false })
  t.match(await guestProbe.psql(url, 'SELECT 1'), { ok: false, out: /could not translate host name/ })
  t.ok(await ownerSession.isRunning(), "the other app's session goes on")
  t.match(
    await probe.psql(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'session'"),
    { ok: true, out: '1' },
    'nothing lingers in the server',
  )
  await engine.removeContainer('pgloop-session-owner', { force: true })
})

t.test('a server that somebody removed, stopped or took off its network comes back with its data', async (t) => {
  const intact = async (what: string) => {
    await loop.pass()
    t.match(await probe.psql(url, 'SELECT i FROM kept'), { ok: true, out: '7' }, what)
  }
  await engine.removeContainer((await serverOf(addOn))?.id ?? '', { force: true })
  await intact('removed')
  await engine.stopContainer((await serverOf(addOn))?.id ?? '', 30)
  await intact('stopped')
  for (const nameOf of [appNetworkName, appLinkName]) {
    await engine.disconnectNetwork(nameOf(world.config, owner.networkIndex ?? -1), (await serverOf(addOn))?.id ?? '')
    await intact('disconnected')
  }
  await engine.pauseContainer((await serverOf(addOn))?.id ?? '')
  await intact('paused')
})

t.test('an add-on attached to nothing runs without a network, and comes back with one', async (t) => {
  const [attachment] = await db.query<{ id: string }>('SELECT id FROM attachments WHERE add_on_id = $1', [addOn.id])
  await removeAttachment(db, attachment?.id ?? '')
  await loop.pass()
  t.same(Object.keys((await serverOf(addOn))?.addresses ?? {}), ['none'])
  t.match(await probe.psql(url, 'SELECT 1'), { ok: false })
  await world.attach(addOn, owner)
  await loop.pass()
  const found = await waitFor('its way to be open', async () => {
    const answer = await probe.psql(url, 'SELECT i FROM kept')
    return answer.ok ? answer : undefined
  })
  t.equal(found.out, '7')
})

t.test('data that is gone is not replaced by an empty database', async (t) => {
  await engine.removeContainer((await serverOf(addOn))?.id ?? '', { force: true })
  const data = world.folderOf(addOn, 'data')
  await rename(data, `${data}.aside`)
  world.warnings.length = 0
  await loop.pass()
  t.match(world.warnings.join(), /is gone/)
  t.notOk(await serverOf(addOn))
  t.match(await loop.describe((await world.addOnNow(addOn.id)) ?? addOn), [
    {},
    { name: 'Status', values: ['Unavailable'] },
  ])
  await rename(`${data}.aside`, data)
  const fresh = world.makeLoop()
  await fresh.pass()
  t.match(await probe.psql(url, 'SELECT i FROM kept'), { ok: true, out: '7' })
})

t.test('a failure is in the row in words and is tried again; other add-ons are not held up', async (t) => {
  const app = await world.makeApp('unlucky')
  const failing = await world.makeAddOn(app)
  const obstacle = world.folderOf(failing, 'data')
  await mkdir(obstacle, { recursive: true })
  await writeFile(path.join(obstacle, 'notes.txt'), 'not a database')
  const lucky = await world.makeAddOn(await world.makeApp('lucky'))
  await loop.pass()
  t.match((await world.addOnNow(failing.id))?.failure, /there is no database in it/)
  t.equal((await world.addOnNow(failing.id))?.state, 'provisioning')
  t.equal((await world.addOnNow(lucky.id))?.state, 'provisioned')
  await rename(obstacle, `${obstacle}.aside`)
  await waitFor('the next try', async () => {
    await loop.pass()
    return (await world.addOnNow(failing.id))?.state === 'provisioned' ? true : undefined
  })
  t.equal((await world.addOnNow(failing.id))?.failure, undefined)
  for (const done of [failing, lucky]) await markAddOnDestroyed(db, done.id)
  await loop.pass()
})

t.test(
  'a destroyed database ends at once, keeps its data for the retention time, then goes with its row',
  async (t) => {
    await markAddOnDestroyed(db, addOn.id)
    await loop.pass()
    t.notOk(await serverOf(addOn))
    t.match(await probe.psql(url, 'SELECT 1'), { ok: false })
    const justBefore = world.makeLoop({ now: () => new Date(Date.now() + world.config.postgres.retentionMs - 60_000) })
    await justBefore.pass()
    t.ok(await world.addOnNow(addOn.id))
    t.ok((await stat(world.folderOf(addOn, 'data', 'PG_VERSION'))).isFile())
    const after = world.makeLoop({ now: () => new Date(Date.now() + world.config.postgres.retentionMs + 1_000) })
    await after.pass()
    t.notOk(await world.addOnNow(addOn.id))
    await t.rejects(stat(world.folderOf(addOn)), { code: 'ENOENT' })
  },
)

t.test(
  'what runs for no row is removed; data without a row is kept and named; a dead app loses its network',
  async (t) => {
    const id = '00000000-0000-4000-8000-00000000dead'
    const data = world.folderOf({ ...addOn, id }, 'data')
    await mkdir(data, { recursive: true })
    const image = postgresImage
    const labels = { 'paas.instance': 'pgloop', 'paas.kind': 'add-on', 'paas.add-on': id }
    const orphan = await engine.createContainer({
      name: `pgloop-pg-${id}`,
      image,
      labels,
      network: 'none',
      readOnlyRoot: true,
      restart: 'always',
      ...probeRights,
    })
    const app = await world.makeApp('short-lived')
    const brief = await world.makeAddOn(app)
    await loop.pass()
    t.notOk(await engine.findContainer(orphan))
    t.ok((await stat(data)).isDirectory())
    t.match(world.warnings.join(), new RegExp(id))

    const networks = [appNetworkName, appLinkName].map((nameOf) => nameOf(world.config, app.networkIndex ?? -1))
    for (const network of networks) t.ok(await engine.findNetwork(network), network)
    await db.query('DELETE FROM attachments WHERE app_id = $1', [app.id])
    await markAddOnDestroyed(db, brief.id)
    await markAppDestroyed(db, app.id)
    await removeApp(db, app.id)
    await loop.pass()
    for (const network of networks) t.notOk(await engine.findNetwork(network), network)
  },
)

t.test('a private network that an earlier app left is not given to the next one', async (t) => {
  const networksOf = async (id: string) =>
    (await ensureAppNetworks(engine, world.config, { id, networkIndex: 900 })).own
  const first = await networksOf('aaaa')
  t.equal((await networksOf('aaaa')).id, first.id)
  const image = postgresImage
  const left = await engine.createContainer({
    name: 'pgloop-left',
    image,
    command: ['sleep', '60'],
    labels: { 'paas.instance': 'pgloop', 'paas.kind': 'probe' },
    network: [{ network: first.name }],
    init: true,
    ...probeRights,
  })
  await engine.startContainer(left)
  await t.rejects(networksOf('bbbb'))
  await engine.removeContainer(left, { force: true })
  const both = await Promise.all([1, 2].map(() => networksOf('bbbb')))
  t.equal(both[0]?.labels['paas.app'], 'bbbb')
  t.equal(both[0]?.id, both[1]?.id)
  t.not(both[0]?.id, first.id)
  t.equal(both[0]?.subnet, '10.133.132.0/24')
})

t.test(
  'where the kernel has no macvlan, and wherever one is there already, the private network is a bridge',
  async (t) => {
    const app = { id: 'cccc', networkIndex: 901 }
    const made = await ensureAppNetworks(engine, world.config, app, async () => false)
    t.match(made, { own: { subnet: '10.133.133.0/24', parent: undefined }, link: undefined })
    t.notOk(await engine.findNetwork(appLinkName(world.config, 901)), 'no link is left')
    const again = await ensureAppNetworks(engine, world.config, app, async () => true)
    t.same(again, { own: made.own, link: undefined }, 'it stays what it is')
  },
)

t.test('one that lies on its link stays so, whatever a later look at the kernel says', async (t) => {
  const app = { id: 'dddd', networkIndex: 902 }
  const made = await ensureAppNetworks(engine, world.config, app)
  t.type(made.own.parent, 'string')
  t.same(await ensureAppNetworks(engine, world.config, app, async () => false), made)
})

t.test('started, it passes when nudged and by itself, and stop ends it', async () => {
  const running = world.makeLoop()
  running.start()
  const later = await world.makeAddOn(await world.makeApp('later'))
  running.nudge()
  await waitFor('the nudged pass', async () =>
    (await world.addOnNow(later.id))?.state === 'provisioned' ? true : undefined,
  )
  await running.stop()
})
