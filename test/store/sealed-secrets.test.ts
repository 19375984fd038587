// Goal: whoever can write rows, but lacks the key, can't make a secret come out anywhere but where it was put.
import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { createSealer } from '../../server/lib/seal.js'
import { insertAddOn, readAddOnSecrets } from '../../server/store/add-ons.js'
import type { Database } from '../../server/store/database.js'
import { readConfigVars } from '../../server/store/releases.js'
import { startTestDatabase } from '../support/database.js'
import { makeApp, makeRelease } from './rows.js'

const { db } = await startTestDatabase(t)

type Sealed = Record<string, string>

const rowOf = async (releaseId: string) =>
  (await db.query<{ config_vars: Sealed }>('SELECT config_vars FROM releases WHERE id = $1', [releaseId]))[0]
    ?.config_vars ?? {}

const write = (releaseId: string, configVars: Sealed) =>
  db.query('UPDATE releases SET config_vars = $2 WHERE id = $1', [releaseId, JSON.stringify(configVars)])

t.test('a config var opens for its app, its name and with its key, and for nothing else', async (t) => {
  const [{ app }, { app: thief }] = [await makeApp(db), await makeApp(db)]
  const own = await makeRelease(db, app.id, { configVars: { API_KEY: 'hunter2', OTHER: 'harmless' } })
  const thiefs = await makeRelease(db, thief.id, { configVars: { API_KEY: 'mine' } })
  const sealed = await rowOf(own.id)
  const value = sealed.API_KEY ?? ''
  t.notMatch(JSON.stringify(sealed), /hunter2|harmless/)

  await write(thiefs.id, { API_KEY: value })
  await t.rejects(readConfigVars(db, thiefs), 'another app')

  await write(own.id, { OTHER: value })
  await t.rejects(readConfigVars(db, own), 'another name')

  const [version, keyId, body] = value.split('.')
  const bytes = Buffer.from(body ?? '', 'base64')
  for (let at = 0; at < bytes.length; at++) {
    const bent = Buffer.from(bytes)
    bent[at] = (bent[at] ?? 0) ^ 1
    await write(own.id, { API_KEY: `${version}.${keyId}.${bent.toString('base64')}` })
    await t.rejects(readConfigVars(db, own), `byte ${at} changed`)
  }

  await write(own.id, { API_KEY: value })
  const other = createSealer(randomBytes(32))
  const withOtherKey = { query: db.query.bind(db), sealer: other } as unknown as Database
  await t.rejects(readConfigVars(withOtherKey, own), /another key/)
  // Even one that says it was sealed with the key at hand.
  const otherId = other.seal('x', 'x').split('.')[1]
  await write(own.id, { API_KEY: `${version}.${otherId}.${body}` })
  await t.rejects(readConfigVars(withOtherKey, own), 'another key under this one’s name')

  await write(own.id, sealed)
  t.strictSame(await readConfigVars(db, own), { API_KEY: 'hunter2', OTHER: 'harmless' })
})

t.test('an add-on’s secrets open for that add-on only, and for no config var', async (t) => {
  const { app } = await makeApp(db)
  const make = (password: string) =>
    insertAddOn(db, {
      id: randomUUID(),
      name: `postgresql-${randomBytes(3).toString('hex')}`,
      appId: app.id,
      appName: app.name,
      service: 'heroku-postgresql',
      plan: 'essential-0',
      secrets: { user: 'u', database: 'd', password },
    })
  const [first, second] = [await make('one'), await make('two')]
  const [row] = await db.query<{ secrets: string }>('SELECT secrets FROM add_ons WHERE id = $1', [first.id])
  await db.query('UPDATE add_ons SET secrets = $2 WHERE id = $1', [second.id, row?.secrets])
  await t.rejects(readAddOnSecrets(db, second.id))
  t.match(await readAddOnSecrets(db, first.id), { password: 'one' })
  const release = await makeRelease(db, app.id, { configVars: { PASSWORD: 'x' } })
  await write(release.id, { PASSWORD: row?.secrets ?? '' })
  await t.rejects(readConfigVars(db, release))
})
