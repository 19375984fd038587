// Goal: a platform database that goes away in the middle of something is told from every other fault, whichever moment it
// chose, and what it kept from being written is put right afterwards.
import t from 'tap'
import { slugImageReference } from '../../server/model/slug.js'
import { createImageKeeper } from '../../server/dynos/image-keeper.js'
import { loadConfig } from '../../server/config.js'
import { abandon, beginBuild, leaveBuild } from '../../server/actions/build-rows.js'
import type { Platform } from '../../server/platform.js'
import type { Source } from '../../server/build/source.js'
import { findBuild, insertBuild } from '../../server/store/builds.js'
import { throughOutages } from '../../server/store/database.js'
import { startTestDatabase, waitFor } from '../support/database.js'
import { makeApp } from './rows.js'

const { db } = await startTestDatabase(t)
const unavailable = { id: 'unavailable', message: /database does not answer right now; try again/ }

t.test('a connection lost in the middle of a statement is the database being away', async (t) => {
  await t.rejects(db.query('SELECT pg_terminate_backend(pg_backend_pid())'), unavailable)
  t.equal(await db.isUp(), true)
})

t.test('a connection lost between two statements of a transaction is as well', async (t) => {
  const cut = db.transaction(async (tx) => {
    const [own] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    // The other end is closed, and known to be, before the next statement is tried.
    await db.query('SELECT pg_terminate_backend($1, 5000)', [own?.pid])
    await new Promise((resolve) => setImmediate(resolve))
    await tx.query('SELECT 1')
  })
  await t.rejects(cut, unavailable)
})

t.test('what is tried through outages is tried again for that reason only', async (t) => {
  let tries = 0
  const answer = await throughOutages(async () => {
    tries++
    if (tries === 1) await db.query('SELECT pg_terminate_backend(pg_backend_pid())')
    return 'written'
  })
  t.same([answer, tries], ['written', 2])
  await t.rejects(
    throughOutages(() => db.query('SELECT 1/0')),
    { message: /division by zero/ },
  )
})

t.test('a build whose end could not be written is ended, and its image goes; what is under way stays', async (t) => {
  const config = loadConfig({ PAAS_DATA_DIR: t.testdir(), PAAS_INSTANCE: 'kept' })
  const { app, account } = await makeApp(db)
  const { app: busy } = await makeApp(db)
  const platform = {
    db,
    log: { info: () => {}, warn: () => {} },
    buildsUnderWay: new Set<string>(),
    appLog: () => {},
    nudge: () => {},
    nudgeImages: () => {},
  } as unknown as Platform
  const source = { commit: 'c1', description: '', ref: 'refs/heads/master' } as Source
  const begun = async (of: typeof app) => (await beginBuild(platform, { account, app: of, source }, () => {})) ?? ''
  const underWay = await begun(busy)
  const left = await begun(app)
  leaveBuild(platform, app.id, left, false)

  const images = new Set([left, underWay].map((id) => slugImageReference('kept', id === left ? app.id : busy.id, id)))
  const keeper = createImageKeeper({
    db,
    config,
    log: platform.log,
    buildsUnderWay: platform.buildsUnderWay,
    listTags: async () => [...images],
    removeImage: async (reference) => void images.delete(reference),
  })
  t.teardown(() => keeper.stop())
  await waitFor('the image to go', async () => (images.size === 1 ? true : undefined))
  t.match(await findBuild(db, app.id, left), { status: 'failed', failure: 'the platform was interrupted; push again' })
  t.match(await findBuild(db, busy.id, underWay), { status: 'pending' })
  t.same([...images], [slugImageReference('kept', busy.id, underWay)])

  const fault = new Error('a fault of ours')
  t.equal(await abandon(platform, underWay, ['-----> Python\n'], fault), fault)
  t.match(await findBuild(db, busy.id, underWay), { status: 'failed', failure: /the platform failed/ })
})

t.test('another build of the same app is refused while one is under way, and is not under way itself', async (t) => {
  const { app, account } = await makeApp(db)
  const fields = { appId: app.id, accountId: account.id, commit: 'c1', commitDescription: '' }
  const said: string[] = []
  const nudges: string[] = []
  const platform = {
    db,
    buildsUnderWay: new Set<string>(),
    nudge: () => {},
    nudgeImages: () => nudges.push('images'),
    appLog: () => {},
  } as unknown as Platform
  const source = { commit: 'c2', description: '', ref: 'refs/heads/master' } as Source
  // As by a push that began in the same moment: whatever was there before would have been taken for abandoned.
  const racing = {
    ...db,
    query: async (text: string, values?: readonly unknown[]) => {
      if (text.startsWith('INSERT INTO builds')) await insertBuild(db, fields)
      return db.query(text, values)
    },
  }
  t.equal(
    await beginBuild({ ...platform, db: racing } as Platform, { account, app, source }, (s) => said.push(s)),
    undefined,
  )
  t.match(said.join(''), /Another build of this app is under way/)
  t.same([...platform.buildsUnderWay], [])
  t.same(nudges, ['images'])
})
