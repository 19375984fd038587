import { randomUUID } from 'node:crypto'
import { failpoint } from '../lib/failpoint.js'
import type { Account } from '../model/account.js'
import { type AddOn, type Attachment, findPlan, findService } from '../model/add-on.js'
import type { App } from '../model/app.js'
import { mergeConfigVars } from '../model/config-vars.js'
import type { Release } from '../model/release.js'
import { invalid, notFound, PlatformError } from '../model/errors.js'
import { newPostgresSecrets, suggestAddOnName } from '../model/postgres-url.js'
import type { Platform } from '../platform.js'
import {
  findAddOn,
  findAttachment,
  insertAddOn,
  insertAttachment,
  listAttachments,
  markAddOnDestroyed,
  removeAttachment,
} from '../store/add-ons.js'
import { assignNetworkIndex, findLiveApp } from '../store/apps.js'
import { isUniqueViolation, type Transaction } from '../store/database.js'
import { appNetworkCount } from '../model/subnets.js'
import { appFor, mayUseApp } from './access.js'
import { configVarsOf } from './attached-config-vars.js'
import { announceRelease, createRelease, currentConfigVars, lockLiveApp } from './releases.js'

export interface AddOnWish {
  /** `heroku-postgresql` or `heroku-postgresql:standard-0`. */
  readonly plan: string
  readonly name?: string
  readonly attachment?: AttachmentWish
}

export interface AttachmentWish {
  readonly name?: string
  /** The app's name: an attachment that has the wished name already is replaced. */
  readonly confirm?: string
}

interface Attached {
  readonly attachment: Attachment
  /** What had its name before. */
  readonly replaced: Attachment | undefined
}

const attachmentPattern = /^[A-Z][A-Z0-9_]{0,60}$/

/** Makes an add-on for an app and attaches it: rows, a release with its URL; the add-on loop makes the thing itself. */
export async function createAddOn(platform: Platform, account: Account, app: App, wish: AddOnWish): Promise<AddOn> {
  const made = await platform.db.transaction(async (tx) => {
    await lockLiveApp(tx, app)
    const addOn = await insertNewAddOn(tx, app, wish)
    const attached = await attachWithin(tx, platform, app, addOn, wish.attachment ?? {})
    failpoint('add-on-create.before-release')
    const release = await releaseOfAttachment(tx, app, account, attached)
    failpoint('add-on-create.before-commit')
    return { addOn, release }
  })
  failpoint('add-on-create.committed')
  announceRelease(platform, app, account, made.release)
  platform.nudgeAddOns()
  return made.addOn
}

async function insertNewAddOn(tx: Transaction, app: App, wish: AddOnWish): Promise<AddOn> {
  const found = findPlan(wish.plan)
  if (!found) throw unknownPlan(wish.plan)
  const name = wish.name ?? suggestAddOnName(Math.random)
  if (!/^[a-z][a-z0-9-]{2,62}$/.test(name))
    throw invalid('An add-on name must be 3 to 63 lower-case letters, digits and dashes.')
  if (wish.name !== undefined && (await findAddOn(tx, name)))
    throw invalid(`The add-on name ${name} is taken; choose another.`)
  try {
    return await insertAddOn(tx, {
      id: randomUUID(),
      name,
      appId: app.id,
      appName: app.name,
      service: found.service.name,
      plan: found.plan.name,
      secrets: newPostgresSecrets(),
    })
  } catch (error) {
    if (isUniqueViolation(error)) throw invalid(`The add-on name ${name} is taken; choose another.`)
    throw error
  }
}

function unknownPlan(plan: string): PlatformError {
  const service = findService(plan.split(':')[0] ?? '')
  return service
    ? invalid(
        `${service.name} has no plan '${plan.split(':')[1]?.slice(0, 40)}'; the plans are ${service.plans.map((p) => p.name).join(', ')}.`,
      )
    : notFound('add_on_service', `add-on service '${plan.slice(0, 60)}'. Available here: heroku-postgresql`)
}

