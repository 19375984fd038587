/**
 * pgbench against an app's database, from the app's own network, through the app's own DATABASE_URL and with the rest of
 * the environment a dyno is given; beside it the same server on the host's network, and one with stock settings.
 *
 *   bench/run postgres [ROUNDS] [SECONDS] [SCALE]
 */
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { serverName } from '../server/addons/postgres/server-container.js'
import { tuning } from '../server/addons/postgres/tuning.js'
import { findPlan } from '../server/model/add-on.js'
import { pgEnvironment } from '../server/model/postgres-url.js'
import { startWorld, testImages, until, type World } from '../test/support/world.js'
import { freePorts } from '../test/router/haproxy-container.js'
import { type BenchContainers, benchContainers, docker } from './containers.js'
import { machine, medianOf, printGrid, ratios, spread } from './figures.js'
import { parsePgbench } from './pgbench.js'
import { startHostServer } from './postgres-peers.js'

const rounds = Number(process.argv[2] ?? 5)
const seconds = Number(process.argv[3] ?? 2)
const scale = process.argv[4] ?? '10'
const planName = 'standard-0'

const workloads: readonly (readonly [string, readonly string[]])[] = [
  ['select-only, 8 clients', ['-S', '-c', '8', '-j', '2']],
  ['TPC-B, 8 clients', ['-c', '8', '-j', '2']],
  ['a new connection for each select, 4 clients', ['-S', '-C', '-c', '4', '-j', '2']],
]

/** One way to a server. */
interface Way {
  readonly name: string
  /** Container that pgbench runs in. */
  readonly client: string
  readonly url: string
  readonly env: Readonly<Record<string, string>>
  /** Leads to the database of a way before it. */
  readonly isSecond?: boolean
}

const peerName = 'host TCP'

async function pgbench(way: Way, args: readonly string[]): Promise<string> {
  const env = Object.entries(way.env).flatMap(([name, value]) => ['-e', `${name}=${value}`])
  return docker('exec', ...env, way.client, 'pgbench', ...args, way.url)
}

async function measure(way: Way, args: readonly string[]): Promise<number> {
  return parsePgbench(await pgbench(way, ['-n', '-T', String(seconds), ...args])).tps
}

/** The app's database, made as for any app, and a container where its dynos are. */
async function ourWays(world: World, containers: BenchContainers, image: string): Promise<Way[]> {
  const { id } = await world.api<{ id: string }>('POST', '/apps', { name: 'bench' })
  await world.api('POST', '/apps/bench/addons', { plan: `heroku-postgresql:${planName}` })
  const addOn = await until(
    'the database',
    async () => {
      const [found] = await world.api<{ id: string; name: string; state: string }[]>('GET', '/apps/bench/addons')
      return found?.state === 'provisioned' && found
    },
    120_000,
  )
  const vars = await world.api<Record<string, string>>('GET', '/apps/bench/config-vars')
  const networks = await world.engine.listNetworks({ 'paas.app': id })
  const network = networks.find(({ name }) => !name.endsWith('-link'))?.name ?? ''
  const server = await world.engine.findContainer(serverName(world.config.instance, addOn.id))
  const address = server?.addresses[network] ?? ''
  const client = await containers.start(
    'client-app',
    ['--network', network, '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--entrypoint', 'sleep'],
    image,
    ['infinity'],
  )
  const url = vars.DATABASE_URL ?? ''
  const asDyno = { PGCONNECT_TIMEOUT: '10', ...pgEnvironment(vars, [addOn.name]) }
  return [
    { name: 'ours, as a dyno', client, url, env: asDyno },
    {
      name: '… by address',
      client,
      url: url.replace(`@${addOn.name}`, `@${address}`),
      env: asDyno,
      isSecond: true,
    },
    { name: 'ours, TLS', client, url, env: { PGSSLMODE: 'require' }, isSecond: true },
  ]
}

