import { randomUUID } from 'node:crypto'
import t from 'tap'
import { createSightings } from '../../server/dynos/sightings.js'
import { createTopic } from '../../server/lib/topic.js'
import type { ReleaseNews } from '../../server/platform.js'
import {
  assignNetworkIndex,
  findApp,
  findLiveApp,
  insertApp,
  listAppIds,
  listApps,
  lockApp,
  markAppDestroyed,
  removeApp,
  updateApp,
} from '../../server/store/apps.js'
import { insertBuild } from '../../server/store/builds.js'
import { isUniqueViolation } from '../../server/store/database.js'
import {
  findOneOff,
  insertOneOff,
  listDynos,
  listLiveOneOffs,
  moveOneOff,
  nextDynoAddress,
  nextRouteTableVersion,
  recordDynos,
} from '../../server/store/dynos.js'
import {
  addFormationEntries,
  listFormation,
  listRestarts,
  requestRestart,
  setFormationEntry,
} from '../../server/store/formations.js'
import { startTestDatabase } from '../support/database.js'
import { at, dyno, read, release } from '../unit/dynos/situation.js'
import { makeApp, makeRelease, makeSlug } from './rows.js'

const { db } = await startTestDatabase(t)

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

t.test('an app is found by id and name until it is destroyed, and keeps its name until it is gone', async (t) => {
  const { app, account } = await makeApp(db, 'hello')
  t.match(app, { name: 'hello', ownerEmail: account.email, maintenance: false, buildpacks: [], releasedAt: undefined })
  for (const reference of ['hello', app.id]) t.same(await findLiveApp(db, reference), app)
  t.ok(isUniqueViolation(await errorOf(insertApp(db, 'hello', account.id)), 'apps_name'))
  t.same([await markAppDestroyed(db, app.id), await markAppDestroyed(db, app.id)], [true, false])
  t.equal(await findLiveApp(db, 'hello'), undefined)
  t.ok((await findApp(db, app.id))?.destroyedAt)
  t.ok((await listAppIds(db)).includes(app.id), 'the loop goes on looking at it')
  t.ok(isUniqueViolation(await errorOf(insertApp(db, 'hello', account.id)), 'apps_name'))
  await removeApp(db, app.id)
  t.equal(await findApp(db, app.id), undefined)
  t.not((await insertApp(db, 'hello', account.id)).id, app.id)
})

t.test('a destroyed app takes all its rows along', async (t) => {
  const { app, account } = await makeApp(db)
  const slug = await makeSlug(db, app.id)
  const { id: releaseId } = await makeRelease(db, app.id, { slugId: slug.id, accountId: account.id })
  await insertBuild(db, { appId: app.id, accountId: account.id, commit: '', commitDescription: '' })
  await db.transaction((tx) => insertOneOff(tx, { ...wish, appId: app.id, releaseId }))
  await recordDynos(db, app.id, [{ ...sighting, releaseId }])
  await setFormationEntry(db, app.id, { type: 'web', quantity: 1, size: 'Basic' })
  await requestRestart(db, app.id, '')
  await markAppDestroyed(db, app.id)
  await removeApp(db, app.id)
  for (const table of ['apps', 'slugs', 'releases', 'builds', 'one_offs', 'dynos', 'formations', 'dyno_restarts']) {
    const column = table === 'apps' ? 'id' : 'app_id'
    t.same(await db.query(`SELECT 1 FROM ${table} WHERE ${column} = $1`, [app.id]), [], table)
  }
})

t.test('names that could be no host name are refused by the database too', async (t) => {
  const { account } = await makeApp(db)
  for (const name of ['Abc', 'ab', '-abc', 'abc-', 'a.b', `a'; DROP TABLE apps; --`])
    t.match(await errorOf(insertApp(db, name, account.id)), { code: '23514' }, name)
})

t.test('changes of an app leave the rest of it alone', async (t) => {
  const { app, account } = await makeApp(db)
  t.match(await updateApp(db, app.id, { maintenance: true }), { name: app.name, maintenance: true })
  const renamed = await updateApp(db, app.id, { name: 'renamed', buildpacks: ['heroku/python'] })
  t.match(renamed, { name: 'renamed', maintenance: true, buildpacks: ['heroku/python'] })
  t.match(await updateApp(db, app.id, { buildpacks: [] }), { name: 'renamed', buildpacks: [] })
  const { app: other } = await makeApp(db)
  t.ok(isUniqueViolation(await errorOf(updateApp(db, other.id, { name: 'renamed' })), 'apps_name'))
  t.same(
    (await listApps(db, account.id)).map((a) => a.name),
    ['renamed'],
  )
  t.ok((await listApps(db, undefined)).length > 1)
})

