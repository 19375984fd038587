import { randomUUID } from 'node:crypto'
import t from 'tap'
import { awaitOutcome } from '../../server/actions/releases.js'
import { createTopic } from '../../server/lib/topic.js'
import type { Platform, ReleaseNews } from '../../server/platform.js'
import { lockApp } from '../../server/store/apps.js'
import {
  endAbandonedBuilds,
  endBuild,
  findBuild,
  finishBuild,
  insertBuild,
  listBuilds,
  listDeployedRefs,
  readBuildOutput,
  setBuildRelease,
} from '../../server/store/builds.js'
import { isUniqueViolation } from '../../server/store/database.js'
import {
  findCurrentRelease,
  findNewestRelease,
  findRelease,
  findSlug,
  findTargetRelease,
  getRelease,
  insertRelease,
  isSlugPruned,
  listReleases,
  markPastSlugsPruned,
  markSlugPruned,
  moveReleaseCommand,
  readConfigVars,
  settleRelease,
  settleSuperseded,
} from '../../server/store/releases.js'
import { startTestDatabase } from '../support/database.js'
import { makeApp, makeRelease, makeSlug } from './rows.js'

const { db } = await startTestDatabase(t)

t.test('releases made at the same moment get versions without gaps or doubles', async (t) => {
  const [{ app }, { app: other }] = [await makeApp(db), await makeApp(db)]
  const made = await Promise.all(Array.from({ length: 20 }, () => makeRelease(db, app.id)))
  t.same(
    made.map((r) => r.version).sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, n) => n + 1),
  )
  t.equal((await makeRelease(db, other.id)).version, 1)
})

t.test('a release that was not committed takes no version', async (t) => {
  const { app } = await makeApp(db)
  const failing = db.transaction(async (tx) => {
    await lockApp(tx, app.id)
    const change = { slugId: undefined, configVars: {}, processTypes: {}, description: '', accountId: undefined }
    await insertRelease(tx, app.id, { ...change, status: 'pending', commandState: 'none' })
    throw new Error('no')
  })
  await t.rejects(failing, { message: 'no' })
  t.equal((await makeRelease(db, app.id)).version, 1)
})

t.test('config vars are sealed in their row, and open only as their own app’s', async (t) => {
  const [{ app }, { app: thief }] = [await makeApp(db), await makeApp(db)]
  const configVars = { SECRET_KEY: 'hunter2', EMPTY: '', UNICODE: '🐘' }
  const release = await makeRelease(db, app.id, { configVars })
  t.same(await readConfigVars(db, release), configVars)
  const [row] = await db.query<{ text: string }>('SELECT r::text AS text FROM releases r WHERE id = $1', [release.id])
  t.match(row?.text, /SECRET_KEY/)
  t.notMatch(row?.text, /hunter2|🐘/)
  const stolen = await makeRelease(db, thief.id)
  await db.query('UPDATE releases SET config_vars = (SELECT config_vars FROM releases WHERE id = $1) WHERE id = $2', [
    release.id,
    stolen.id,
  ])
  await t.rejects(readConfigVars(db, stolen))
})

t.test('the target is the newest that has not failed, the current the newest that succeeded', async (t) => {
  const { app } = await makeApp(db)
  const stand = async () => {
    const found = [await findTargetRelease(db, app.id), await findCurrentRelease(db, app.id)]
    return [...found, await findNewestRelease(db, app.id)].map((r) => r?.version)
  }
  t.same(await stand(), [undefined, undefined, undefined])
  const first = await makeRelease(db, app.id, { status: 'succeeded' })
  t.same(await stand(), [1, 1, 1])
  const second = await makeRelease(db, app.id)
  const third = await makeRelease(db, app.id)
  t.same(await stand(), [3, 1, 3])
  await settleRelease(db, third.id, { status: 'failed', failure: 'crashed' })
  t.same(await stand(), [2, 1, 3], 'the overtaken one is the target again')
  await settleRelease(db, second.id, { status: 'succeeded' })
  t.same(await stand(), [2, 2, 3])
  t.match(await getRelease(db, third.id), { status: 'failed', failure: 'crashed' })
  t.equal((await getRelease(db, first.id)).failure, undefined)
})

