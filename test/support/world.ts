/**
 * A whole platform of a test's own: engine, database, router and control plane under their own instance name, ports,
 * subnets and data folder, beside whatever else runs on the machine. `stop` removes all of it and fails on what is left.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { loadCliConfig } from '../../cli/config.js'
import { Credentials } from '../../cli/credentials.js'
import { ensureFirstToken, firstEmail } from '../../docker/first-account.js'
import { ensureImages } from '../../docker/images.js'
import { machineCaBundle } from '../../docker/machine-network.js'
import { type PartImages, platformAnswers, startFoundations } from '../../docker/start-platform.js'
import { type Config, loadConfig } from '../../server/config.js'
import { createDockerEngine } from '../../server/engine/docker-engine.js'
import type { Engine } from '../../server/engine/engine.js'
import { removeFirewall } from '../../server/engine/host-firewall.js'
import { firewallRules } from '../../server/shared-networks.js'
import { projectRoot } from './project-root.js'

export { projectRoot } from './project-root.js'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Both, in the order they came. */
  readonly output: string
}

export interface Reply {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** How a process ended, as Node tells it. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface World {
  readonly config: Config
  readonly engine: Engine
  readonly token: string
  readonly dir: string
  /** Environment of a user: git, `paas`. */
  readonly env: Readonly<Record<string, string>>
  /** Environment of the control plane. */
  readonly planeEnv: Readonly<Record<string, string>>
  /** The control plane's process id. */
  pid(): number
  /** One API call; throws unless it answers 2xx or one of `allow`. */
  api<T = Record<string, unknown>>(method: string, where: string, body?: object, allow?: readonly number[]): Promise<T>
  /** The built `paas` command. */
  paas(
    args: readonly string[],
    options?: { readonly cwd?: string; readonly input?: string; readonly env?: Record<string, string> },
  ): Promise<Ran>
  git(args: readonly string[], cwd: string): Promise<Ran>
  /** A repository with a fixture app committed on master, and an app of that name with its remote. */
  checkout(fixture: string, appName: string): Promise<string>
  commitAll(repo: string, message: string): Promise<void>
  push(repo: string, remote?: string): Promise<Ran>
  /** A request through the router, to `<app>.<domain>` or any host. */
  get(host: string, where?: string, headers?: Record<string, string>): Promise<Reply>
  startControlPlane(extra?: Readonly<Record<string, string>>): Promise<void>
  /** SIGKILL by default; resolves when the process is gone. */
  endControlPlane(signal?: NodeJS.Signals): Promise<void>
  /** Resolves when the control plane has ended by itself, with how it did. */
  controlPlaneEnded(): Promise<Ending>
  controlPlaneLog(): Promise<string>
  stop(): Promise<void>
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = net.createServer()
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** Waits for a condition by asking again; throws what was waited for when the deadline passes. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  deadlineMs = 30_000,
): Promise<T> {
  const end = Date.now() + deadlineMs
  let last: unknown
  for (;;) {
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found
    } catch (error) {
      last = error
    }
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms for ${what}`, { cause: last })
    await delay(40)
  }
}

/** Ranges of this process's platforms, which may have no network yet. */
const taken = new Set<number>()

/** A /12 of 10.0.0.0/8 that no network of the engine uses and that isn't the default. */
async function freeSubnets(engine: Engine): Promise<string> {
  const used = new Set(
    (await engine.listNetworks({}))
      .map((n) => /^10\.(\d+)\./.exec(n.subnet)?.[1])
      .filter(Boolean)
      .map((second) => Math.floor(Number(second) / 16)),
  )
  const free = Array.from({ length: 12 }, (_, i) => i + 1).filter((i) => !used.has(i) && !taken.has(i))
  const pick = free[Math.floor(Math.random() * free.length)]
  if (pick === undefined) throw new Error('no free subnet range for a test platform')
  taken.add(pick)
  return `10.${pick * 16}.0.0/12`
}

/** The test inherits what the machine's own tools use to reach package registries. */
function machineNetwork(): Record<string, string> {
  const given = Object.entries(process.env).filter(([name]) =>
    /^PAAS_(NPM_REGISTRY|PYPI_INDEX|GO_PROXY|BUILD_|RUNTIME_|DEBIAN_)/.test(name),
  )
  return { ...Object.fromEntries(given as [string, string][]), PAAS_CA_BUNDLE: machineCaBundle() }
}

let images: Promise<PartImages> | undefined

export function testImages(engine: Engine): Promise<PartImages> {
  images ??= ensureImages(engine, {
    names: ['stack', 'stackBuild', 'router', 'postgres'],
    onLine: (line) => process.stderr.write(`# ${line}\n`),
  })
  return images
}

