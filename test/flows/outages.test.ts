// Goal: whatever part dies, apps go on or come back by themselves, and the next push works.
import path from 'node:path'
import t from 'tap'
import { commandOf, pidsOfContainers } from '../../bench/process-memory.js'
import { pushSample } from '../../docker/sample-app.js'
import { projectRoot, runCommand, startWorld, until, type World } from '../support/world.js'

t.setTimeout(400_000)

let world: World
let repo: string
const app = 'tough-app'

t.before(async () => {
  world = await startWorld()
  repo = await world.checkout('node', app)
  const pushed = await world.push(repo)
  if (pushed.code !== 0) throw new Error(pushed.output)
})
t.teardown(() => world.stop())

const answers = () => until('the app to answer', async () => (await world.get(app)).status === 200, 60_000)
const part = (name: string) => `${world.config.instance}-${name}`

t.test('a second control plane refuses to start', async (t) => {
  const second = await runCommand(
    process.execPath,
    [path.join(projectRoot, 'dist', 'control-plane.mjs')],
    world.dir,
    world.planeEnv,
  )
  t.equal(second.code, 1)
  t.match(second.output, /Another control plane is running this platform/)
})

t.test('with the control plane killed the app serves, and a new one carries on', async (t) => {
  await world.endControlPlane('SIGKILL')
  for (let i = 0; i < 20; i++) t.equal((await world.get(app)).status, 200)
  await world.startControlPlane()
  t.equal((await world.get(app)).status, 200)
  await world.commitAll(repo, 'After the kill')
  t.equal((await world.push(repo)).code, 0)
})

t.test('a dyno that is killed or removed by hand is replaced', async (t) => {
  const dyno = async () =>
    (await world.engine.listContainers({ 'paas.instance': world.config.instance, 'paas.kind': 'dyno' })).find(
      (c) => c.state === 'running',
    )
  const first = await dyno()
  await world.engine.killContainer(first?.id ?? '', 'SIGKILL')
  await until('another dyno', async () => ((await dyno())?.id ?? first?.id) !== first?.id)
  await answers()
  const second = await dyno()
  await world.engine.removeContainer(second?.id ?? '', { force: true })
  await until('a third dyno', async () => ((await dyno())?.id ?? second?.id) !== second?.id)
  await answers()
  t.pass()
})

t.test('a build room whose driver has died while it waited is not used', async (t) => {
  const waiting = async () => {
    const rooms = await world.engine.listContainers({ 'paas.instance': world.config.instance, 'paas.kind': 'build' })
    return rooms.length === 1 && rooms[0]?.state === 'running' && (await driverIn(rooms[0].id))
  }
  const driver = await until('a driver that waits', waiting, 30_000)
  process.kill(Number(driver), 'SIGKILL')
  await world.commitAll(repo, 'After the driver')
  const pushed = await world.push(repo)
  t.equal(pushed.code, 0, pushed.output)
})

async function driverIn(container: string): Promise<number | undefined> {
  for (const pid of await pidsOfContainers([container]))
    if ((await commandOf(pid)).endsWith('/build-driver/build')) return pid
  return undefined
}

t.test('a router that is killed comes back with its table', async (t) => {
  await world.engine.killContainer(part('router'), 'SIGKILL')
  await world.engine.startContainer(part('router'))
  await answers()
  t.pass()
})

t.test('a platform database that is killed stops no app, and the API recovers', async (t) => {
  await world.engine.killContainer(part('database'), 'SIGKILL')
  t.equal((await world.get(app)).status, 200)
  await world.engine.startContainer(part('database'))
  await until('the API', async () => (await world.api<{ name: string }>('GET', `/apps/${app}`)).name === app, 60_000)
  await answers()
  const second = await runCommand(
    process.execPath,
    [path.join(projectRoot, 'dist', 'control-plane.mjs')],
    world.dir,
    world.planeEnv,
  )
  t.match(second.output, /Another control plane is running this platform/, 'the lock was taken again')
  await world.commitAll(repo, 'After the database')
  t.equal((await world.push(repo)).code, 0)
})

t.test('the sample app is pushed once, and again when its image has been cleaned away', async (t) => {
  const { config, engine, token } = world
  const name = 'sample-app'
  const source = path.join(projectRoot, 'test', 'fixtures', 'apps', 'static')
  const pushed = () => pushSample({ config, engine, token, source, name, write: () => {} })
  t.ok(Number((await pushed()).seconds) > 0)
  t.equal((await pushed()).seconds, undefined)
  const { id } = await world.api<{ id: string }>('GET', `/apps/${name}`)
  const [tag = ''] = await engine.listTags(`${config.instance}/app-${id}`)
  const image = (await engine.findImage(tag))?.id ?? ''
  await engine.removeImage(tag, { force: true })
  t.ok(Number((await pushed()).seconds) > 0)
  t.equal((await world.get(name)).status, 200)
  // Nameless while its dyno was there, so nobody but us knows it.
  await until('the image to be nobody’s', () => engine.removeImage(image).then(() => true), 60_000)
})