t.test('a release is settled once, by whoever is first', async (t) => {
  const { app } = await makeApp(db)
  const release = await makeRelease(db, app.id)
  const all = await Promise.all([
    settleRelease(db, release.id, { status: 'succeeded' }),
    settleRelease(db, release.id, { status: 'failed', failure: 'no' }),
    settleRelease(db, release.id, { status: 'succeeded' }),
  ])
  t.equal(all.filter((isSettled) => isSettled).length, 1)
  const { status } = await getRelease(db, release.id)
  t.equal(status, all[1] ? 'failed' : 'succeeded')
})

t.test('a success closes the pending releases before it: the same slug came true, others were overtaken', async (t) => {
  const { app } = await makeApp(db)
  const [old, slug] = [await makeSlug(db, app.id), await makeSlug(db, app.id)]
  const made = [
    await makeRelease(db, app.id, { slugId: old.id, status: 'succeeded' }),
    await makeRelease(db, app.id, { slugId: old.id }),
    await makeRelease(db, app.id, { slugId: slug.id }),
    await makeRelease(db, app.id, { slugId: slug.id }),
    await makeRelease(db, app.id, { slugId: slug.id }),
  ]
  const winner = made[3]
  if (!winner) throw new Error('no release')
  await settleRelease(db, winner.id, { status: 'succeeded' })
  t.same((await settleSuperseded(db, winner)).sort(), [made[1]?.id, made[2]?.id].sort())
  const after = await listReleases(db, app.id, { max: 10, descending: false })
  t.same(
    after.map((r) => [r.version, r.status, r.failure]),
    [
      [1, 'succeeded', undefined],
      [2, 'failed', 'overtaken by v4'],
      [3, 'succeeded', undefined],
      [4, 'succeeded', undefined],
      [5, 'pending', undefined],
    ],
  )
  t.same(await settleSuperseded(db, winner), [])
})

t.test('a release command moves only from the state it is believed in, and keeps its output', async (t) => {
  const { app } = await makeApp(db)
  const release = await makeRelease(db, app.id, { commandState: 'waiting' })
  const starts = [1, 2, 3].map(() => moveReleaseCommand(db, release.id, 'waiting', 'started'))
  t.equal((await Promise.all(starts)).filter((isFirst) => isFirst).length, 1)
  t.equal(await moveReleaseCommand(db, release.id, 'waiting', 'failed', 'never'), false)
  t.equal(await moveReleaseCommand(db, release.id, 'started', 'succeeded', 'migrated\n'), true)
  t.match(await getRelease(db, release.id), { commandState: 'succeeded', output: 'migrated\n', status: 'pending' })
})

t.test('a release is found by version or id, and only in its own app', async (t) => {
  const [{ app }, { app: other }] = [await makeApp(db), await makeApp(db)]
  const release = await makeRelease(db, app.id)
  for (const reference of ['1', 'v1', release.id]) t.equal((await findRelease(db, app.id, reference))?.id, release.id)
  t.equal(await findRelease(db, other.id, release.id), undefined)
  for (const reference of ['', '2', 'v', 'x1', '1 OR 1=1', randomUUID(), '9'.repeat(40)])
    t.equal(await findRelease(db, app.id, reference), undefined, reference)
  await t.rejects(getRelease(db, randomUUID()), { message: /vanished/ })
})

t.test('releases are listed from either end, a page at a time', async (t) => {
  const { app } = await makeApp(db)
  for (let n = 0; n < 5; n++) await makeRelease(db, app.id)
  const versions = async (max: number, descending: boolean, from?: number) =>
    (await listReleases(db, app.id, { max, descending, ...(from === undefined ? {} : { from }) })).map((r) => r.version)
  t.same(await versions(2, true), [5, 4])
  t.same(await versions(2, true, 3), [3, 2])
  t.same(await versions(10, false, 4), [4, 5])
})

