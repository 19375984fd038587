/**
 * Requests per second and processor time per request, and what a change of routes costs under load.
 *
 *   bench/run router [ROUNDS] [SECONDS] [CHANGES]
 *
 * Every proxy is a container of one image on the host's network, held to processor 1 with one thread; wrk and the app
 * behind (nginx, 1 KB) have processor 0. One proxy at a time has load; rounds alternate through all of them.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ensureImages } from '../docker/images.js'
import { packEntries, readEntries } from '../docker/images/context.js'
import { projectRoot, until } from '../test/support/world.js'
import { createDockerEngine } from '../server/engine/docker-engine.js'
import type { Engine } from '../server/engine/engine.js'
import { createRouter, type Router, routerCapabilities } from '../server/router/router.js'
import { freePorts } from '../test/router/haproxy-container.js'
import { type BenchContainers, benchContainers } from './containers.js'
import { machine, medianOf, printGrid, ratios, spread } from './figures.js'
import { pidsOfContainers, processorMsOf } from './process-memory.js'
import { backendConfig, bareName, browserHeaders, peerConfigs } from './router-peers.js'
import { benchTable } from './router-tables.js'
import { type WrkResult, wrk } from './wrk.js'

const rounds = Number(process.argv[2] ?? 3)
const seconds = Number(process.argv[3] ?? 2)
const connections = 64
const loadCpu = 0
const proxyCpu = 1
const changeCount = Number(process.argv[4] ?? 1000)
const host = 'bench-0.localhost'
const fewName = 'our router, 10 apps'

interface Proxy {
  readonly name: string
  readonly port: number
  readonly container: string
  readonly router?: Router
}

interface Run extends WrkResult {
  readonly cpuMicroseconds: number
}

interface Setting {
  readonly engine: Engine
  readonly containers: BenchContainers
  readonly dir: string
  readonly image: string
  readonly backendPort: number
}

const hardened = ['--network', 'host', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--tmpfs', '/tmp']

interface OurWish {
  readonly apps?: number
  /** Somebody reads the access log, as the control plane does. */
  readonly hearsLog?: boolean
  /** Lines of the configuration to leave out, to see what they cost. */
  readonly without?: RegExp
}

/** What takes our router longer than a bare HAProxy, part by part. */
const costly: readonly (readonly [string, RegExp])[] = [
  ['… without its log line', /^ {2}log global|^ {2}log-format/],
  ['… never repeating a request', /retry-on|disable-l7-retry/],
  ['… leaving headers as they are', /del-header|set-header|unique-id-format/],
  [
    '… none of the three',
    /^ {2}log global|^ {2}log-format|retry-on|disable-l7-retry|del-header|set-header|unique-id-format/,
  ],
]

/** Through our own publisher, as the control plane would have it. */
async function ourRouter(setting: Setting, name: string, wish: OurWish): Promise<Proxy> {
  const { apps = 10, hearsLog = false, without } = wish
  const dir = path.join(setting.dir, `ours${name.replaceAll(/\W+/g, '-')}`)
  const [httpPort = 0, httpsPort = 0, apiPort = 0] = await freePorts(3)
  const router = createRouter({
    dir: path.join(dir, 'router'),
    caDir: path.join(dir, 'ca'),
    instance: 'bench',
    domain: 'localhost',
    bind: '127.0.0.1',
    httpPort,
    httpsPort,
    apiPort,
    slots: 100,
    connectTimeoutMs: 5_000,
    firstByteTimeoutMs: 30_000,
    idleTimeoutMs: 55_000,
  })
  await router.prepare()
  await router.publish(benchTable(router, setting.backendPort, apps, 0))
  const file = router.command.at(-1) ?? ''
  if (without) {
    const lines = (await readFile(file, 'utf8')).split('\n')
    await writeFile(file, lines.filter((line) => !without.test(line)).join('\n'))
  }
  const container = await setting.containers.start(
    path.basename(dir),
    [
      ...hardened,
      '--read-only',
      '--cpuset-cpus',
      String(proxyCpu),
      ...routerCapabilities.flatMap((capability) => ['--cap-add', capability]),
      '-v',
      `${path.join(dir, 'router')}:${path.join(dir, 'router')}`,
    ],
    setting.image,
    router.command,
  )
  await until('our router', async () => (await router.health()).up)
  if (hearsLog) void router.followAccessLog(() => {}, listening.signal)
  return { name, port: httpPort, container, router }
}

