import { failpoint } from '../lib/failpoint.js'
import type { Account } from '../model/account.js'
import type { App } from '../model/app.js'
import { checkAppName, suggestAppName } from '../model/app-name.js'
import { invalid } from '../model/errors.js'
import type { Platform } from '../platform.js'
import { listAddOns, listAttachments, markAddOnDestroyed, removeAttachment } from '../store/add-ons.js'
import { insertApp, listApps, markAppDestroyed, updateApp } from '../store/apps.js'
import { isUniqueViolation } from '../store/database.js'
import { removeDomainsOf } from '../store/domains.js'
import { lockLiveApp, createRelease } from './releases.js'

/** Makes an app and its first, empty release. Without a name, suggests one until it is free. */
export async function createApp(platform: Platform, account: Account, wish: { readonly name?: string }): Promise<App> {
  for (let attempt = 0; ; attempt++) {
    const name = wish.name === undefined ? suggestAppName(Math.random) : checkAppName(wish.name)
    try {
      const app = await platform.db.transaction(async (tx) => {
        const made = await insertApp(tx, name, account.id)
        await createRelease(tx, made.id, { description: 'Initial release', accountId: account.id })
        failpoint('app-create.before-commit')
        return made
      })
      failpoint('app-create.committed')
      platform.appLog(app.id, { source: 'app', dyno: 'api', text: `Initial release by user ${account.email}` })
      platform.nudge(app.id)
      return app
    } catch (error) {
      if (!isUniqueViolation(error, 'apps_name')) throw error
      if (wish.name !== undefined || attempt >= 10) throw invalid(`Name ${name} is already taken; choose another.`)
    }
  }
}

/** Their own apps; an admin may ask for everybody's. */
export function appsOf(platform: Platform, account: Account, everybodys: boolean): Promise<App[]> {
  return listApps(platform.db, everybodys && account.isAdmin ? undefined : account.id)
}

export async function changeApp(
  platform: Platform,
  app: App,
  change: { readonly name?: string; readonly maintenance?: boolean },
): Promise<App> {
  if (change.name !== undefined) checkAppName(change.name)
  try {
    const changed = await updateApp(platform.db, app.id, change)
    failpoint('app-change.committed')
    if (change.maintenance !== undefined && change.maintenance !== app.maintenance)
      platform.appLog(app.id, {
        source: 'app',
        dyno: 'api',
        text: `Maintenance mode ${change.maintenance ? 'enabled' : 'disabled'}`,
      })
    platform.nudge(app.id)
    return changed
  } catch (error) {
    if (isUniqueViolation(error, 'apps_name')) throw invalid(`Name ${change.name} is already taken; choose another.`)
    throw error
  }
}

export async function setBuildpacks(platform: Platform, app: App, buildpacks: readonly string[]): Promise<App> {
  if (buildpacks.length > 20) throw invalid('An app may have 20 buildpacks at most.')
  for (const buildpack of buildpacks)
    if (!/^(?:[a-z0-9-]+\/)?[a-z0-9-]{1,60}$|^(?:https:\/\/|urn:)[^\s'"`$\\;|&<>]{1,500}$/.test(buildpack))
      throw invalid(`Buildpack '${buildpack.slice(0, 80)}' must be a name such as heroku/python or an https URL.`)
  return updateApp(platform.db, app.id, { buildpacks })
}

/**
 * Marks the app destroyed: from then on it wants nothing, its names are free to nobody until the loop has cleared it away,
 * and add-ons made for it go too (their data is kept for the retention time).
 */
export async function destroyApp(platform: Platform, app: App): Promise<void> {
  await platform.db.transaction(async (tx) => {
    await lockLiveApp(tx, app)
    for (const attachment of await listAttachments(tx, { appId: app.id })) await removeAttachment(tx, attachment.id)
    for (const addOn of await listAddOns(tx, app.id)) {
      const elsewhere = await listAttachments(tx, { addOnId: addOn.id })
      if (elsewhere.length === 0) await markAddOnDestroyed(tx, addOn.id)
    }
    await removeDomainsOf(tx, app.id)
    await markAppDestroyed(tx, app.id)
    failpoint('app-destroy.before-commit')
  })
  failpoint('app-destroy.committed')
  platform.nudge(app.id)
  platform.nudgeAddOns()
}