t.test(
  'slugs that neither a kept release of their app nor a pending one needs are pruned, once they are not fresh',
  async (t) => {
    const { app } = await makeApp(db)
    const slugs = await Promise.all(Array.from({ length: 6 }, () => makeSlug(db, app.id)))
    const [failed, first, second, third, pending, unused] = slugs.map((s) => s.id)
    for (const [slugId, status] of [
      [pending, 'pending'],
      [failed, 'failed'],
      [first, 'succeeded'],
      [second, 'succeeded'],
      [third, 'succeeded'],
    ] as const)
      await makeRelease(db, app.id, { slugId, status })
    const other = await makeApp(db)
    const alone = await makeSlug(db, other.app.id)
    await makeRelease(db, other.app.id, { slugId: alone.id, status: 'succeeded' })
    const pruned = async () => {
      const all = [...slugs.map((s) => s.id), alone.id]
      const marks = await Promise.all(all.map((id) => isSlugPruned(db, id)))
      return all.filter((_, at) => marks[at]).sort()
    }
    await markPastSlugsPruned(db, 2)
    t.same(await pruned(), [], 'all of them are fresh')
    await db.query("UPDATE slugs SET created_at = now() - interval '2 minutes' WHERE app_id = ANY($1)", [
      [app.id, other.app.id],
    ])
    await markSlugPruned(db, failed ?? '')
    t.same(await pruned(), [failed])
    await markPastSlugsPruned(db, 2)
    t.same(await pruned(), [failed, first, unused].sort())
    t.equal(await isSlugPruned(db, randomUUID()), true)
    t.match(await findSlug(db, third ?? ''), { sizeBytes: 5_000_000_000, processTypes: { web: 'serve' } })
  },
)

t.test('an app has one build under way; the next may begin when it has ended', async (t) => {
  const { app, account } = await makeApp(db)
  const fields = { appId: app.id, accountId: account.id, commit: 'c0ffee', commitDescription: 'Add coffee' }
  const build = await insertBuild(db, fields)
  t.match(build, { status: 'pending', commit: 'c0ffee', accountEmail: account.email, failure: undefined })
  const second = await insertBuild(db, fields).then(
    () => undefined,
    (error: unknown) => error,
  )
  t.ok(isUniqueViolation(second, 'builds_pending'))
  t.equal(await finishBuild(db, build.id, { status: 'failed', output: 'no\0thing', failure: 'no Procfile' }), true)
  t.equal(await finishBuild(db, build.id, { status: 'succeeded', output: 'late' }), false)
  t.match(await findBuild(db, app.id, build.id), { status: 'failed', failure: 'no Procfile' })
  t.equal(await readBuildOutput(db, build.id), 'nothing', 'PostgreSQL holds no NUL')
  const { id } = await insertBuild(db, fields)
  t.same(
    (await listBuilds(db, app.id)).map((b) => b.id),
    [id, build.id],
  )
  t.equal(await findBuild(db, (await makeApp(db)).app.id, id), undefined)
})

t.test('a build knows slug and release before and after it ends', async (t) => {
  const { app, account } = await makeApp(db)
  const { id } = await insertBuild(db, { appId: app.id, accountId: account.id, commit: '', commitDescription: '' })
  const slug = await makeSlug(db, app.id)
  const release = await makeRelease(db, app.id, { slugId: slug.id })
  await setBuildRelease(db, id, slug.id, release.id)
  await finishBuild(db, id, { status: 'succeeded', output: '', buildpacks: ['heroku/python'] })
  const buildpacks = ['heroku/python']
  t.match(await findBuild(db, app.id, id), { slugId: slug.id, releaseId: release.id, buildpacks })
  const other = await makeSlug(db, app.id)
  await setBuildRelease(db, id, other.id, release.id)
  t.match(await findBuild(db, app.id, id), { slugId: slug.id }, 'an ended build does not change')
})

