// Goal: config vars, tokens, database passwords and the sealing key are where they must be, and nowhere else.
// Method: known values are planted; a whole flow is run, with failures and a killed control plane, while the machine's
// processes are looked at all the time; then everything that was written or said is searched. At last one of each is put
// where it must not be, to see that the search finds it.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { dynoUid, userOf } from '../../server/model/dyno-user.js'
import { type Ran, startWorld, until, type World } from '../support/world.js'
import { createCanaries, youngOrSeldom } from './canaries.js'

t.setTimeout(400_000)

const home = await mkdtemp(path.join(tmpdir(), 'paas-canaries-'))
const canaries = createCanaries(path.join(home, 'patterns'))
const startedAt = Date.now()
const configValue = `canary-${randomBytes(12).toString('hex')}`
const app = 'secretive-app'
/** All that people were shown, by what they did. */
const shown = new Map<string, string>()
const seenInProcesses = new Set<string>()
let world: World
let repo: string
let appId = ''
let watching: NodeJS.Timeout | undefined

t.before(async () => {
  world = await startWorld()
  canaries.plant('config var', configValue)
  canaries.plant('token', world.token)
  canaries.plant('sealing key', readFileSync(path.join(world.config.dataDir, 'secret.key'), 'utf8').trim())
  const isDue = youngOrSeldom(200)
  const look = () => {
    for (const found of canaries.inProcesses(mayKnow, isDue)) seenInProcesses.add(found)
    watching = setTimeout(look, 25)
  }
  look()
})
t.teardown(async () => {
  clearTimeout(watching)
  await rm(home, { recursive: true, force: true })
  await world.stop()
})

/** Processes of the app itself, in its dynos and builds: the engine names the container in their control group. */
function mayKnow(pid: number): boolean {
  if (pid === process.pid) return true
  return readFileSync(`/proc/${pid}/status`, 'utf8').includes(`\nUid:\t${dynoUid}\t`)
}

async function noting(what: string, doing: Promise<Ran>): Promise<Ran> {
  const ran = await doing
  shown.set(what, ran.output)
  return ran
}

