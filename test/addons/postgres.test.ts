// Goal: a database add-on is what its row says, for good and for bad.
// Method: one world with a real engine; apps are containers in their private networks that run psql.
import { once } from 'node:events'
import { mkdir, rename, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import t, { type Test as Tap } from 'tap'
import { ensureAppNetwork } from '../../server/addons/app-network.js'
import type { AddOn } from '../../server/model/add-on.js'
import type { App } from '../../server/model/app.js'
import { subnetPlan } from '../../server/model/subnets.js'
import { markAddOnDestroyed, readAddOnSecrets, removeAttachment } from '../../server/store/add-ons.js'
import { markAppDestroyed, removeApp } from '../../server/store/apps.js'
import { waitFor } from '../support/database.js'
import { attacks } from './attacks.js'
import { type Probe, startWorld } from './world.js'

t.setTimeout(240_000)
const world = await startWorld(t, { instance: 'pgtest', subnets: '10.96.0.0/12' })
const { db, engine } = world
const loop = world.makeLoop()

const owner: App = await world.makeApp('owner')
let addOn: AddOn
let url: string
let probe: Probe

const serverOf = async (of: AddOn) => engine.findContainer(`pgtest-pg-${of.id}`)

async function provisioned(of: AddOn): Promise<number> {
  const since = Date.now()
  const pass = loop.pass()
  const took = await waitFor('the add-on to be provisioned', async () => {
    const now = await world.addOnNow(of.id)
    if (now?.failure !== undefined) throw new Error(now.failure)
    return now?.state === 'provisioned' ? Date.now() - since : undefined
  })
  await pass
  return took
}

/** A psql session that stays, in an app's network: its process ends when the server ends the session. */
async function openSession(app: App) {
  const name = `pgtest-session-${app.name}`
  await engine.removeContainer(name, { force: true })
  const id = await engine.createContainer({
    name,
    image: (await engine.findContainer(`pgtest-probe-${app.name}`))?.image ?? '',
    command: ['psql', '-X', '-At', '-c', "SET application_name = 'session'", '-c', 'SELECT pg_sleep(600)', url],
    labels: { 'paas.instance': 'pgtest', 'paas.kind': 'probe' },
    network: [{ network: `pgtest-app-${app.networkIndex}` }],
  })
  await engine.startContainer(id)
  return { isRunning: async () => (await engine.findContainer(id))?.state === 'running' }
}

/** A listener on every address of this machine is reached at none of them from within the container. */
async function cannotReachTheHost(t: Tap, containerId: string) {
  const listener = createServer((socket) => socket.end()).listen(0, '0.0.0.0')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const gateway = subnetPlan(world.config.subnets)
    .appNetwork(owner.networkIndex ?? 0)
    .replace('.0/24', '.1')
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((a) => a.family === 'IPv4' && !a.internal)
    .map((a) => a.address)
  for (const address of [...addresses, gateway]) {
    const script = 'exec 3<>/dev/tcp/$0/$1'
    const command = ['timeout', '1', 'bash', '-c', script, address, String(port)]
    t.not((await engine.run(containerId, { command })).exitCode, 0, `no way to ${address}`)
  }
  listener.close()
}

t.test('a database comes from a spare, and a new spare is made', async (t) => {
  await loop.pass()
  addOn = await world.makeAddOn(owner)
  url = await world.urlOf(addOn)
  const took = await provisioned(addOn)
  t.comment(`ready ${took} ms after its row`)
  t.same(world.changed, [owner.id], 'its app is told')
  probe = await world.probeIn(owner)
  const answer = await probe.psql(url, 'CREATE TABLE kept (i int); INSERT INTO kept VALUES (7); SHOW server_version')
  t.match(answer, { ok: true, out: /17\./ })
  t.same(world.warnings, [])
})

t.test('a pass over what is well does nothing', async (t) => {
  const before = await serverOf(addOn)
  world.changed.length = 0
  await loop.pass()
  const after = await serverOf(addOn)
  t.equal(after?.id, before?.id)
  t.same(after?.startedAt, before?.startedAt)
  t.same(world.changed, [])
})

t.test('its container has no rights, no way out, and the limits of its plan', async (t) => {
  const server = await serverOf(addOn)
  const raw = server?.raw as { HostConfig: Record<string, unknown>; Config: { User: string } }
  t.match(raw.HostConfig, {
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges'],
    ReadonlyRootfs: true,
    Privileged: false,
    Memory: 512 * 1024 ** 2,
    MemorySwap: 512 * 1024 ** 2,
    NanoCpus: 1e9,
    PidsLimit: 104,
    RestartPolicy: { Name: 'unless-stopped' },
  })
  t.equal(raw.Config.User, '999:999')
  t.same(Object.keys((raw.HostConfig.PortBindings as object | null) ?? {}), [], 'no port is published')
  const status = await engine.run(server?.id ?? '', { command: ['cat', '/proc/1/status'] })
  t.match(status.stdout, /^CapEff:\t0+$/m)
  t.match(status.stdout, /^NoNewPrivs:\t1$/m)
  await cannotReachTheHost(t, server?.id ?? '')
  const usage = await engine.usage(server?.id ?? '')
  t.comment(`${Math.round(usage.memoryBytes / 1024 ** 2)} MB for an idle database`)
  t.ok(usage.memoryBytes < 40 * 1024 ** 2)
})

t.test('clients get plain connections and TLS alike, with the password only', async (t) => {
  const tls = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
  for (const [mode, encrypted] of [
    ['disable', 'f'],
    ['prefer', 't'],
    ['require', 't'],
  ] as const)
    t.match(await probe.psql(`${url}?sslmode=${mode}`, tls), { ok: true, out: encrypted }, mode)
  t.match(await probe.psql(url, tls, { PGSSLMODE: 'disable' }), { ok: true, out: 'f' }, 'told by the environment')
  const secrets = await readAddOnSecrets(db, addOn.id)
  const at = (user: string, database: string, password = secrets.password) =>
    `postgres://${user}:${password}@${addOn.name}:5432/${database}`
  for (const mode of ['disable', 'require'])
    t.match(
      await probe.psql(`${at(secrets.user ?? '', secrets.database ?? '', 'wrong')}?sslmode=${mode}`, 'SELECT 1'),
      {
        ok: false,
        out: /password authentication failed/,
      },
    )
  for (const [user, database] of [
    ['postgres', secrets.database],
    ['postgres', 'postgres'],
    [secrets.user, 'postgres'],
    [secrets.user, 'template1'],
    ['paas_spare', secrets.database],
  ])
    t.match(await probe.psql(at(user ?? '', database ?? ''), 'SELECT 1'), { ok: false, out: /no pg_hba.conf entry/ })
  t.match(await probe.psql(`${url}?replication=database`, 'IDENTIFY_SYSTEM'), { ok: false })
})

t.test('the tenant gets none of the rights it was not given', async (t) => {
  const secrets = await readAddOnSecrets(db, addOn.id)
  const script = attacks.flatMap((sql, index) => [
    'BEGIN;',
    `${sql.replaceAll('$user', secrets.user ?? '').replaceAll('$database', secrets.database ?? '')};`,
    `\\echo ${index} :SQLSTATE`,
    'ROLLBACK;',
  ])
  // Statements that can't run in a transaction are refused for that reason first; so each is tried outside of one too.
  const alone = attacks.flatMap((sql, index) => [
    `${sql.replaceAll('$user', secrets.user ?? '').replaceAll('$database', secrets.database ?? '')};`,
    `\\echo ${attacks.length + index} :SQLSTATE`,
  ])
  const container = await engine.findContainer('pgtest-probe-owner')
  const { stdout } = await engine.run(
    container?.id ?? '',
    { command: ['psql', '-X', '-At', url] },
    [...script, ...alone, ''].join('\n'),
  )
  const states = new Map([...stdout.matchAll(/^(\d+) (\w{5})$/gm)].map((m) => [Number(m[1]), m[2]]))
  for (const [index, sql] of attacks.entries()) {
    const [within, outside] = [states.get(index), states.get(attacks.length + index)]
    t.ok(within !== undefined && within !== '00000' && outside !== undefined && outside !== '00000', sql, {
      within,
      outside,
    })
  }
  t.match(await probe.psql(url, 'SELECT i FROM kept'), { ok: true, out: '7' }, 'and its own table is whole')
})

t.test('the tenant owns its database: schemas, the extensions that apps use, and nothing shared', async (t) => {
  for (const name of ['citext', 'hstore', 'pg_trgm', '"uuid-ossp"', 'pgcrypto', 'unaccent', 'vector', 'postgis'])
    t.match(await probe.psql(url, `CREATE EXTENSION ${name}`), { ok: true }, name)
  t.match(
    await probe.psql(
      url,
      "SELECT '[1,2]'::vector <-> '[1,3]', ST_Distance('POINT(0 0)'::geometry, 'POINT(0 2)'::geometry), uuid_generate_v4() IS NOT NULL",
    ),
    { ok: true, out: '1|2|t' },
  )
  t.match(await probe.psql(url, 'CREATE SCHEMA mine; CREATE TABLE mine.own (i int); DROP SCHEMA mine CASCADE'), {
    ok: true,
  })
  t.match(
    await probe.psql(url, "SELECT datname FROM pg_database WHERE datallowconn AND datacl::text ~ '[{,]=[a-zA-Z]*c'"),
    {
      ok: true,
      out: '',
    },
  )
})

t.test('no more connections than the plan has, and the platform still gets in', async (t) => {
  const container = await engine.findContainer('pgtest-probe-owner')
  const script = 'for i in $(seq 45); do psql -X -At -c "SELECT pg_sleep(4)" "$0" 2>&1 & done; wait'
  const held = engine.run(container?.id ?? '', { command: ['bash', '-c', script, url] })
  await waitFor('40 connections', async () => {
    const rows = await loop.describe((await world.addOnNow(addOn.id)) ?? addOn)
    return rows.find((row) => row.name === 'Connections')?.values[0] === '40/40' ? true : undefined
  })
  const { stdout } = await held
  t.match(stdout, /too many connections for role/)
})

t.test('describes itself', async (t) => {
  const rows = await loop.describe((await world.addOnNow(addOn.id)) ?? addOn)
  const byName = Object.fromEntries(rows.map((row) => [row.name, row.values[0]]))
  t.match(byName, {
    Plan: 'Essential 0',
    Status: 'Available',
    Connections: /^\d+\/40$/,
    'PG Version': /^17\.\d+$/,
    'Data Size': /^[\d.]+ MB$/,
    Tables: /^\d+$/,
    Created: addOn.createdAt.toISOString(),
    'Add-on': addOn.name,
  })
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
  t.equal(addresses.length, 2)
  for (const host of [addOn.name, ...addresses])
    t.match(await strangerProbe.psql(url.replace(addOn.name, host), 'SELECT 1'), { ok: false }, `a stranger at ${host}`)

  const [ownerSession, guestSession] = [await openSession(owner), await openSession(guest)]
  await waitFor('both sessions', async () => {
    const found = await probe.psql(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'session'")
    return found.out === '2' ? true : undefined
  })
  const guestAddress = (await serverOf(addOn))?.addresses[`pgtest-app-${guest.networkIndex}`] ?? ''
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
  await engine.removeContainer('pgtest-session-owner', { force: true })
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
  await engine.disconnectNetwork(`pgtest-app-${owner.networkIndex}`, (await serverOf(addOn))?.id ?? '')
  await intact('disconnected')
  await engine.pauseContainer((await serverOf(addOn))?.id ?? '')
  await intact('paused')
})

t.test('a server killed in the middle of writing comes back by itself with every acknowledged row', async (t) => {
  const container = await engine.findContainer('pgtest-probe-owner')
  await probe.psql(url, 'CREATE TABLE acked (i int)')
  const script =
    'for i in $(seq 2000); do echo "INSERT INTO acked VALUES ($i) RETURNING i;"; done | psql -X -At -q "$0" 2>&1'
  const writing = engine.run(container?.id ?? '', { command: ['bash', '-c', script, url] })
  await waitFor('some rows', async () => {
    const rows = await probe.psql(url, 'SELECT count(*) FROM acked')
    return Number(rows.out) > 20 ? true : undefined
  })
  const server = await serverOf(addOn)
  if (server) process.kill(server.pid, 'SIGKILL')
  const heard = [...(await writing).stdout.matchAll(/^(\d+)$/gm)].map((m) => Number(m[1]))
  const last = heard.at(-1) ?? 0
  const rows = await waitFor(
    'the server to be back',
    async () => {
      const found = await probe.psql(url, 'SELECT count(*) FROM acked')
      return found.ok ? Number(found.out) : undefined
    },
    30_000,
  )
  t.ok(last > 0 && rows >= last, `${rows} rows, ${last} acknowledged`)
})

t.test('an add-on attached to nothing runs without a network, and comes back with one', async (t) => {
  const [attachment] = await db.query<{ id: string }>('SELECT id FROM attachments WHERE add_on_id = $1', [addOn.id])
  await removeAttachment(db, attachment?.id ?? '')
  await loop.pass()
  t.same(Object.keys((await serverOf(addOn))?.addresses ?? {}), ['none'])
  t.match(await probe.psql(url, 'SELECT 1'), { ok: false })
  await world.attach(addOn, owner)
  await loop.pass()
  t.match(await probe.psql(url, 'SELECT i FROM kept'), { ok: true, out: '7' })
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
    const image = (await engine.findContainer('pgtest-probe-owner'))?.image ?? ''
    const labels = { 'paas.instance': 'pgtest', 'paas.kind': 'add-on', 'paas.add-on': id }
    const orphan = await engine.createContainer({ name: `pgtest-pg-${id}`, image, labels, network: 'none' })
    const app = await world.makeApp('short-lived')
    const brief = await world.makeAddOn(app)
    await loop.pass()
    t.notOk(await engine.findContainer(orphan))
    t.ok((await stat(data)).isDirectory())
    t.match(world.warnings.join(), new RegExp(id))

    const network = `pgtest-app-${app.networkIndex}`
    t.ok(await engine.findNetwork(network))
    await db.query('DELETE FROM attachments WHERE app_id = $1', [app.id])
    await markAddOnDestroyed(db, brief.id)
    await markAppDestroyed(db, app.id)
    await removeApp(db, app.id)
    await loop.pass()
    t.notOk(await engine.findNetwork(network))
  },
)

t.test('a private network that an earlier app left is not given to the next one', async (t) => {
  const first = await ensureAppNetwork(engine, world.config, { id: 'aaaa', networkIndex: 900 })
  t.equal((await ensureAppNetwork(engine, world.config, { id: 'aaaa', networkIndex: 900 })).id, first.id)
  const image = (await engine.findContainer('pgtest-probe-owner'))?.image ?? ''
  const left = await engine.createContainer({
    name: 'pgtest-left',
    image,
    command: ['sleep', '60'],
    labels: { 'paas.instance': 'pgtest' },
    network: [{ network: first.name }],
    init: true,
  })
  await engine.startContainer(left)
  await t.rejects(ensureAppNetwork(engine, world.config, { id: 'bbbb', networkIndex: 900 }))
  await engine.removeContainer(left, { force: true })
  const both = await Promise.all(
    [1, 2].map(() => ensureAppNetwork(engine, world.config, { id: 'bbbb', networkIndex: 900 })),
  )
  t.equal(both[0]?.labels['paas.app'], 'bbbb')
  t.equal(both[0]?.id, both[1]?.id)
  t.not(both[0]?.id, first.id)
  t.equal(both[0]?.subnet, '10.101.132.0/24')
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