const listening = new AbortController()

async function startPeers(setting: Setting): Promise<Proxy[]> {
  const ports = await freePorts(4)
  const configs = peerConfigs(setting.dir, ports, `127.0.0.1:${setting.backendPort}`, host)
  await writeFile(path.join(setting.dir, 'hosts.map'), `${host} app\n`)
  const proxies: Proxy[] = []
  for (const [index, peer] of configs.entries()) {
    await writeFile(path.join(setting.dir, peer.file), peer.text)
    const options = [...hardened, '--cpuset-cpus', String(proxyCpu), '-v', `${setting.dir}:${setting.dir}:ro`]
    const settings = ['-e', 'GOMAXPROCS=1', '-e', 'HOME=/tmp', '-e', 'XDG_DATA_HOME=/tmp', '-e', 'XDG_CONFIG_HOME=/tmp']
    const container = await setting.containers.start(
      `peer-${index}`,
      [...options, ...settings, '--cap-add', 'SETUID', '--cap-add', 'SETGID', '--cap-add', 'CHOWN'],
      setting.image,
      peer.command,
    )
    proxies.push({ name: peer.name, port: ports[index] ?? 0, container })
  }
  return proxies
}

async function startBackend(setting: Setting): Promise<void> {
  await writeFile(path.join(setting.dir, 'backend.conf'), backendConfig(setting.backendPort))
  const capabilities = ['--cap-add', 'SETUID', '--cap-add', 'SETGID', '--cap-add', 'CHOWN']
  await setting.containers.start(
    'backend',
    [...hardened, ...capabilities, '--cpuset-cpus', String(loadCpu), '-v', `${setting.dir}:${setting.dir}:ro`],
    setting.image,
    ['nginx', '-c', `${setting.dir}/backend.conf`, '-g', 'daemon off;'],
  )
}

async function measure(proxy: Proxy, headers: readonly string[]): Promise<Run> {
  const pids = await pidsOfContainers([proxy.container])
  const before = await processorMsOf(pids)
  const result = await wrk({
    url: `http://127.0.0.1:${proxy.port}/`,
    host,
    seconds,
    connections,
    cpu: loadCpu,
    headers,
  })
  const spent = (await processorMsOf(pids)) - before
  if (result.failed > 0) throw new Error(`${proxy.name}: ${result.failed} requests failed`)
  return { ...result, cpuMicroseconds: (spent * 1000) / result.requests }
}

async function alternate(proxies: readonly Proxy[], headers: readonly string[]): Promise<Map<string, Run[]>> {
  const runs = new Map<string, Run[]>(proxies.map((proxy) => [proxy.name, []]))
  for (const proxy of proxies) await measureBriefly(proxy)
  for (let round = 0; round < rounds; round++) {
    const turn = round % proxies.length
    for (const proxy of [...proxies.slice(turn), ...proxies.slice(0, turn)])
      runs.get(proxy.name)?.push(await measure(proxy, headers))
  }
  return runs
}

/** Warms caches and connections, and fails when a proxy doesn't lead to the app. */
async function measureBriefly(proxy: Proxy): Promise<void> {
  const warmUp = { url: `http://127.0.0.1:${proxy.port}/`, host, seconds: 1, connections: 8, cpu: loadCpu }
  await until(proxy.name, async () => (await wrk(warmUp)).failed === 0)
}

function report(title: string, runs: Map<string, Run[]>) {
  const peers = runs.get(bareName) ?? []
  const fewApps = runs.get(fewName) ?? []
  const of = (some: readonly Run[], key: 'requestsPerSecond' | 'cpuMicroseconds') => some.map((run) => run[key])
  const rows = [...runs].map(([name, own]) => ({
    name,
    rps: of(own, 'requestsPerSecond'),
    cpu: of(own, 'cpuMicroseconds'),
    rpsRatio: medianOf(ratios(of(own, 'requestsPerSecond'), of(peers, 'requestsPerSecond'))),
    ofFew: medianOf(ratios(of(own, 'requestsPerSecond'), of(fewApps, 'requestsPerSecond'))),
    cpuRatio: medianOf(ratios(of(own, 'cpuMicroseconds'), of(peers, 'cpuMicroseconds'))),
    p50: medianOf(own.map((run) => run.p50Ms)),
    p99: medianOf(own.map((run) => run.p99Ms)),
  }))
  printGrid(
    `${title}; ${rounds} rounds of ${seconds} s, median (min – max)`,
    ['', 'requests/s', 'of bare', 'of 10 apps', 'CPU µs/request', 'of bare', 'p50 ms', 'p99 ms'],
    rows.map((r) => [
      r.name,
      spread(r.rps),
      r.rpsRatio.toFixed(2),
      r.ofFew.toFixed(2),
      spread(r.cpu, 1),
      r.cpuRatio.toFixed(2),
      r.p50.toFixed(2),
      r.p99.toFixed(1),
    ]),
  )
  return rows
}