t.test('whoever locks an app makes the next wait, and a destroyed app can’t be locked', async (t) => {
  const { app } = await makeApp(db)
  const order: string[] = []
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let isLocked = () => {}
  const locked = new Promise<void>((resolve) => {
    isLocked = resolve
  })
  const first = db.transaction(async (tx) => {
    await lockApp(tx, app.id)
    isLocked()
    await held
    order.push('first')
  })
  await locked
  const second = db.transaction(async (tx) => {
    await lockApp(tx, app.id)
    order.push('second')
  })
  release()
  await Promise.all([first, second])
  t.same(order, ['first', 'second'])
  await markAppDestroyed(db, app.id)
  t.equal(await db.transaction((tx) => lockApp(tx, app.id)), false)
})

t.test('private networks get the lowest free index, one an app, until there are no more', async (t) => {
  const apps = []
  for (let n = 0; n < 4; n++) apps.push((await makeApp(db)).app.id)
  const assign = (appId: string | undefined) => db.transaction((tx) => assignNetworkIndex(tx, appId ?? '', 3))
  const given = await Promise.all(apps.slice(0, 3).map(assign))
  t.same([...given].sort(), [0, 1, 2])
  t.equal(await assign(apps[0]), given[0], 'once is for good')
  t.equal(await assign(apps[3]), undefined)
  await markAppDestroyed(db, apps[1] ?? '')
  await removeApp(db, apps[1] ?? '')
  t.equal(await assign(apps[3]), given[1])
})

t.test('a formation keeps what was set when a deploy names its types again', async (t) => {
  const { app } = await makeApp(db)
  const web = { type: 'web', quantity: 1, size: 'Basic' }
  await db.transaction((tx) => addFormationEntries(tx, app.id, [web]))
  await setFormationEntry(db, app.id, { ...web, quantity: 3 })
  await db.transaction((tx) => addFormationEntries(tx, app.id, [web, { ...web, type: 'worker', quantity: 0 }]))
  t.same(
    (await listFormation(db, app.id)).map((e) => [e.type, e.quantity]),
    [
      ['web', 3],
      ['worker', 0],
    ],
  )
  t.match(await errorOf(setFormationEntry(db, app.id, { ...web, quantity: -1 })), { code: '23514' })
})

t.test('a restart asked for again is a later one', async (t) => {
  const { app } = await makeApp(db)
  await requestRestart(db, app.id, 'web.1')
  const first = (await listRestarts(db, app.id)).get('web.1')
  await requestRestart(db, app.id, 'web.1')
  await requestRestart(db, app.id, '')
  const after = await listRestarts(db, app.id)
  t.same([...after.keys()].sort(), ['', 'web.1'])
  t.ok(first && (after.get('web.1') ?? first) >= first)
})

const sighting = {
  name: 'web.1',
  type: 'web',
  size: 'Basic',
  command: 'serve',
  state: 'up',
  releaseId: undefined,
  releaseVersion: 1,
} as const
const wish = {
  type: 'run',
  command: 'date',
  size: 'Basic',
  attached: false,
  tty: false,
  env: { A: '1' },
  timeToLiveSeconds: 60,
}

t.test('what a pass saw replaces what the one before saw; what is unchanged is not touched', async (t) => {
  const { app } = await makeApp(db)
  const named = (name: string, state: 'up' | 'starting' = 'up') => ({ ...sighting, name, state })
  await recordDynos(
    db,
    app.id,
    ['web.10', 'web.2', 'web.1'].map((name) => named(name)),
  )
  const before = await listDynos(db, app.id)
  t.same(
    before.map((d) => d.name),
    ['web.1', 'web.2', 'web.10'],
  )
  await recordDynos(db, app.id, [named('web.1'), named('web.2', 'starting'), { ...named('worker.1'), type: 'worker' }])
  const after = await listDynos(db, app.id)
  t.same(
    after.map((d) => `${d.name} ${d.state}`),
    ['web.1 up', 'web.2 starting', 'worker.1 up'],
  )
  t.same(after[0], before[0])
  t.equal(after[1]?.id, before[1]?.id)
  await recordDynos(db, app.id, [])
  t.same(await listDynos(db, app.id), [])
})