/** One API call whatever it answers. */
async function call(method: string, where: string, body?: string, headers: Record<string, string> = {}) {
  const response = await fetch(`http://127.0.0.1:${world.config.apiPort}${where}`, {
    method,
    headers: { authorization: `Bearer ${world.token}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body }),
  })
  shown.set(`${method} ${where.slice(0, 40)} → ${response.status}`, await response.text())
  return response.status
}

t.test('a whole flow, with everything going wrong that can', async (t) => {
  repo = await world.checkout('probe', app)
  appId = (await world.api<{ id: string }>('GET', `/apps/${app}`)).id
  await world.api('PATCH', `/apps/${app}/config-vars`, {
    SECRET_VALUE: configValue,
    PROBE_BUILD: 'status',
    PROBE_RELEASE: 'status',
  })
  await world.api('POST', `/apps/${app}/addons`, { plan: 'heroku-postgresql:essential-0' })
  const vars = await world.api<{ DATABASE_URL: string }>('GET', `/apps/${app}/config-vars`)
  canaries.plant('database password', new URL(vars.DATABASE_URL).password)
  const second = await world.api<{ access_token: { token: string } }>('POST', '/oauth/authorizations', {
    description: 'another',
  })
  canaries.plant('second token', second.access_token.token)

  t.equal((await noting('push', world.push(repo))).code, 0, shown.get('push') ?? '')
  await noting('run', world.paas(['run', '--app', app, '--no-tty', '--', 'python3 probe.py status']))
  await noting('config:set', world.paas(['config:set', 'PLAIN=visible', '--app', app]))
  await noting('pg:info', world.paas(['pg:info', '--app', app]))
  const sql = await noting('pg:psql', world.paas(['pg:psql', '--app', app, '-c', 'SELECT 1 AS fine']))
  t.match(sql.output, /fine/)
  const bad = await noting(
    'pg:psql with a fault',
    world.paas(['pg:psql', '--app', app, '-c', 'SELECT nothing FROM nowhere']),
  )
  t.not(bad.code, 0)

  const named = `{"SECRET_VALUE":"${configValue}"`
  const faults: readonly [method: string, where: string, body?: string, headers?: Record<string, string>][] = [
    ['PATCH', `/apps/${app}/config-vars`, `${named},"1BAD":"${configValue}"}`],
    ['PATCH', `/apps/${app}/config-vars`, `${named},"N":{"deep":"${configValue}"}}`],
    ['PATCH', `/apps/${app}/config-vars`, `${named},`],
    ['PATCH', `/apps/${app}/config-vars`, `${named}}`, { 'content-type': 'text/plain' }],
    ['POST', '/apps', `{"name":"${configValue}","secret":"${configValue}"}`],
    ['GET', '/apps', undefined, { authorization: `Bearer ${world.token}x` }],
    ['GET', '/apps', undefined, { authorization: `Basic ${Buffer.from(`:${world.token}x`).toString('base64')}` }],
    ['GET', `/apps/${app}/info/refs?service=git-upload-pack`, undefined, { authorization: 'Basic !!!' }],
    ['POST', `/${app}.git/git-receive-pack`, '0000', { authorization: `Bearer ${world.token}x` }],
  ]
  for (const [method, where, body, headers] of faults)
    t.ok((await call(method, where, body, headers)) >= 400, `${method} ${where} is refused`)

  await world.api('PATCH', `/apps/${app}/config-vars`, { PROBE_BUILD: 'nonsense' })
  await world.commitAll(repo, 'Fail')
  t.not((await noting('failed push', world.push(repo))).code, 0)

  await world.endControlPlane('SIGKILL')
  await noting('logs while it is away', world.paas(['logs', '--app', app]))
  await world.startControlPlane()
  await world.api('PATCH', `/apps/${app}/config-vars`, { PROBE_BUILD: 'status' })
  await world.commitAll(repo, 'Work again')
  t.equal((await noting('push after the kill', world.push(repo))).code, 0)
  await until('the app', async () => (await world.get(app)).status === 200)
  await noting('logs', world.paas(['logs', '--num', '1500', '--app', app]))
  for (const command of ['apps:info', 'releases', 'ps', 'addons', 'builds'])
    await noting(command, world.paas([command, '--app', app]))
})

t.test('no command line has one, and no environment but the app’s own processes’', (t) => {
  t.strictSame([...seenInProcesses], [])
  t.end()
})

t.test('nothing that was shown has one: output of pushes, commands and errors, and the app’s log', (t) => {
  t.ok(shown.size > 15)
  for (const [what, text] of shown) t.strictSame(canaries.within(text), [], what)
  t.end()
})

t.test('the control plane’s log, with everything told, has none', async (t) => {
  const log = await world.controlPlaneLog()
  t.ok(log.length > 10_000)
  t.strictSame(canaries.within(log), [])
})

/** Where one must be: the key itself; and the user's own folder, which is no part of the platform. */
const isTheirs = (file: string) =>
  file === path.join(world.config.dataDir, 'secret.key') || file.startsWith(`${world.env.HOME}/`)

t.test('no file has one: data folder, database, repositories, build folders, logs, temporary folders', async (t) => {
  t.strictSame(await canaries.inFiles(world.dir, isTheirs), [])
  // What others on this machine keep there is not ours to read.
  const isOurs = (name: string) => !/^paas-(world|canaries)-|-snap|^bash_jobs/.test(name)
  for (const folder of [tmpdir(), '/var/tmp', '/run'])
    for (const name of (await readdir(folder)).filter(isOurs)) {
      const entry = path.join(folder, name)
      const isNew = ((await stat(entry).catch(() => undefined))?.ctimeMs ?? 0) >= startedAt
      if (isNew && name !== 'docker') t.strictSame(await canaries.inFiles(entry), [], entry)
    }
})

const imagesOfApp = () => world.engine.listTags(`${world.config.instance}/app-*`)

async function inImages(): Promise<string[]> {
  const saving = spawn('docker', ['save', ...(await imagesOfApp())], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(saving, 'exit')
  const found = await canaries.inStream(saving.stdout)
  const [code] = await ended
  if (code !== 0) throw new Error(`docker save ended with ${code}`)
  return found
}

t.test('no layer, history or configuration of an image of the app has one', async (t) => {
  t.ok((await imagesOfApp()).length >= 2)
  t.strictSame(await inImages(), [])
})

/** What the engine says of containers that must not have one: all but the app's own. */
async function inContainers(): Promise<string[]> {
  const all = await world.engine.listContainers({ 'paas.instance': world.config.instance })
  const found: string[] = []
  for (const container of all.filter((c) => c.labels['paas.app'] !== appId)) {
    const detail = await world.engine.findContainer(container.id)
    for (const name of canaries.within(JSON.stringify(detail?.raw ?? ''))) found.push(`${container.name}: ${name}`)
  }
  return found
}

t.test('no container but the app’s own dynos has one', async (t) => {
  t.strictSame(await inContainers(), [])
  const dynos = await world.engine.listContainers({ 'paas.instance': world.config.instance, 'paas.app': appId })
  const own = await world.engine.findContainer(dynos[0]?.id ?? '')
  t.strictSame(canaries.within(JSON.stringify(own?.env)).sort(), ['config var', 'database password'], 'as they must')
})

t.test('the search finds what is where it must not be', async (t) => {
  const planted = path.join(world.config.dataDir, 'planted')
  await writeFile(planted, `x${Buffer.from(`user:${world.token}`).toString('base64')}x`)
  t.strictSame(await canaries.inFiles(world.config.dataDir, isTheirs), [`${planted}: token`])
  await rm(planted)

  const child = spawn('sleep', ['60'], { env: { LEAKED: configValue } })
  const finds = () => [...canaries.inProcesses(mayKnow)]
  await until('the environment to be found', async () => finds().includes('sleep environ: config var'))
  child.kill()

  const image = (await world.engine.listContainers({ 'paas.app': appId }))[0]?.image ?? ''
  const leaky = await world.engine.createContainer({
    name: `${world.config.instance}-leaky`,
    image,
    command: ['true'],
    env: { LEAKED: configValue },
    labels: { 'paas.instance': world.config.instance, 'paas.kind': 'probe' },
    network: 'none',
    user: userOf(dynoUid),
    limits: { memoryBytes: 64 * 1024 ** 2, cpus: 1, pids: 16, openFiles: 64 },
  })
  t.strictSame(await inContainers(), [`${world.config.instance}-leaky: config var`])
  await world.engine.removeContainer(leaky, { force: true })

  const manifest = path.join(repo, 'package.json')
  await writeFile(
    manifest,
    (await readFile(manifest, 'utf8')).replace('python3 probe.py $PROBE_BUILD', 'echo $SECRET_VALUE > leaked'),
  )
  await world.commitAll(repo, 'Leak')
  t.equal((await world.push(repo)).code, 0)
  t.strictSame(await inImages(), ['config var'], 'what the app itself puts into its image')
})