/** Attaches within a transaction that locked the app, and gives the app its private network. */
async function attachWithin(
  tx: Transaction,
  platform: Platform,
  app: App,
  addOn: AddOn,
  wish: AttachmentWish,
): Promise<Attached> {
  const present = await listAttachments(tx, { appId: app.id })
  const name = wish.name?.toUpperCase() ?? freeAttachmentName(addOn, new Set(present.map((a) => a.name)))
  if (!attachmentPattern.test(name))
    throw invalid('An attachment name must be capital letters, digits and underscores, such as DATABASE.')
  const replaced = present.find((a) => a.name === name)
  if (replaced) await takeAway(tx, app, replaced, addOn, wish.confirm)
  if ((await assignNetworkIndex(tx, app.id, appNetworkCount(platform.config.subnets))) === undefined)
    throw new PlatformError('unavailable', 'All private networks of this machine are in use; widen PAAS_SUBNETS.')
  return { attachment: await insertAttachment(tx, addOn.id, app.id, name), replaced }
}

/** Makes room for another add-on under the attachment's name. An add-on that nothing names any more would be lost to its app. */
async function takeAway(
  tx: Transaction,
  app: App,
  attachment: Attachment,
  by: AddOn,
  confirm: string | undefined,
): Promise<void> {
  const { name, addOnName } = attachment
  if (attachment.addOnId === by.id) throw invalid(`${addOnName} is attached to ${app.name} as ${name} already.`)
  if (confirm !== app.name)
    throw new PlatformError(
      'confirmation_required',
      `${app.name} has an attachment ${name} already, to ${addOnName}. Give another name with --as, or replace it with --confirm ${app.name}.`,
    )
  if ((await listAttachments(tx, { addOnId: attachment.addOnId })).length === 1)
    throw invalid(
      `${name} is the only attachment of ${addOnName}. Give that another one first: paas addons:attach ${addOnName} --app ${app.name}`,
    )
  await removeAttachment(tx, attachment.id)
}

/** DATABASE first, then a colour, as Heroku names them. */
function freeAttachmentName(addOn: AddOn, taken: ReadonlySet<string>): string {
  const first = findService(addOn.service)?.attachmentName ?? 'ADDON'
  if (!taken.has(first)) return first
  const colours =
    'AMBER AQUA BLUE BRONZE COBALT COPPER CRIMSON CYAN GOLD GRAY GREEN IVORY JADE MAROON OLIVE ORANGE PINK PURPLE RED ROSE SILVER TEAL WHITE YELLOW'.split(
      ' ',
    )
  return (
    colours.map((c) => `HEROKU_POSTGRESQL_${c}`).find((c) => !taken.has(c)) ??
    `HEROKU_POSTGRESQL_${randomUUID().slice(0, 8).toUpperCase()}`
  )
}

/** The release in which the app gets to know an attachment. */
async function releaseOfAttachment(tx: Transaction, app: App, account: Account, { attachment, replaced }: Attached) {
  const gone = replaced ? await withoutVarsOf(tx, replaced) : {}
  const vars = { ...gone, ...(await configVarsOf(tx, attachment)) }
  // Heroku's client looks for these words to follow a promotion's release command.
  const detached = replaced ? `, Detach ${replaced.name} (${replaced.addOnName})` : ''
  return releaseWith(tx, app, account, vars, `Attach ${attachment.name} (${attachment.addOnName})${detached}`)
}

/** The change of config vars that takes an attachment's away. */
async function withoutVarsOf(tx: Transaction, attachment: Attachment): Promise<Readonly<Record<string, null>>> {
  return Object.fromEntries(Object.keys(await configVarsOf(tx, attachment)).map((name) => [name, null]))
}

async function releaseWith(
  tx: Transaction,
  app: App,
  account: Account,
  change: Readonly<Record<string, string | null>>,
  description: string,
) {
  const merged = mergeConfigVars(await currentConfigVars(tx, app.id), change)
  return createRelease(tx, app.id, { configVars: merged, description, accountId: account.id })
}

