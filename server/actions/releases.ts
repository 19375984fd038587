/**
 * Making releases. Each function changes rows in one transaction under the app's lock and returns; the reconcile loop
 * does the rest. There is no rollback code: a rollback is one more release.
 */
import { failpoint } from '../lib/failpoint.js'
import type { Account } from '../model/account.js'
import type { App } from '../model/app.js'
import { type ConfigVars, type ConfigVarsChange, describeConfigChange, mergeConfigVars } from '../model/config-vars.js'
import { isUnavailable, invalid, notFound, PlatformError } from '../model/errors.js'
import type { Release } from '../model/release.js'
import { attachedConfigVars } from './attached-config-vars.js'
import type { Platform } from '../platform.js'
import { lockApp } from '../store/apps.js'
import type { Transaction } from '../store/database.js'
import {
  findNewestRelease,
  findRelease,
  findSlug,
  findTargetRelease,
  getRelease,
  insertRelease,
  isSlugPruned,
  readConfigVars,
} from '../store/releases.js'

/** What a new release has of its own; the rest comes from the app's newest. */
export interface ReleaseWish {
  readonly slugId?: string
  readonly configVars?: ConfigVars
  readonly description: string
  readonly accountId: string | undefined
}

/** Locks the app row for the rest of the transaction; refuses when the app is being destroyed. */
export async function lockLiveApp(tx: Transaction, app: Pick<App, 'id' | 'name'>): Promise<void> {
  if (!(await lockApp(tx, app.id))) throw notFound('app')
}

/** The app's config vars: those of its newest release, whether that succeeded or not. */
export async function currentConfigVars(tx: Pick<Transaction, 'query' | 'sealer'>, appId: string): Promise<ConfigVars> {
  const newest = await findNewestRelease(tx, appId)
  return newest ? readConfigVars(tx, newest) : {}
}

/** Adds the next release. Call it with the app's row locked. */
export async function createRelease(tx: Transaction, appId: string, wish: ReleaseWish): Promise<Release> {
  const slugId = wish.slugId ?? (await findTargetRelease(tx, appId))?.slugId
  const slug = slugId === undefined ? undefined : await findSlug(tx, slugId)
  const processTypes = slug?.processTypes ?? {}
  return insertRelease(tx, appId, {
    slugId,
    configVars: wish.configVars ?? (await currentConfigVars(tx, appId)),
    processTypes,
    description: wish.description,
    accountId: wish.accountId,
    // Without a slug there is nothing to run that could fail.
    status: slug ? 'pending' : 'succeeded',
    commandState: slug && processTypes.release !== undefined ? 'waiting' : 'none',
  })
}

/** Merges a change into the app's config vars as a new release; a change that changes nothing makes none. */
export async function setConfigVars(
  platform: Platform,
  account: Account,
  app: App,
  change: ConfigVarsChange,
): Promise<ConfigVars> {
  const after = await platform.db.transaction(async (tx) => {
    await lockLiveApp(tx, app)
    const before = await currentConfigVars(tx, app.id)
    const merged = mergeConfigVars(before, change)
    if (JSON.stringify(merged) === JSON.stringify(mergeConfigVars(before, {}))) return { merged, release: undefined }
    failpoint('config-set.before-release')
    const release = await createRelease(tx, app.id, {
      configVars: merged,
      description: describeConfigChange(change),
      accountId: account.id,
    })
    failpoint('config-set.before-commit')
    return { merged, release }
  })
  failpoint('config-set.committed')
  if (after.release) announceRelease(platform, app, account, after.release)
  return after.merged
}

/** Makes an earlier release's slug and config vars the newest release again. */
export async function rollbackTo(platform: Platform, account: Account, app: App, reference: string): Promise<Release> {
  const release = await platform.db.transaction(async (tx) => {
    await lockLiveApp(tx, app)
    const wanted = await findRelease(tx, app.id, reference)
    if (!wanted) throw notFound('release')
    if (!wanted.slugId) throw invalid(`v${wanted.version} has no slug; roll back to a release that was deployed.`)
    if (wanted.status === 'failed') throw invalid(`v${wanted.version} failed; roll back to a release that succeeded.`)
    if (await isSlugPruned(tx, wanted.slugId))
      throw new PlatformError(
        'gone',
        `The image of v${wanted.version} is no longer kept; push that commit again instead.`,
      )
    failpoint('rollback.before-release')
    return createRelease(tx, app.id, {
      slugId: wanted.slugId,
      // Add-ons stay as they are, and so do the config vars that lead to them.
      configVars: mergeConfigVars(await readConfigVars(tx, wanted), await attachedConfigVars(tx, app.id)),
      description: `Rollback to v${wanted.version}`,
      accountId: account.id,
    })
  })
  failpoint('rollback.committed')
  announceRelease(platform, app, account, release)
  return release
}

/** Tells the app's log and the loop about a release that is committed. */
export function announceRelease(
  platform: Platform,
  app: Pick<App, 'id'>,
  account: Pick<Account, 'email'>,
  release: Release,
): void {
  platform.appLog(app.id, {
    source: 'app',
    dyno: 'api',
    text: `Release v${release.version} created by user ${account.email}`,
  })
  platform.appLog(app.id, { source: 'app', dyno: 'api', text: `${release.description} by user ${account.email}` })
  platform.nudge(app.id)
}

/**
 * Waits until a release is settled (and, where it succeeded, routed) and returns it as it then is. `onNews` hears lines and
 * steps meanwhile. Rows decide; news only say when to look.
 */
export function awaitOutcome(
  platform: Platform,
  { id, appId, version }: Pick<Release, 'id' | 'appId' | 'version'>,
  onNews: (news: { readonly kind: 'line' | 'step'; readonly text: string }) => void,
): Promise<Release> {
  return new Promise((resolve, reject) => {
    let published = 0
    const stop = () => {
      clearInterval(timer)
      for (const unsubscribe of subscriptions) unsubscribe()
    }
    const look = async () => {
      try {
        const release = await getRelease(platform.db, id)
        if (release.status === 'pending' || (release.status === 'succeeded' && published < version)) return
        stop()
        resolve(release)
      } catch (error) {
        // A database that is away comes back; anything else ends the wait.
        if (isUnavailable(error)) return
        stop()
        reject(error as Error)
      }
    }
    const subscriptions = [id, appId].map((key) =>
      platform.releaseNews.subscribe(key, (news) => {
        if (news.kind === 'line' || news.kind === 'step') return onNews(news)
        if (news.kind === 'published') published = Math.max(published, news.version)
        void look()
      }),
    )
    // The row is looked at now and then too: a release can be failed where no news come from.
    const timer = setInterval(() => void look(), 2_000)
  })
}