async function hostWays(world: World, containers: BenchContainers, image: string): Promise<Way[]> {
  const plan = findPlan(`heroku-postgresql:${planName}`)?.plan
  if (!plan) throw new Error(`there is no plan ${planName}`)
  const { cpus, memoryBytes } = await world.engine.info()
  const size = { ...plan, cpus: Math.min(plan.cpus, cpus), memoryBytes: Math.min(plan.memoryBytes, memoryBytes) }
  const dir = path.join(world.dir, 'peers')
  await mkdir(dir, { recursive: true })
  const [tunedPort = 0, limitedPort = 0, stockPort = 0] = await freePorts(3)
  const tuned = await startHostServer(containers, {
    name: 'tuned',
    image,
    dir,
    port: tunedPort,
    settings: tuning(size),
  })
  const limited = await startHostServer(containers, {
    name: 'limited',
    image,
    dir,
    port: limitedPort,
    settings: tuning(size),
    limits: size,
  })
  const stock = await startHostServer(containers, { name: 'stock', image, dir, port: stockPort })
  const client = await containers.start(
    'client-host',
    ['--network', 'host', '--cap-drop', 'ALL', '-v', `${dir}:${dir}`, '--entrypoint', 'sleep'],
    image,
    ['infinity'],
  )
  const plain = { PGSSLMODE: 'disable' }
  return [
    { name: peerName, client, url: tuned.tcpUrl, env: plain },
    { name: "host TCP, the plan's limits", client, url: limited.tcpUrl, env: plain },
    { name: 'host TCP, stock settings', client, url: stock.tcpUrl, env: plain },
    { name: 'host TCP, TLS', client, url: tuned.tcpUrl, env: { PGSSLMODE: 'require' }, isSecond: true },
    { name: 'host socket', client, url: tuned.socketUrl, env: plain, isSecond: true },
  ]
}

/** Tables of the same size everywhere, vacuumed and on disk. */
async function fill(ways: readonly Way[]): Promise<void> {
  for (const way of ways) if (!way.isSecond) await pgbench(way, ['-i', '-q', '-s', scale])
}

interface Row {
  readonly name: string
  readonly tps: readonly number[]
  readonly ofHost: number
  readonly ofHostSameLimits: number
  readonly ofStock: number
}

async function compare(ways: readonly Way[], args: readonly string[]): Promise<Row[]> {
  const tps = new Map<string, number[]>(ways.map((way) => [way.name, []]))
  for (let round = 0; round < rounds; round++) {
    const turn = round % ways.length
    for (const way of [...ways.slice(turn), ...ways.slice(0, turn)]) tps.get(way.name)?.push(await measure(way, args))
  }
  const of = (own: readonly number[], peer: string) => medianOf(ratios(own, tps.get(peer) ?? []))
  return [...tps].map(([name, own]) => ({
    name,
    tps: own,
    ofHost: of(own, peerName),
    ofHostSameLimits: of(own, "host TCP, the plan's limits"),
    ofStock: of(own, 'host TCP, stock settings'),
  }))
}

async function main(): Promise<void> {
  const world = await startWorld({ env: { PAAS_WARM_BUILDS: '0', PAAS_LOG_LEVEL: 'info' } })
  const containers = benchContainers()
  try {
    const { postgres } = await testImages(world.engine)
    const ways = [...(await ourWays(world, containers, postgres)), ...(await hostWays(world, containers, postgres))]
    await fill(ways)
    const results: Record<string, Row[]> = {}
    for (const [name, args] of workloads) {
      const rows = await compare(ways, args)
      results[name] = rows
      printGrid(
        `${name}; scale ${scale}, ${rounds} rounds of ${seconds} s (${machine()})`,
        ['', 'tps, median (min – max)', 'of host TCP', 'of same limits', 'of stock'],
        rows.map((r) => [
          r.name,
          spread(r.tps),
          ...[r.ofHost, r.ofHostSameLimits, r.ofStock].map((ratio) => ratio.toFixed(2)),
        ]),
      )
    }
    console.log(JSON.stringify({ machine: machine(), plan: planName, scale, rounds, seconds, results }))
  } finally {
    await containers.removeAll()
    await world.stop()
  }
}

await main()