t.test('one-offs are numbered without gaps and go only forward', async (t) => {
  const { app } = await makeApp(db)
  const { id: releaseId } = await makeRelease(db, app.id)
  const make = () =>
    db.transaction(async (tx) => {
      await lockApp(tx, app.id)
      return insertOneOff(tx, { ...wish, appId: app.id, releaseId })
    })
  const made = await Promise.all([make(), make(), make()])
  t.same(made.map((o) => o.number).sort(), [1, 2, 3])
  const { id } = made[0]
  t.equal(await moveOneOff(db, id, 'up'), true)
  t.same([await moveOneOff(db, id, 'starting'), await moveOneOff(db, id, 'up')], [false, false])
  t.equal(await moveOneOff(db, id, 'stopping'), true)
  t.equal(await moveOneOff(db, id, 'ended', 143), true)
  t.equal(await moveOneOff(db, id, 'ended', 0), false)
  t.match(await findOneOff(db, id), { state: 'ended', exitCode: 143, env: { A: '1' } })
  t.equal((await listLiveOneOffs(db, app.id)).length, 2)
  t.equal(await findOneOff(db, randomUUID()), undefined)
})

t.test('addresses and route table versions only go up, whoever asks', async (t) => {
  for (const next of [nextDynoAddress, nextRouteTableVersion]) {
    const numbers = await Promise.all(Array.from({ length: 20 }, () => next(db)))
    t.equal(new Set(numbers).size, 20)
    t.ok((await next(db)) > Math.max(...numbers))
  }
})

t.test('a pass tells each change of a dyno once, and a new control plane does not tell it again', async (t) => {
  const { app } = await makeApp(db)
  const { id: releaseId } = await makeRelease(db, app.id)
  const current = release(1, { id: releaseId, appId: app.id })
  const lines: string[] = []
  const news: string[] = []
  const releaseNews = createTopic<ReleaseNews>()
  releaseNews.subscribe(releaseId, (n) => news.push('text' in n ? n.text : n.kind))
  const appLog = (_: string, line: { readonly dyno: string; readonly text: string }) =>
    lines.push(`${line.dyno}: ${line.text}`)
  const toldToStop = new Set<string>()
  const begin = () => createSightings({ db, appLog, releaseNews, outlivedOom: new Set(), toldToStop })
  let sightings = begin()
  const sees = async (...words: string[]) => {
    lines.length = 0
    const dynos = words.map((text) => ({ ...dyno(text), releaseId }))
    const { desired, observed } = read({ current, app: { id: app.id }, dynos })
    await sightings.record(desired, observed, at(52))
    return lines
  }
  const rows = async () => (await listDynos(db, app.id)).map((d) => `${d.name} ${d.state} ${d.command}`)

  t.same(await sees('web.1 v1'), [])
  t.same(await rows(), ['web.1 starting serve'])
  t.same(await sees('web.1 v1 up'), ['web.1: State changed from starting to up'])
  t.same(news, ['web.1 up in 2.0 s'])
  t.same(await sees('web.1 v1 up routed'), [])
  sightings = begin()
  t.same(await sees('web.1 v1 up routed'), [], 'a new control plane')
  t.same(await sees('web.1 v1 up stopping'), [])
  t.same(await rows(), ['web.1 stopping serve'])
  t.same(await sees('web.1 v1 exited'), ['web.1: Process exited with status 1', 'web.1: State changed from up to down'])
  t.same(await sees('worker.1 v1'), ['worker.1: State changed from starting to up'])
  t.same(await sees('worker.1 v1 exited', 'web.1 v1 gen=10'), [
    'worker.1: Process exited with status 1',
    'worker.1: State changed from up to crashed',
  ])
  t.same(await rows(), ['web.1 starting serve', 'worker.1 crashed work'])
  sightings = begin()
  t.same(await sees('worker.1 v1 exited', 'web.1 v1 gen=10'), [], 'another new control plane')
  t.same(await sees('web.1 v1 up routed', 'web.1 v1 gen=10'), ['web.1: State changed from starting to up'])
  t.same(await rows(), ['web.1 up serve'], 'of two containers the one that serves')
  t.same(await sees(), [])
  t.same(await rows(), [])
  await sees('web.1 v1 up routed')
  toldToStop.add(dyno('web.1 v1').containerId)
  t.same(
    await sees('web.1 v1 exited'),
    ['web.1: Process exited with status 1', 'web.1: State changed from up to down'],
    'one that no pass has seen stopping',
  )
  t.same([...toldToStop], [])
})
