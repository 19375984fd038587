// Goal: a database server is fast to get, does what apps expect of it, and gives its tenant nothing else.
// Method: one database on a real engine; its app is a container in the app's private network that runs psql.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import t, { type Test as Tap } from 'tap'
import { subnetPlan } from '../../server/model/subnets.js'
import { readAddOnSecrets } from '../../server/store/add-ons.js'
import { withTenantServer } from '../../server/store/tenant-postgres.js'
import { waitFor } from '../support/database.js'
import { attacks } from './attacks.js'
import { caught, plant, tryVersions } from './planted.js'
import { startWorld } from './world.js'

t.setTimeout(240_000)
const world = await startWorld(t, { instance: 'pgtest', subnets: '10.96.0.0/12' })
const { db, engine } = world
const loop = world.makeLoop()
const owner = await world.makeApp('owner')
// A first pass makes the spare.
await loop.pass()
const addOn = await world.makeAddOn(owner)
const url = await world.urlOf(addOn)
const readyAfterMs = await readyAfter()
const probe = await world.probeIn(owner)

const serverNow = () => engine.findContainer(`pgtest-pg-${addOn.id}`)

async function readyAfter(): Promise<number> {
  const since = Date.now()
  const pass = loop.pass()
  const took = await waitFor('the database to be provisioned', async () => {
    const now = await world.addOnNow(addOn.id)
    if (now?.failure !== undefined) throw new Error(now.failure)
    return now?.state === 'provisioned' ? Date.now() - since : undefined
  })
  await pass
  return took
}

/** A listener on every address of this machine is reached at none of them from within the container. */
async function cannotReachTheHost(t: Tap, containerId: string) {
  const listener = createServer((socket) => socket.on('error', () => {}).end()).listen(0, '0.0.0.0')
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

t.test('a database comes from a spare, and its app is told', async (t) => {
  t.comment(`ready ${readyAfterMs} ms after its row`)
  t.same(world.changed, [owner.id])
  const answer = await probe.psql(url, 'CREATE TABLE kept (i int); INSERT INTO kept VALUES (7); SHOW server_version')
  t.match(answer, { ok: true, out: /17\./ })
  t.same(world.warnings, [])
})

t.test('its container has no rights, no way out, and the limits of its plan', async (t) => {
  const server = await serverNow()
  const raw = server?.raw as { HostConfig: Record<string, unknown>; Config: { User: string } }
  t.match(raw.HostConfig, {
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges', /^seccomp=/],
    ReadonlyRootfs: true,
    Privileged: false,
    Memory: 512 * 1024 ** 2,
    MemorySwap: 512 * 1024 ** 2,
    NanoCpus: 1e9,
    PidsLimit: 104,
    RestartPolicy: { Name: 'always' },
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

t.test('no script of an extension that a tenant may create runs what the tenant has planted', async (t) => {
  const secrets = await readAddOnSecrets(db, addOn.id)
  const container = await engine.findContainer('pgtest-probe-owner')
  const script = async (sql: string) =>
    (await engine.run(container?.id ?? '', { command: ['bash', '-c', 'psql -X -At "$0" 2>&1', url] }, sql)).stdout
  t.notMatch(await script(plant), /ERROR/)
  const asSuperuser = withTenantServer(
    world.folderOf(addOn, 'socket'),
    (server) => server.query("SET search_path = planted; SELECT format('a'::text, 'b'::varchar)"),
    { database: secrets.database ?? '' },
  )
  await t.rejects(asSuperuser, { message: caught }, 'a careless script would')
  const listed = await script('SELECT name, version FROM pg_available_extension_versions WHERE trusted;')
  const versions = new Map<string, string[]>()
  for (const [name, version] of listed.split('\n').map((line) => line.split('|')))
    if (name && version) versions.set(name, [...(versions.get(name) ?? []), version])
  t.same([versions.get('postgis'), versions.get('vector')], [['3.5.2'], ['0.8.0']])
  for (const [name, all] of versions) {
    const out = await script(tryVersions(name, [...all, 'ANY', 'unpackaged']))
    t.notMatch(out, caught, name)
    if (name === 'postgis' || name === 'vector')
      t.match(out, /^BEGIN\nCREATE EXTENSION\nSAVEPOINT\n/, `${name} is made there`)
  }
  const paths = `SELECT source, target FROM unnest(ARRAY['postgis', 'vector']) AS e, pg_extension_update_paths(e)
                 WHERE path IS NOT NULL;`
  t.equal(await script(paths), '', 'what we trust beyond PostgreSQL has one script')
  t.equal(await script('SELECT rolsuper FROM pg_roles WHERE rolname = current_user;'), 'f\n')
})

t.test('the tenant owns its database: schemas, the extensions that apps use, and nothing shared', async (t) => {
  // The last is what a dump says.
  const names = ['citext', 'hstore', 'pg_trgm', '"uuid-ossp"', 'pgcrypto', 'unaccent', 'vector', 'postgis']
  for (const name of [...names, 'IF NOT EXISTS postgis WITH SCHEMA public'])
    t.match(await probe.psql(url, `CREATE EXTENSION ${name}`), { ok: true }, name)
  t.match(
    await probe.psql(
      url,
      "SELECT '[1,2]'::vector <-> '[1,3]', ST_Distance('POINT(0 0)'::geometry, 'POINT(0 2)'::geometry), uuid_generate_v4() IS NOT NULL",
    ),
    { ok: true, out: '1|2|t' },
  )
  t.match(
    await probe.psql(
      url,
      `CREATE TABLE places (at geometry(Point, 4326)); CREATE INDEX ON places USING gist (at);
       INSERT INTO places VALUES ('SRID=4326;POINT(1 2)'); SELECT ST_AsText(ST_Transform(at, 4326)) FROM places`,
    ),
    { ok: true, out: 'POINT(1 2)' },
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
  const script = 'for i in $(seq 45); do psql -X -At -c "SELECT pg_sleep(12)" "$0" 2>&1 & done; wait'
  const held = engine.run(container?.id ?? '', { command: ['bash', '-c', script, url] })
  await waitFor(
    '40 connections',
    async () => {
      const rows = await loop.describe((await world.addOnNow(addOn.id)) ?? addOn)
      return rows.find((row) => row.name === 'Connections')?.values[0] === '40/40' ? true : undefined
    },
    45_000,
  )
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
  const server = await serverNow()
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
