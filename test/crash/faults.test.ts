// Goal: whatever part is killed or taken away by something other than the platform, the platform mends it or says in words
// what is wrong, and the next push works.
// Method: one platform with an app and its database. Each test does one thing to it behind the control plane's back.
import { rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { runCommand, until } from '../support/world.js'
import { type CrashWorld, nextPushWorks, startCrashWorld, steady, subject } from './crash-world.js'
import { holds } from './invariants.js'

t.setTimeout(600_000)

let c: CrashWorld

t.before(async () => {
  c = await startCrashWorld()
  await c.world.api('POST', `/apps/${subject}/addons`, { plan: 'heroku-postgresql' })
  await c.world.api('PATCH', `/apps/${subject}/formation`, { updates: [{ type: 'web', quantity: 2 }] })
  await until('two dynos', async () => (await appContainers(subject)).length === 2)
  // Here it is the data plane itself that is hit, so failed requests are no fault; wrong answers still are.
  for (const app of [steady, subject]) {
    c.prober.forget(app)
    c.prober.watch(app)
  }
})
t.teardown(async () => {
  const { engine } = c.world
  await c.stop()
  for (const id of nameless) await engine.removeImage(id)
})

/** Images whose name a test took away while they were in use. */
const nameless: string[] = []

const part = (name: string) => `${c.world.config.instance}-${name}`
const appContainers = async (app: string) =>
  (await c.world.engine.listContainers({ 'paas.app': await c.idOf(app), 'paas.kind': 'dyno' })).filter(
    (one) => one.state === 'running',
  )

/** The container's first process dies as by a fault of its own, so that the engine does what it does then. */
async function murder(container: string): Promise<void> {
  const found = await c.world.engine.findContainer(container)
  if (!found?.pid) throw new Error(`${container} does not run`)
  process.kill(found.pid, 'SIGKILL')
}

/** What is said of the app's first dyno: the lines of requests would drive it out of the newest ones. */
const logOf = async (app: string) => (await c.world.paas(['logs', '-a', app, '-n', '200', '--dyno', 'web.1'])).output

t.test('the database dies in the middle of a push', async (t) => {
  const commit = await c.change(c.repo, 'While the database dies')
  const pushing = c.world.push(c.repo)
  await until('the build', async () => (await c.rows.query("SELECT 1 FROM builds WHERE status = 'pending'")).length > 0)
  await murder(part('database'))
  const pushed = await pushing
  const state = await holds(t, c, `everything holds after a push that ended with ${pushed.code}`)
  const branch = state.apps.find((app) => app.name === subject)?.branches.master
  t.equal(branch === commit, pushed.code === 0, `what git told its user is what happened:\n${pushed.output}`)
  await nextPushWorks(t, c)
})

t.test('the database dies when an image is made and its release is not', async (t) => {
  const { engine, config } = c.world
  const images = async () => (await engine.listTags(`${config.instance}/app-${await c.idOf(subject)}`)).length
  const before = await images()
  await c.change(c.repo, 'An image for nothing')
  const pushing = c.world.push(c.repo)
  await until('the build', async () => (await c.rows.query("SELECT 1 FROM builds WHERE status = 'pending'")).length > 0)
  await c.rows
    .transaction(async (tx) => {
      await tx.query('LOCK TABLE slugs IN SHARE ROW EXCLUSIVE MODE')
      await until('the image', async () => (await images()) > before)
      await murder(part('database'))
    })
    .catch(() => {})
  t.not((await pushing).code, 0)
  await holds(t, c, 'everything holds, and the image is gone')
  t.equal(await images(), before)
  await nextPushWorks(t, c)
})

t.test('the database dies among many changes; what was acknowledged is there, once', async (t) => {
  const names = Array.from({ length: 30 }, (_, i) => `ACK_${i}`)
  const acknowledged = new Set<string>()
  const changing = (async () => {
    for (const name of names)
      await c.world.api('PATCH', `/apps/${subject}/config-vars`, { [name]: 'yes' }).then(
        () => acknowledged.add(name),
        () => {},
      )
  })()
  await until('the first', async () => acknowledged.size > 3)
  await murder(part('database'))
  await changing
  await until('the API', async () => (await c.idOf(subject)) !== '', 60_000)
  await holds(t, c, 'everything holds')
  const vars = await c.world.api<Record<string, string>>('GET', `/apps/${subject}/config-vars`)
  t.ok(acknowledged.size > 3 && acknowledged.size < names.length, `${acknowledged.size} were acknowledged`)
  t.same(
    [...acknowledged].filter((name) => vars[name] !== 'yes'),
    [],
    'none of them is lost',
  )
  const releases = await c.world.api<{ description: string }[]>('GET', `/apps/${subject}/releases`)
  const made = releases.map((r) => r.description).filter((d) => d.includes('ACK_'))
  t.equal(new Set(made).size, made.length, 'none was made twice')
})

t.test('the router dies in the middle of a rollout', async (t) => {
  await c.world.api('PATCH', `/apps/${subject}/config-vars`, { ROUTER: 'killed' })
  await until('the rollout', async () => (await appContainers(subject)).length > 2)
  await murder(part('router'))
  await holds(t, c, 'everything holds')
})

t.test('a dyno dies, another is removed, a database server is removed', async (t) => {
  const [first, second] = await appContainers(subject)
  await murder(first?.id ?? '')
  await c.world.engine.removeContainer(second?.id ?? '', { force: true })
  const [server] = await c.world.engine.listContainers({
    'paas.instance': c.world.config.instance,
    'paas.kind': 'add-on',
  })
  await c.world.engine.removeContainer(server?.id ?? '', { force: true })
  await until(
    'the removal to be noticed',
    async () => (await c.world.engine.findContainer(server?.name ?? ''))?.id !== server?.id,
  )
  await holds(t, c, 'everything holds')
})

t.test('the network of all dynos is taken away', async (t) => {
  const network = part('dynos')
  const joined = [...(await appContainers(subject)), ...(await appContainers(steady))]
  for (const one of joined) await c.world.engine.disconnectNetwork(network, one.id)
  await c.world.engine.removeNetwork(network)
  await until('the network', async () => await c.world.engine.findNetwork(network))
  await holds(t, c, 'everything holds')
  t.match(await logOf(subject), /network was taken away by something other than this platform/)
  await nextPushWorks(t, c)
})

t.test("an app's image is removed: it goes on, says so, and the next push works", async (t) => {
  const reference = (
    await c.rows.query<{ image_reference: string }>(
      'SELECT image_reference FROM slugs WHERE app_id = $1 ORDER BY created_at DESC LIMIT 1',
      [await c.idOf(subject)],
    )
  )[0]?.image_reference
  nameless.push((await c.world.engine.findImage(reference ?? ''))?.id ?? '')
  await c.world.engine.removeImage(reference ?? '', { force: true })
  await c.world.paas(['restart', '-a', subject])
  const shown = await until('paas ps to say so', async () => {
    const { output } = await c.world.paas(['ps', '-a', subject])
    return /no longer on this machine/.test(output) && output
  })
  t.match(shown, /web\.1: up[^\n]*\n +The image of v\d+ is no longer on this machine\. Push a commit/)
  t.match(await logOf(subject), /heroku\[web\.1\]: Could not be started: The image of v\d+ is no longer/)
  t.equal((await c.world.get(subject)).status, 200, 'what runs goes on')
  const version = /The image of v(\d+)/.exec(shown)?.[1]
  const back = await c.world.paas(['rollback', `v${version}`, '-a', subject])
  t.match(back.output, /is no longer kept; push that commit again/)
  const one = await c.world.paas(['run', '-a', subject, '--no-tty', '--', 'true'])
  t.not(one.code, 0, 'a one-off dyno of it ends instead of waiting for ever')
  const tries = (await c.world.controlPlaneLog()).split('"start web.1').length
  t.ok(tries < 60, 'what always fails is tried now and then only')
  await nextPushWorks(t, c)
})

t.test('the image of a release too old to be kept stays while a dyno runs from it, and no longer', async (t) => {
  const { engine } = c.world
  const [slug] = await c.rows.query<{ id: string; image_reference: string }>(
    'SELECT id, image_reference FROM slugs WHERE app_id = $1 ORDER BY created_at DESC LIMIT 1',
    [await c.idOf(subject)],
  )
  const reference = slug?.image_reference ?? ''
  const { id: image = '' } = (await engine.findImage(reference)) ?? {}
  const { name } = await c.world.api<{ name: string }>('POST', `/apps/${subject}/dynos`, {
    command: 'sleep 600',
    attach: false,
  })
  await until('it to run', async () => (await c.world.paas(['ps', '-a', subject])).output.includes(name))
  await nextPushWorks(t, c)
  await c.rows.query('UPDATE slugs SET pruned_at = now() WHERE id = $1', [slug?.id])
  const lookAgain = async () => {
    await c.world.endControlPlane('SIGKILL')
    // An image that no row names goes in the same look, and of all names last.
    const nobodys = `${c.world.config.instance}/app-nobodys:1`
    await engine.tagImage('paas/stack:dev', nobodys)
    await c.world.startControlPlane()
    await until('a look', async () => (await engine.findImage(nobodys)) === undefined)
  }
  await lookAgain()
  t.ok(await engine.findImage(reference), 'it is in use')
  await c.world.paas(['ps:stop', name, '-a', subject])
  await until('the dyno to go', async () => !(await c.world.paas(['ps', '-a', subject])).output.includes(name))
  await lookAgain()
  await until('the image to go, and not only its name', async () => (await engine.findImage(image)) === undefined)
})

t.test('the data of a database is taken away: no empty one takes its place, and it can be put back', async (t) => {
  const [addOn] = await c.rows.query<{ id: string; name: string }>('SELECT id, name FROM add_ons')
  const data = path.join(c.world.config.dataDir, 'add-ons', addOn?.id ?? '', 'data')
  // In this order, or its server may be there again before the data is gone.
  await rename(data, `${data}-elsewhere`)
  await c.world.engine.removeContainer(part(`pg-${addOn?.id}`), { force: true })
  const shown = await until('paas addons to say so', async () => {
    const { output } = await c.world.paas(['addons', '-a', subject])
    return /is gone/.test(output) && output
  })
  t.match(shown, /does not run and is tried again: The data of \S+ is gone: \S+ is missing\. Put it back, or destroy/)
  const commit = await c.change(c.repo, 'Without its database')
  t.equal((await c.world.push(c.repo)).code, 0, 'a push works meanwhile')
  await until('the new commit', async () => (await c.world.get(subject)).body.includes(commit))
  await rename(`${data}-elsewhere`, data)
  await holds(t, c, 'everything holds once it is back')
  const after = await until('paas addons to be content', async () => {
    const { output } = await c.world.paas(['addons', '-a', subject])
    return !/is gone/.test(output) && output
  })
  t.match(after, /created|provisioned/)
})

t.test('the disk fills up while building', async (t) => {
  const builds = path.join(c.world.config.dataDir, 'builds')
  const mounted = await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', builds], '/', {
    PATH: process.env.PATH ?? '',
  })
  t.equal(mounted.code, 0, mounted.output)
  try {
    await writeFile(path.join(c.repo, 'large'), randomBytes(30 * 1024 ** 2))
    await c.change(c.repo, 'Too large for the disk')
    const pushed = await c.world.push(c.repo)
    t.not(pushed.code, 0)
    t.match(pushed.output, /disk of the platform is full|No space left on device/i)
    t.equal((await c.world.get(subject)).status, 200)
  } finally {
    await c.world.git(['reset', '-q', '--hard', 'HEAD~1'], c.repo)
    await until('the build to have left the folder', async () => {
      const left = await c.world.engine.listContainers({
        'paas.instance': c.world.config.instance,
        'paas.kind': 'build',
      })
      return left.length === 0
    })
    const away = await runCommand('umount', [builds], '/', { PATH: process.env.PATH ?? '' })
    t.equal(away.code, 0, away.output)
  }
  await nextPushWorks(t, c)
})

t.test('too little disk is left for a build', async (t) => {
  await c.world.endControlPlane('SIGKILL')
  await c.world.startControlPlane({ PAAS_DISK_RESERVE: '9000g' })
  await c.change(c.repo, 'No room')
  const pushed = await c.world.push(c.repo)
  t.not(pushed.code, 0)
  t.match(pushed.output, /MB of disk left, less than the \d+ MB kept in reserve\. Free some space and push again/)
  await c.world.endControlPlane('SIGKILL')
  await c.world.startControlPlane()
  await nextPushWorks(t, c)
})

t.test('meanwhile nobody was answered by another app', (t) => c.nothingFell(t))
