/**
 * Memory at rest: the platform's three parts, a database, and what each further app adds. The control plane is the
 * container that docker/up would start; tests run it as a process of the host, which is another Node.js.
 *
 *   bench/run footprint [APPS]
 *
 * Three ways of counting, since none says all: `rss` adds up what each process has in memory, shared pages once for each
 * of them; `pss` shares them out among all that map them, other platforms of the machine too; `resident` is the page
 * frames of all processes together, each once, and is what the figures are about.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ensureImages } from '../docker/images.js'
import { platformDatabaseUrl } from '../docker/parts.js'
import { platformAnswers, startControlPlaneContainer } from '../docker/start-platform.js'
import { readSealingKey } from '../server/config.js'
import { createSealer } from '../server/lib/seal.js'
import { findLiveApp, lockApp } from '../server/store/apps.js'
import { openDatabase } from '../server/store/database.js'
import { findSlug, findTargetRelease, insertRelease, insertSlug } from '../server/store/releases.js'
import { startWorld, until, type World } from '../test/support/world.js'
import { machine, printGrid } from './figures.js'
import {
  commandOf,
  framesOf,
  type Memory,
  megabytesOf,
  memoryOf,
  pidsOfContainers,
  pidsOfShims,
} from './process-memory.js'

const appCount = Number(process.argv[2] ?? 40)
const settleMs = 45_000
/** Two looks this far apart that differ by less than `stillMb` are a platform at rest. */
const lookMs = 15_000
const stillMb = 1.5
const parts = ['control-plane', 'router', 'database']

interface Taken extends Memory {
  /** Megabytes, each page once. */
  readonly resident: number
}

async function take(pids: readonly number[], without?: ReadonlySet<bigint>): Promise<Taken> {
  return { ...(await memoryOf(pids)), resident: megabytesOf(await framesOf(pids), without) }
}

async function containersOf(world: World, kind: string) {
  const all = await world.engine.listContainers({ 'paas.instance': world.config.instance, 'paas.kind': kind })
  return all.filter((container) => container.state === 'running')
}

async function pidsOfKind(world: World, kind: string): Promise<number[]> {
  const containers = await containersOf(world, kind)
  return pidsOfContainers(containers.map((container) => container.id))
}

async function pidsOfParts(world: World): Promise<number[]> {
  return (await Promise.all(parts.map((kind) => pidsOfKind(world, kind)))).flat()
}

interface PartsTaken {
  readonly together: Taken
  readonly perPart: readonly Taken[]
}

/** Waits until the parts' memory stands still, and returns it. */
async function atRest(world: World): Promise<PartsTaken> {
  await delay(settleMs)
  const deadline = Date.now() + 120_000
  let last = await take(await pidsOfParts(world))
  for (;;) {
    await delay(lookMs)
    const together = await take(await pidsOfParts(world))
    if (Math.abs(together.resident - last.resident) < stillMb || Date.now() > deadline) {
      const perPart = await Promise.all(parts.map(async (kind) => take(await pidsOfKind(world, kind))))
      return { together, perPart }
    }
    last = together
  }
}

async function startInContainer(world: World): Promise<void> {
  const images = await ensureImages(world.engine, { onLine: (line) => process.stderr.write(`# ${line}\n`) })
  const { PATH: _, ...settings } = world.planeEnv
  await startControlPlaneContainer(world.engine, world.config, images, { ...settings, PAAS_LOG_LEVEL: 'info' })
  await platformAnswers(world.config, 60_000)
}

/** Apps that run what the first one runs: its slug under their own names, as a release like any other. */
async function addApps(world: World, first: string, count: number): Promise<void> {
  const db = openDatabase({
    url: platformDatabaseUrl(world.config),
    sealer: createSealer(readSealingKey(world.config)),
  })
  try {
    const seed = await findLiveApp(db, first)
    const release = seed && (await findTargetRelease(db, seed.id))
    const slug = release?.slugId === undefined ? undefined : await findSlug(db, release.slugId)
    if (!release || !slug) throw new Error('the first app has no slug')
    for (let n = 1; n <= count; n++) {
      const { id } = await world.api<{ id: string }>('POST', '/apps', { name: `idle-${n}` })
      const { id: slugId } = await insertSlug(db, { ...slug, appId: id })
      await db.transaction(async (tx) => {
        await lockApp(tx, id)
        await insertRelease(tx, id, { ...release, slugId, configVars: {}, status: 'pending', commandState: 'none' })
      })
      await world.api('PATCH', `/apps/idle-${n}/formation`, { updates: [{ type: 'web', quantity: 1 }] })
    }
  } finally {
    await db.close()
  }
  await until(
    'all dynos',
    async () => {
      const answers = await Promise.all(
        Array.from({ length: count }, async (_, n) => (await world.get(`idle-${n + 1}`)).status === 200),
      )
      return answers.every(Boolean)
    },
    240_000,
  )
}