/** Lets an app use an add-on, under another name too, or under the name that another add-on had. */
export async function attachAddOn(
  platform: Platform,
  account: Account,
  app: App,
  addOn: AddOn,
  wish: AttachmentWish = {},
): Promise<Attachment> {
  const made = await platform.db.transaction(async (tx) => {
    await lockLiveApp(tx, app)
    if (!(await findAddOn(tx, addOn.id))) throw notFound('add_on', 'add-on')
    const attached = await attachWithin(tx, platform, app, addOn, wish)
    const release = await releaseOfAttachment(tx, app, account, attached)
    failpoint('add-on-attach.before-commit')
    return { attachment: attached.attachment, release }
  })
  failpoint('add-on-attach.committed')
  announceRelease(platform, app, account, made.release)
  platform.nudgeAddOns()
  return made.attachment
}

/** Takes an attachment away: its config var goes with a new release, and the way to the add-on closes. */
export async function detachAddOn(platform: Platform, account: Account, attachment: Attachment): Promise<void> {
  const app = await appFor(platform, account, attachment.appId)
  const release = await platform.db.transaction(async (tx) => {
    const made = await detachWithin(tx, account, app, attachment)
    failpoint('add-on-detach.before-commit')
    return made
  })
  failpoint('add-on-detach.committed')
  announceRelease(platform, app, account, release)
  platform.nudgeAddOns()
}

async function detachWithin(tx: Transaction, account: Account, app: App, attachment: Attachment): Promise<Release> {
  await lockLiveApp(tx, app)
  if (!(await findAttachment(tx, attachment.id))) throw notFound('attachment')
  const change = await withoutVarsOf(tx, attachment)
  await removeAttachment(tx, attachment.id)
  return releaseWith(tx, app, account, change, `Detach ${attachment.name} (${attachment.addOnName})`)
}

/** Detaches it from every app and marks it destroyed; its data is kept for the retention time. */
export async function destroyAddOn(
  platform: Platform,
  account: Account,
  addOn: AddOn,
  confirm: string | undefined,
): Promise<void> {
  const attachments = await listAttachments(platform.db, { addOnId: addOn.id })
  const others = attachments.filter((a) => a.appId !== addOn.appId)
  if (others.length > 0 && confirm !== addOn.appName)
    throw new PlatformError(
      'confirmation_required',
      `${addOn.name} is attached to ${others.map((a) => a.appName).join(', ')} too; detach it there, or confirm with --confirm ${addOn.appName}.`,
    )
  // Always in the same order, so that two who lock the same apps don't wait for each other.
  attachments.sort((a, b) => (a.appId < b.appId ? -1 : 1))
  const apps = await Promise.all(attachments.map((a) => appFor(platform, account, a.appId)))
  const detached = await platform.db.transaction(async (tx) => {
    const made: { app: App; release: Release }[] = []
    for (const [at, app] of apps.entries()) {
      const attachment = attachments[at]
      if (attachment) made.push({ app, release: await detachWithin(tx, account, app, attachment) })
    }
    await markAddOnDestroyed(tx, addOn.id)
    failpoint('add-on-destroy.before-commit')
    return made
  })
  failpoint('add-on-destroy.committed')
  for (const { app, release } of detached) announceRelease(platform, app, account, release)
  platform.nudgeAddOns()
}

/** By id, or by name with the app it belongs to. */
export async function attachmentFor(
  platform: Platform,
  account: Account,
  reference: string,
  appReference?: string,
): Promise<Attachment> {
  const byId = await findAttachment(platform.db, reference)
  const attachment =
    byId ??
    (appReference === undefined
      ? undefined
      : (await listAttachments(platform.db, { appId: (await appFor(platform, account, appReference)).id })).find(
          (a) => a.name === reference.toUpperCase().replace(/_URL$/, ''),
        ))
  const app = attachment && (await findLiveApp(platform.db, attachment.appId))
  if (!attachment || !app || !mayUseApp(account, app)) throw notFound('add_on attachment', 'attachment')
  return attachment
}