export interface WorldOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly startControlPlane?: boolean
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const dir = await mkdtemp(path.join(tmpdir(), 'paas-world-'))
  // As /var/lib is: git's own user must get to the repositories.
  await chmod(dir, 0o711)
  const instance = `t${randomBytes(4).toString('hex')}`
  const [httpPort, httpsPort, apiPort, rendezvousPort] = await freePorts(4)
  const engine = createDockerEngine({ socketPath: process.env.PAAS_ENGINE_SOCKET ?? '/var/run/docker.sock' })
  const env: Record<string, string> = {
    ...machineNetwork(),
    PAAS_INSTANCE: instance,
    PAAS_DATA_DIR: path.join(dir, 'data'),
    PAAS_HTTP_PORT: String(httpPort),
    PAAS_HTTPS_PORT: String(httpsPort),
    PAAS_API_PORT: String(apiPort),
    PAAS_RENDEZVOUS_PORT: String(rendezvousPort),
    PAAS_ROUTER_BIND: '127.0.0.1',
    PAAS_SUBNETS: await freeSubnets(engine),
    PAAS_LOG_LEVEL: 'debug',
    PAAS_DISK_RESERVE: '200m',
    // Tests push more often than people.
    PAAS_PUSHES_PER_HOUR: '10000',
    ...options.env,
  }
  const config = loadConfig(env)
  const partImages = await testImages(engine)
  const logFile = path.join(dir, 'control-plane.log')
  await startFoundations(engine, config, partImages)
  const token = await ensureFirstToken(config, undefined)
  let child: ChildProcess | undefined
  let ended: Promise<Ending> = Promise.resolve({ code: 0, signal: null })
  await mkdir(path.join(dir, 'home'), { recursive: true })
  const userEnv = {
    PATH: process.env.PATH ?? '',
    HOME: path.join(dir, 'home'),
    XDG_CONFIG_HOME: path.join(dir, 'home', '.config'),
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Test',
    GIT_AUTHOR_EMAIL: 'test@example.test',
    GIT_COMMITTER_NAME: 'Test',
    GIT_COMMITTER_EMAIL: 'test@example.test',
    PAAS_API_URL: `http://localhost:${apiPort}`,
    LANG: 'C.UTF-8',
    ...(process.env.NODE_EXTRA_CA_CERTS ? { NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS } : {}),
  }
  new Credentials(loadCliConfig(userEnv)).store({ token, email: firstEmail })
  const origin = `http://127.0.0.1:${apiPort}`

  const world: World = {
    config,
    engine,
    token,
    dir,
    env: userEnv,
    planeEnv: { PATH: userEnv.PATH, ...env },
    pid: () => child?.pid ?? 0,
    async api(method, where, body, allow = []) {
      const response = await fetch(`${origin}${where}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
      const text = await response.text()
      if (!response.ok && !allow.includes(response.status))
        throw new Error(`${method} ${where} answered ${response.status}: ${text}`)
      return (text === '' ? {} : JSON.parse(text)) as never
    },
    paas: (args, o = {}) =>
      runCommand(
        process.execPath,
        [path.join(projectRoot, 'dist', 'paas.cjs'), ...args],
        o.cwd ?? dir,
        { ...userEnv, ...o.env },
        o.input,
      ),
    git: (args, cwd) => runCommand('git', args, cwd, userEnv),
    async checkout(fixture, appName) {
      const repo = path.join(dir, 'repos', appName)
      await cp(path.join(projectRoot, 'test', 'fixtures', 'apps', fixture), repo, { recursive: true })
      await world.git(['init', '-q', '-b', 'master'], repo)
      await world.commitAll(repo, 'First')
      const made = await world.paas(['create', appName], { cwd: repo })
      if (made.code !== 0) throw new Error(made.output)
      return repo
    },
    async commitAll(repo, message) {
      await world.git(['add', '-A', '-f'], repo)
      const done = await world.git(['commit', '-q', '--allow-empty', '-m', message], repo)
      if (done.code !== 0) throw new Error(done.output)
    },
    push: (repo, remote = 'paas') =>
      runCommand('git', ['push', remote, 'HEAD:master'], repo, {
        ...userEnv,
        PATH: `${path.join(dir, 'bin')}:${userEnv.PATH}`,
      }),
    get: (host, where = '/', headers = {}) =>
      request(config.httpPort, host.includes('.') ? host : `${host}.${config.domain}`, where, headers),
    async startControlPlane(extra = {}) {
      const out = createWriteStream(logFile, { flags: 'a' })
      const process_ = spawn(process.execPath, [path.join(projectRoot, 'dist', 'control-plane.mjs')], {
        env: { PATH: userEnv.PATH, ...env, ...extra },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      process_.stdout.pipe(out, { end: false })
      process_.stderr.pipe(out, { end: false })
      child = process_
      ended = once(process_, 'exit').then(([code, signal]) => {
        out.end()
        return { code, signal } as Ending
      })
      const died = ended.then(async () => {
        throw new Error(`the control plane ended:\n${(await world.controlPlaneLog()).slice(-3_000)}`)
      })
      died.catch(() => {})
      await Promise.race([platformAnswers(config, 60_000), died])
    },
    async endControlPlane(signal = 'SIGKILL') {
      child?.kill(signal)
      await ended
      child = undefined
    },
    controlPlaneEnded: () => ended,
    controlPlaneLog: () => readFile(logFile, 'utf8').catch(() => ''),
    stop: () => stopWorld(world),
  }
  await mkdir(path.join(dir, 'bin'), { recursive: true })
  await writeFile(
    path.join(dir, 'bin', 'paas'),
    `#!/bin/sh\nexec ${process.execPath} ${path.join(projectRoot, 'dist', 'paas.cjs')} "$@"\n`,
    { mode: 0o755 },
  )
  if (options.startControlPlane !== false) await world.startControlPlane()
  return world
}

async function stopWorld(world: World): Promise<void> {
  const { engine, config } = world
  taken.delete(Math.floor(Number(config.subnets.split('.')[1]) / 16))
  await world.endControlPlane('SIGTERM')
  const labels = { 'paas.instance': config.instance }
  for (const container of await engine.listContainers(labels))
    await engine.removeContainer(container.id, { force: true })
  await removeFirewall(firewallRules(config))
  for (const network of await engine.listNetworks(labels)) await engine.removeNetwork(network.name)
  for (const volume of await engine.listVolumes(labels)) await engine.removeVolume(volume.name)
  for (const tag of await engine.listTags(`${config.instance}/*`)) await engine.removeImage(tag, { force: true })
  await rm(world.dir, { recursive: true, force: true })
  const left = await engine.listContainers(labels)
  if (left.length > 0) throw new Error(`left behind: ${left.map((c) => c.name).join(', ')}`)
}

export async function runCommand(
  file: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string>,
  input?: string,
): Promise<Ran> {
  const child = spawn(file, [...args], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.on('error', () => {})
  child.stdin.end(input ?? '')
  let stdout = ''
  let stderr = ''
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8')
    output += chunk.toString('utf8')
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8')
    output += chunk.toString('utf8')
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? -1, stdout, stderr, output }
}

function request(port: number, host: string, where: string, headers: Record<string, string>): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = http.get(
      { host: '127.0.0.1', port, path: where, agent: false, headers: { host, ...headers } },
      (response) => {
        let body = ''
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString('utf8')
        })
        response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
        response.once('error', reject)
      },
    )
    call.once('error', reject)
  })
}