const mb = (kilobytes: number) => (kilobytes / 1024).toFixed(1)

function row(name: string, taken: Taken): string[] {
  return [name, String(taken.processes), taken.resident.toFixed(1), mb(taken.rss), mb(taken.pss)]
}

const head = ['MB', 'processes', 'resident', 'rss', 'pss']

interface Dynos {
  readonly app: Taken
  readonly launcher: Taken
  readonly leftOver: readonly string[]
}

/** Of the idle apps' dynos: their own process, and whatever else of ours is in the container. */
async function lookAtDynos(world: World): Promise<Dynos> {
  const pids = await pidsOfKind(world, 'dyno')
  const named = await Promise.all(pids.map(async (pid) => ({ pid, command: await commandOf(pid) })))
  const isInit = (command: string) => /docker-init|tini|limit-output/.test(command.split(' ')[0] ?? '')
  const inits = named.filter((p) => isInit(p.command))
  const others = named.filter((p) => !isInit(p.command))
  return {
    app: await take(others.map((p) => p.pid)),
    launcher: await take(inits.map((p) => p.pid)),
    leftOver: [...new Set(others.map((p) => p.command).filter((c) => /^(\/\S+\/)?(ba)?sh( |$)/.test(c)))],
  }
}

async function shimsOf(world: World, kinds: readonly string[]): Promise<Taken> {
  const containers = (await Promise.all(kinds.map((kind) => containersOf(world, kind)))).flat()
  return take(await pidsOfShims(containers.map((container) => container.id)))
}

async function main(): Promise<void> {
  const world = await startWorld({ startControlPlane: false })
  try {
    await startInContainer(world)
    const empty = await atRest(world)
    const room = await take(await pidsOfKind(world, 'build'))
    const shims = await shimsOf(world, parts)
    printGrid(`the platform, no app (${machine()})`, head, [
      ...parts.map((kind, index) => row(kind, empty.perPart[index] ?? empty.together)),
      row('the three together', empty.together),
      row('beside: build room kept warm', room),
      row("beside: the engine's shims of the three", shims),
    ])

    const repo = await world.checkout('node', 'first')
    const pushed = await world.push(repo)
    if (pushed.code !== 0) throw new Error(pushed.output)
    const one = await atRest(world)
    await addApps(world, 'first', appCount)
    const many = await atRest(world)
    const dynos = await lookAtDynos(world)
    const dynoShims = await shimsOf(world, ['dyno'])
    const perApp = (many.together.resident - one.together.resident) / appCount
    const perAppRss = (many.together.rss - one.together.rss) / 1024 / appCount
    printGrid(`${appCount} more idle apps of one dyno each`, head, [
      row('the three parts with 1 app', one.together),
      ...parts.map((kind, index) => row(`… ${kind}`, one.perPart[index] ?? one.together)),
      row(`the three parts with ${appCount + 1} apps`, many.together),
      ...parts.map((kind, index) => row(`… ${kind}`, many.perPart[index] ?? many.together)),
      row("the dynos' own processes", dynos.app),
      row('docker-init and limit-output in each', dynos.launcher),
      row("the engine's shims", dynoShims),
    ])
    const ofInit = dynos.launcher.resident / (appCount + 1)
    console.log(`each app adds to the three parts: ${perApp.toFixed(2)} MB (rss ${perAppRss.toFixed(2)} MB)`)
    console.log(`the two add in each dyno:         ${ofInit.toFixed(2)} MB`)
    console.log(`shells left in dynos:             ${dynos.leftOver.length === 0 ? 'none' : dynos.leftOver.join('; ')}`)

    await world.api('POST', '/apps/first/addons', { plan: 'heroku-postgresql:standard-0' })
    await until(
      'the database',
      async () => {
        const addOns = await world.api<{ state: string }[]>('GET', '/apps/first/addons')
        return addOns[0]?.state === 'provisioned'
      },
      120_000,
    )
    await delay(settleMs)
    const ofParts = await framesOf(await pidsOfParts(world))
    const databasePids = await pidsOfKind(world, 'add-on')
    const database = await take(databasePids)
    const added = await take(databasePids, ofParts)
    printGrid('an idle database (standard-0)', head, [
      row('its server', database),
      row("… without pages of the platform's own", added),
      row("the engine's shim", await shimsOf(world, ['add-on'])),
    ])
    const figures = { empty, room, shims, one, many, dynos, dynoShims, perApp, perAppRss, database, added }
    console.log(JSON.stringify({ machine: machine(), appCount, ...figures }))
  } finally {
    // It would start again what is removed.
    for (const { id } of await containersOf(world, 'control-plane'))
      await world.engine.removeContainer(id, { force: true })
    await world.stop()
  }
}

await main()
