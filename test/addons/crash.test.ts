// Goal: a control plane may die at any point of any effect on an add-on, and the next one ends at the same place.
// Method: databases are made, attached, detached and destroyed; in each of these acts a control plane of its own process
// makes the pass and dies at one failpoint, then another makes one undisturbed pass, and what there is gets checked.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test as Tap } from 'tap'
import { appLinkName, appNetworkName } from '../../server/addons/app-network.js'
import type { AddOn } from '../../server/model/add-on.js'
import type { App } from '../../server/model/app.js'
import { markAddOnDestroyed, removeAttachment } from '../../server/store/add-ons.js'
import { markAppDestroyed, removeApp } from '../../server/store/apps.js'
import { postgresImage, startWorld } from './world.js'
import { projectRoot } from '../support/project-root.js'

const place = { instance: 'pgcrash', subnets: '10.112.0.0/12' }
t.setTimeout(300_000)
const world = await startWorld(t, place)
const { db, engine } = world
const loop = world.makeLoop()

/** The failpoints of each act, by name without `add-on.`; a test holds that these are all there are. */
const acts = {
  spare: ['before-spare', 'spare-started', 'after-spare'],
  make: [
    'before-network',
    'link-made',
    'after-network',
    'before-data',
    'after-data',
    'before-create',
    'after-create',
    'before-start',
    'after-start',
    'before-tenant',
    'after-tenant',
    'before-settle',
    'after-settle',
  ],
  attach: ['before-connect', 'after-connect'],
  detach: ['before-disconnect', 'after-disconnect'],
  destroy: [
    'before-stop',
    'after-stop',
    'after-remove',
    'before-remove-data',
    'after-remove-data',
    'before-remove-row',
    'after-remove-row',
  ],
  leave: ['before-remove-network', 'after-remove-network'],
}

/** Run from its source, or as built. */
const isSource = import.meta.filename.endsWith('.ts')

async function dieAt(t: Tap, failpoint: string): Promise<void> {
  const child = spawn(
    process.execPath,
    [
      ...(isSource ? ['--import', 'tsx'] : []),
      path.join(import.meta.dirname, `one-pass${path.extname(import.meta.filename)}`),
      `add-on.${failpoint}`,
      world.databaseUrl,
      place.instance,
      place.subnets,
      world.config.dataDir,
      postgresImage,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const [code, signal] = await once(child, 'exit')
  t.same([code, signal, said], [null, 'SIGKILL', ''], `died at ${failpoint}`)
}

const serverOf = (addOn: AddOn) => engine.findContainer(`pgcrash-pg-${addOn.id}`)

/** As the tenant, with its password, over TCP within the server's container. */
async function asTenant(addOn: AddOn, sql: string): Promise<string> {
  const url = (await world.urlOf(addOn)).replace(addOn.name, '127.0.0.1')
  const server = await serverOf(addOn)
  const { stdout, stderr } = await engine.run(server?.id ?? '', {
    command: ['psql', '-X', '-At', '-q', '-c', sql, url],
  })
  return `${stdout}${stderr}`.trim()
}

async function networksOf(addOn: AddOn): Promise<string[]> {
  return Object.keys((await serverOf(addOn))?.addresses ?? {}).sort()
}

const joinedOf = (app: App) =>
  [appNetworkName, appLinkName].map((nameOf) => nameOf(world.config, app.networkIndex ?? -1))

/** One spare, complete; and nothing that makes spares. */
async function sparesAreWhole(t: Tap): Promise<void> {
  const folder = path.join(world.config.dataDir, 'add-ons', 'spares')
  const found = await Promise.all((await readdir(folder)).map((name) => readdir(path.join(folder, name))))
  t.same(found, [['data']], 'one whole spare')
  t.same(await engine.listContainers({ 'paas.instance': 'pgcrash', 'paas.kind': 'add-on-spare' }), [])
}

async function nextPass(t: Tap, what: string): Promise<void> {
  world.warnings.length = 0
  await loop.pass()
  t.same(world.warnings, [], what)
}

async function live(t: Tap, round: number): Promise<void> {
  const [owner, guest] = [await world.makeApp(`owner-${round}`), await world.makeApp(`guest-${round}`)]
  const addOn = await world.makeAddOn(owner)
  const act = async (failpoint: string | undefined) => {
    if (failpoint !== undefined) await dieAt(t, failpoint)
    await nextPass(t, failpoint ?? 'undisturbed')
  }
  await act(acts.make[round])
  t.equal((await world.addOnNow(addOn.id))?.state, 'provisioned')
  t.same(await networksOf(addOn), joinedOf(owner))
  t.equal(
    await asTenant(addOn, "CREATE TABLE kept AS SELECT 7 AS i; SELECT i, current_setting('cluster_name') FROM kept"),
    `7|${addOn.name}`,
  )
  t.equal(
    await asTenant(addOn, "SELECT count(*) FROM pg_roles WHERE rolname !~ '^pg_'"),
    '2',
    'postgres and the tenant',
  )
  t.equal(await asTenant(addOn, 'SELECT count(*) FROM pg_database'), '4', 'postgres, two templates, the tenant')

  if (round < acts.attach.length) {
    const attachment = await world.attach(addOn, guest)
    await act(acts.attach[round])
    t.same(await networksOf(addOn), [...joinedOf(owner), ...joinedOf(guest)].sort())
    await removeAttachment(db, attachment)
    await act(acts.detach[round])
    t.same(await networksOf(addOn), joinedOf(owner))
    t.equal(await asTenant(addOn, 'SELECT i FROM kept'), '7')
  }

  await markAddOnDestroyed(db, addOn.id)
  await db.query("UPDATE add_ons SET destroyed_at = now() - interval '2 days' WHERE id = $1", [addOn.id])
  await act(acts.destroy[round])
  t.notOk(await serverOf(addOn))
  t.notOk(await world.addOnNow(addOn.id))
  t.notOk((await readdir(path.join(world.config.dataDir, 'add-ons'))).includes(addOn.id), 'its data is gone')

  for (const app of [owner, guest]) {
    await db.query('DELETE FROM attachments WHERE app_id = $1', [app.id])
    await markAppDestroyed(db, app.id)
    await removeApp(db, app.id)
  }
  await act(acts.leave[round])
  t.same(await engine.listNetworks({ 'paas.instance': 'pgcrash' }), [])
  await sparesAreWhole(t)
}

t.test('every failpoint of the add-ons is tried here', async (t) => {
  const folder = path.join(projectRoot, 'server/addons')
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'))
  const sources = await Promise.all(files.map((name) => readFile(path.join(folder, name), 'utf8')))
  const written = sources.flatMap((text) => [...text.matchAll(/failpoint\('add-on\.([\w-]+)'\)/g)].map((m) => m[1]))
  t.same(written.sort(), Object.values(acts).flat().sort())
})

t.test('spares end whole wherever the control plane dies', async (t) => {
  for (const failpoint of acts.spare) {
    await dieAt(t, failpoint)
    await nextPass(t, failpoint)
    await sparesAreWhole(t)
    await rm(path.join(world.config.dataDir, 'add-ons', 'spares'), { recursive: true })
  }
})

for (const round of acts.make.keys())
  t.test(`a database lives and goes the same wherever the control plane dies (${round + 1})`, (t) => live(t, round))
