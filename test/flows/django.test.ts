// Goal: the main job: a Django app is pushed and answers with a PostgreSQL of its own.
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { startWorld, until, type World } from '../support/world.js'

t.setTimeout(400_000)

let world: World
const app = 'visits'
/** Of each release command that was started: whether its networks had been made ready. */
const commandsInSandboxes: boolean[] = []
const watching = new AbortController()

t.before(async () => {
  world = await startWorld()
  void world.engine.followEvents(
    { 'paas.instance': world.config.instance, 'paas.kind': 'release' },
    ({ action, labels }) => {
      if (action === 'start') commandsInSandboxes.push(labels['paas.sandbox'] !== undefined)
    },
    watching.signal,
  )
})
t.teardown(() => {
  watching.abort()
  return world.stop()
})

t.test('a first push brings a database, migrates it, and the page counts visits in it', async (t) => {
  const repo = await world.checkout('django', app)
  const pushed = await world.push(repo)
  t.equal(pushed.code, 0, pushed.output)
  t.match(pushed.output, /Creating postgresql-\S+ .*attached as DATABASE_URL/)
  t.match(pushed.output, /Release command: python manage\.py migrate/)
  t.match(pushed.output, /Applying visits\.0001_initial/)
  t.match(pushed.output, /Discovering process types: web, worker/)
  t.equal((await world.get(app)).status, 200)
  const url = (await world.paas(['config:get', 'DATABASE_URL', '--app', app])).stdout
  t.match(url, /^postgres:\/\/u[0-9a-f]+:p[0-9a-f]+@postgresql-\S+:5432\/d[0-9a-f]+$/m)
  const again = await world.push(repo)
  t.match(again.output, /up-to-date/)
})

t.test('one dependency more is installed and sent, and nothing else', async (t) => {
  const repo = path.join(world.dir, 'repos', app)
  await appendFile(path.join(repo, 'requirements.txt'), 'six==1.17.0\n')
  await world.commitAll(repo, 'Six')
  const pushed = await world.push(repo)
  t.equal(pushed.code, 0, pushed.output)
  t.match(pushed.output, /Dependencies are installed again: changed: requirements\.txt/)
  t.match(pushed.output, /\+ six==1\.17\.0/)
  t.notMatch(pushed.output, /from scratch|\+ django==/, 'layers of the build before are of use')
  const ran = await world.paas(['run', '--app', app, '--no-tty', '--', 'python', '-c', 'import six, django'])
  t.equal(ran.code, 0, ran.output)
  t.equal((await world.get(app)).status, 200)
  t.same(commandsInSandboxes, [true, true], 'both commands found their networks ready')
  await until('nothing to be left of the sandbox', async () => {
    const left = await world.engine.listContainers({ 'paas.instance': world.config.instance, 'paas.kind': 'sandbox' })
    return left.length === 0
  })
})

t.test('a release command whose database comes only after the build joins its network by itself', async (t) => {
  const repo = await world.checkout('django', 'late-visits')
  const file = path.join(repo, 'app.json')
  const { addons, ...manifest } = JSON.parse(await readFile(file, 'utf8')) as { addons: string[] }
  await writeFile(file, JSON.stringify(manifest))
  await world.commitAll(repo, `Without ${addons.join()}`)
  const pushed = await world.push(repo)
  t.equal(pushed.code, 0, pushed.output)
  t.match(pushed.output, /static file copied[\s\S]*Creating postgresql-\S+[\s\S]*Applying visits\.0001_initial/)
  t.equal(commandsInSandboxes.at(-1), false)
  t.equal((await world.paas(['apps:destroy', '--app', 'late-visits', '--confirm', 'late-visits'])).code, 0)
})

t.test('psql and one-off dynos reach the database', async (t) => {
  const counted = await world.paas([
    'pg:psql',
    '--app',
    app,
    '--command',
    'select count(*) > 0 as visited from visits_visit',
  ])
  t.equal(counted.code, 0, counted.output)
  t.match(counted.stdout, /\bt\b/)
  const info = await world.paas(['pg:info', '--app', app])
  t.match(info.stdout, /PG Version:?\s+17/)
})

t.test('the worker runs when it is scaled up, and its lines are in the log', async (t) => {
  const scaled = await world.paas(['ps:scale', 'worker=1', '--app', app])
  t.equal(scaled.code, 0, scaled.output)
  await until(
    'a line of the worker',
    async () => (await world.paas(['logs', '--dyno', 'worker.1', '--app', app])).stdout.includes('app[worker.1]'),
    60_000,
  )
  t.pass()
})

t.test('the database survives the kill of its container', async (t) => {
  const [server] = await world.engine.listContainers({ 'paas.instance': world.config.instance, 'paas.kind': 'add-on' })
  await world.engine.killContainer(server?.id ?? '', 'SIGKILL')
  await until('the app to answer from its database again', async () => (await world.get(app)).status === 200, 60_000)
  t.pass()
})

t.test('a destroyed add-on leaves the app without its URL', async (t) => {
  const [addOn] = (await world.api<{ name: string }[]>('GET', `/apps/${app}/addons`)) as unknown as { name: string }[]
  const gone = await world.paas(['addons:destroy', addOn?.name ?? '', '--confirm', app, '--app', app])
  t.equal(gone.code, 0, gone.output)
  t.equal((await world.paas(['config:get', 'DATABASE_URL', '--app', app])).stdout.trim(), '')
  await until(
    'its server to go',
    async () =>
      (await world.engine.listContainers({ 'paas.instance': world.config.instance, 'paas.kind': 'add-on' })).length ===
      0,
    60_000,
  )
})