t.test('builds of a platform that restarted fail, with what to do next', async (t) => {
  const { app, account } = await makeApp(db)
  const { id } = await insertBuild(db, { appId: app.id, accountId: account.id, commit: '', commitDescription: '' })
  const failed = await endAbandonedBuilds(db)
  t.match(
    failed.find((b) => b.id === id),
    { status: 'failed', failure: 'the platform was interrupted; push again' },
  )
  t.same(await endAbandonedBuilds(db), [])
})

t.test('a build ends as its release did, whatever was going to be said of it', async (t) => {
  const { app, account } = await makeApp(db)
  const begin = async (status: 'pending' | 'succeeded' | 'failed', commit: string) => {
    const { id } = await insertBuild(db, {
      appId: app.id,
      accountId: account.id,
      commit,
      commitDescription: '',
      ref: 'refs/heads/master',
    })
    const slug = await makeSlug(db, app.id)
    const release = await makeRelease(db, app.id, { slugId: slug.id, status })
    await setBuildRelease(db, id, slug.id, release.id)
    return { id, release }
  }
  const refs = async () => (await listDeployedRefs(db, app.id)).map(({ ref, commit }) => [ref, commit])
  const failed = { status: 'failed', output: '', failure: 'the pusher left' } as const

  const live = await begin('succeeded', 'c1')
  t.equal(await endBuild(db, live.id, failed), 'succeeded')
  t.match(await findBuild(db, app.id, live.id), { status: 'succeeded', failure: undefined })
  t.same(await refs(), [['refs/heads/master', 'c1']])

  const onItsWay = await begin('pending', 'c2')
  t.equal(await endBuild(db, onItsWay.id, failed), 'failed')
  t.match(await getRelease(db, onItsWay.release.id), { status: 'failed', failure: 'the pusher left' })
  t.same(await refs(), [['refs/heads/master', 'c1']], 'what did not go live moves no branch')

  const dead = await begin('failed', 'c3')
  t.equal(await endBuild(db, dead.id, { status: 'succeeded', output: '' }), 'failed')
  t.equal(await endBuild(db, live.id, failed), 'succeeded', 'an ended build does not change')

  const abandoned = await begin('succeeded', 'c4')
  t.same(
    (await endAbandonedBuilds(db, { appId: app.id })).map((b) => [b.id, b.status]),
    [[abandoned.id, 'succeeded']],
  )
  t.same(await refs(), [['refs/heads/master', 'c4']])
})

t.test(
  'whoever waits for a release hears of its success once its routes are published, of its failure at once',
  async (t) => {
    const releaseNews = createTopic<ReleaseNews>()
    const platform = { db, releaseNews } as Platform
    const { app } = await makeApp(db)
    const [first, second, third] = [
      await makeRelease(db, app.id),
      await makeRelease(db, app.id),
      await makeRelease(db, app.id),
    ]
    const heard: string[] = []
    const wait = (release: typeof first) =>
      awaitOutcome(platform, release, (news) => heard.push(news.text)).then(({ status }) =>
        heard.push(`v${release.version} ${status}`),
      )
    const waits = [first, second, third].map(wait)
    await settleRelease(db, third.id, { status: 'failed', failure: 'no' })
    await waits[2]
    t.strictSame(heard, ['v3 failed'], 'a row that nobody speaks of is found')
    await settleRelease(db, first.id, { status: 'succeeded' })
    await settleRelease(db, second.id, { status: 'succeeded' })
    for (const { id } of [first, second]) releaseNews.publish(id, { kind: 'settled' })
    releaseNews.publish(first.id, { kind: 'step', text: 'web.1 up' })
    releaseNews.publish(app.id, { kind: 'published', version: 1 })
    await waits[0]
    await new Promise((resolve) => setTimeout(resolve, 2_100))
    t.strictSame(heard, ['v3 failed', 'web.1 up', 'v1 succeeded'], 'the second has succeeded, and is not yet routed')
    releaseNews.publish(app.id, { kind: 'published', version: 2 })
    await waits[1]
    t.equal(heard.at(-1), 'v2 succeeded')
  },
)