/** Publishes table after table while wrk asks about 3,000 times a second; every request must be answered. */
async function change(setting: Setting, proxy: Proxy, apps: number) {
  const { router } = proxy
  if (!router) throw new Error('only our router is told of routes')
  const pause = path.join(setting.dir, 'pause.lua')
  await writeFile(pause, 'function delay() return 20 end\n')
  const times: number[] = []
  let isOver = false
  const load = wrk({
    url: `http://127.0.0.1:${proxy.port}/`,
    host,
    seconds: Math.ceil((changeCount * 25) / 1000),
    connections,
    cpu: loadCpu,
    script: pause,
  }).finally(() => {
    isOver = true
  })
  let underLoad = 0
  for (let step = 1; step <= changeCount; step++) {
    const table = benchTable(router, setting.backendPort, apps, step)
    const startedAt = performance.now()
    await router.publish(table)
    times.push(performance.now() - startedAt)
    if (!isOver) underLoad++
    // What the control plane does beside: servers that are idle now are deleted.
    if (step % 40 === 0) await router.housekeep()
  }
  const result = await load
  return { times, failed: result.failed, requests: result.requests, rps: result.requestsPerSecond, underLoad }
}

async function buildImage(engine: Engine): Promise<string> {
  const { router } = await ensureImages(engine, { names: ['router'], onLine: (line) => console.error(`# ${line}`) })
  const tag = `paas/bench-peers:${router.split(':')[1]}`
  if (await engine.findImage(tag)) return tag
  const context = await readEntries(path.join(projectRoot, 'bench', 'peers'))
  await engine.buildImage(packEntries(context), { tag, labels: {}, buildArgs: { BASE: router } }, () => {})
  return tag
}

async function main(): Promise<void> {
  const engine = createDockerEngine({ socketPath: process.env.PAAS_ENGINE_SOCKET ?? '/var/run/docker.sock' })
  const containers = benchContainers()
  const dir = await mkdtemp(path.join(tmpdir(), 'paas-bench-router-'))
  try {
    const [backendPort = 0] = await freePorts(1)
    const setting: Setting = { engine, containers, dir, image: await buildImage(engine), backendPort }
    await startBackend(setting)
    const few = await ourRouter(setting, fewName, {})
    const many = await ourRouter(setting, 'our router, 1,000 apps', { apps: 1_000 })
    const heard = await ourRouter(setting, 'our router, log read', { hearsLog: true })
    const parts: Proxy[] = []
    for (const [name, without] of costly) parts.push(await ourRouter(setting, name, { without }))
    const proxies = [few, ...parts, many, heard, ...(await startPeers(setting))]
    const plain = report(`1 KB, no headers (${machine()})`, await alternate(proxies, []))
    const browser = report('1 KB, headers of a browser', await alternate(proxies, browserHeaders))
    const changes = [
      { apps: 10, ...(await change(setting, heard, 10)) },
      { apps: 1_000, ...(await change(setting, many, 1_000)) },
    ]
    printGrid(
      `${changeCount} changes of routes under load, through the publisher`,
      ['apps', 'ms, median (min – max)', 'under load', 'requests', 'failed'],
      changes.map((c) => [
        String(c.apps),
        spread(c.times, 1),
        String(c.underLoad),
        `${c.requests} (${Math.round(c.rps)}/s)`,
        String(c.failed),
      ]),
    )
    console.log(JSON.stringify({ machine: machine(), rounds, seconds, plain, browser, changes: changes.map(brief) }))
  } finally {
    listening.abort()
    await containers.removeAll()
    await rm(dir, { recursive: true, force: true })
  }
}

function brief(c: { apps: number; times: number[]; failed: number; requests: number; underLoad: number }) {
  const { times, ...rest } = c
  return { ...rest, medianMs: medianOf(times), maxMs: Math.max(...times) }
}

await main()
