// Goal: the engine itself may be killed, or stopped and started: apps go on or come back by themselves, what was under way
// ends in words, and the next push works.
// Method: a second engine of the test's own, beside the machine's, with a bridge of its own and without a hand on the
// machine's packet filter. Not part of every run: its images are copied, which takes minutes.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { createDockerEngine } from '../../server/engine/docker-engine.js'
import { type CrashWorld, nextPushWorks, startCrashWorld, steady, subject } from '../crash/crash-world.js'
import { holds } from '../crash/invariants.js'
import { projectRoot, runCommand, testImages, until } from '../support/world.js'

t.setTimeout(1_800_000)

const machineSocket = process.env.PAAS_ENGINE_SOCKET ?? '/var/run/docker.sock'
const env = { PATH: process.env.PATH ?? '' }
const bridge = `pc${randomBytes(3).toString('hex')}`

let dir: string
let c: CrashWorld
const socket = () => path.join(dir, 'e.sock')
const pidOf = async () => Number(await readFile(path.join(dir, 'e.pid'), 'utf8'))

async function command(file: string, ...args: string[]): Promise<string> {
  const ran = await runCommand(file, args, '/', env)
  if (ran.code !== 0) throw new Error(`${file} ${args.join(' ')}: ${ran.output}`)
  return ran.stdout
}

/** Second bytes of 10.0.0.0/8 that the machine has no route to, in steps of 16: the subnets of a platform. */
async function freeRanges(): Promise<number[]> {
  const routes = await command('ip', '-4', 'route')
  const used = new Set([...routes.matchAll(/\b10\.(\d+)\./g)].map((match) => Math.floor(Number(match[1]) / 16)))
  return Array.from({ length: 12 }, (_, i) => i + 1).filter((i) => !used.has(i))
}

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** By the script that brings the machine's engine up, told of another place. */
async function startEngine(): Promise<void> {
  const ran = await runCommand('bash', [path.join(projectRoot, 'docker', 'engine')], '/', {
    ...env,
    PAAS_ENGINE_SOCKET: socket(),
    PAAS_ENGINE_PIDFILE: path.join(dir, 'e.pid'),
    PAAS_ENGINE_EXEC_ROOT: path.join(dir, 'exec'),
    PAAS_ENGINE_DATA_ROOT: path.join(dir, 'data'),
    PAAS_ENGINE_LOG: path.join(dir, 'e.log'),
    PAAS_ENGINE_ARGS: `--bridge=${bridge} --iptables=false --ip-masq=false --ip-forward=false`,
    PAAS_ENGINE_WAIT: '120',
  })
  if (ran.code !== 0) throw new Error(ran.output)
}

async function endEngine(signal: NodeJS.Signals): Promise<void> {
  const pid = await pidOf()
  process.kill(pid, signal)
  await until('the engine to end', async () => !isAlive(pid), 60_000)
}

function piped(from: ChildProcess, to: ChildProcess): Promise<unknown> {
  if (from.stdout && to.stdin) from.stdout.pipe(to.stdin)
  return Promise.all(
    [from, to].map(async (one) => {
      const [code] = (await once(one, 'exit')) as [number | null]
      if (code !== 0) throw new Error(`an end of the pipe ended with ${code}`)
    }),
  )
}

t.before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'paas-engine-'))
  const [range = 0, own = 0] = (await freeRanges()).reverse()
  if (own === 0) throw new Error('no free ranges')
  await command('ip', 'link', 'add', bridge, 'type', 'bridge')
  await command('ip', 'addr', 'add', `10.${own * 16}.250.1/24`, 'dev', bridge)
  await command('ip', 'link', 'set', bridge, 'up')
  await startEngine()
  const images = await testImages(createDockerEngine({ socketPath: machineSocket }))
  const names = [images.stack, images.stackBuild, images.router, images.postgres]
  await piped(
    spawn('docker', ['-H', `unix://${machineSocket}`, 'save', ...names], { stdio: ['ignore', 'pipe', 'inherit'] }),
    spawn('docker', ['-H', `unix://${socket()}`, 'load', '-q'], { stdio: ['pipe', 'ignore', 'inherit'] }),
  )
  process.env.PAAS_ENGINE_SOCKET = socket()
  c = await startCrashWorld({ PAAS_ENGINE_SOCKET: socket(), PAAS_SUBNETS: `10.${range * 16}.0.0/12` })
  await c.world.api('POST', `/apps/${subject}/addons`, { plan: 'heroku-postgresql' })
  await holds(t, c, 'everything holds before')
  // The engine ends what it runs when it is started again, so requests fail; wrong answers are faults still.
  for (const app of [steady, subject]) {
    c.prober.forget(app)
    c.prober.watch(app)
  }
})

t.teardown(async () => {
  try {
    await c?.stop()
  } finally {
    await endEngine('SIGTERM').catch(() => {})
    // An engine that was killed leaves mounts of its own folder to its successor, which doesn't know them.
    const mounts = (await command('findmnt', '-rn', '-o', 'TARGET'))
      .split('\n')
      .filter((at) => at.startsWith(`${dir}/`))
    for (const mount of mounts.reverse()) await command('umount', mount).catch(() => {})
    await command('ip', 'link', 'del', bridge).catch(() => {})
    await rm(dir, { recursive: true, force: true })
  }
})

const secondsSince = (begun: number) => `${((Date.now() - begun) / 1000).toFixed(1)} s`

async function comesBack(begun: number): Promise<void> {
  for (const app of [steady, subject])
    await until(`${app} to answer`, async () => (await c.world.get(app)).status === 200, 120_000)
  t.comment(`the apps answered ${secondsSince(begun)} after the engine was started again`)
}

t.test('the engine is killed while nothing is under way', async (t) => {
  await endEngine('SIGKILL')
  t.equal((await c.world.get(steady)).status, 200, 'containers go on without it')
  t.match((await c.world.paas(['ps', '-a', subject])).output, /web\.1: up/, 'the platform answers')
  const begun = Date.now()
  await startEngine()
  await comesBack(begun)
  await holds(t, c, 'everything holds')
  await nextPushWorks(t, c)
})

t.test('the engine is killed in the middle of a build', async (t) => {
  await c.change(c.repo, 'While the engine dies')
  const pushing = c.world.push(c.repo)
  await until('the build', async () => (await c.rows.query("SELECT 1 FROM builds WHERE status = 'pending'")).length > 0)
  await until('its room', async () => {
    const rooms = await c.world.engine.listContainers({ 'paas.kind': 'build' })
    return rooms.some((room) => room.state === 'running')
  })
  await endEngine('SIGKILL')
  const begun = Date.now()
  await startEngine()
  const pushed = await pushing
  t.comment(`the push ended with ${pushed.code}:\n${pushed.output}`)
  t.ok(pushed.code === 0 || /! {5}/.test(pushed.output), 'the pusher is told in words')
  await comesBack(begun)
  const state = await holds(t, c, 'everything holds')
  const branch = state.apps.find((app) => app.name === subject)?.branches.master
  t.equal(branch === (await c.head(c.repo)), pushed.code === 0, 'what git told its user is what happened')
  await nextPushWorks(t, c)
})

t.test('the engine is stopped and started', async (t) => {
  await endEngine('SIGTERM')
  const begun = Date.now()
  await startEngine()
  await comesBack(begun)
  await holds(t, c, 'everything holds')
  await nextPushWorks(t, c)
})

t.test('meanwhile nobody was answered by another app', (t) => c.nothingFell(t))
