/** Rows that store tests begin with. */
import { dynoUid } from '../../server/model/dyno-user.js'
import type { ConfigVars } from '../../server/model/config-vars.js'
import type { Release } from '../../server/model/release.js'
import type { Slug } from '../../server/model/slug.js'
import { insertAccount } from '../../server/store/accounts.js'
import { insertApp, lockApp } from '../../server/store/apps.js'
import type { Database } from '../../server/store/database.js'
import { insertRelease, insertSlug, type ReleaseChange } from '../../server/store/releases.js'

let made = 0

export async function makeApp(db: Database, name = `app-${++made}`) {
  const account = await insertAccount(db, `${name}@example.com`, false)
  return { account, app: await insertApp(db, name, account.id) }
}

/** Adds a release as actions do: in a transaction that holds the app's row. */
export function makeRelease(
  db: Database,
  appId: string,
  change: Partial<ReleaseChange> & { readonly configVars?: ConfigVars } = {},
): Promise<Release> {
  return db.transaction(async (tx) => {
    await lockApp(tx, appId)
    return insertRelease(tx, appId, {
      slugId: undefined,
      configVars: {},
      processTypes: { web: 'serve' },
      description: 'Deploy',
      accountId: undefined,
      status: 'pending',
      commandState: 'none',
      ...change,
    })
  })
}

export function makeSlug(db: Database, appId: string): Promise<Slug> {
  const commit = String(++made)
  return insertSlug(db, {
    appId,
    commit,
    commitDescription: '',
    imageId: `sha256:${commit}`,
    imageReference: `test/app:${commit}`,
    sizeBytes: 5_000_000_000,
    processTypes: { web: 'serve' },
    healthChecks: [],
    buildpacks: ['heroku/python'],
    stack: 'paas-13',
    uid: dynoUid,
  })
}
