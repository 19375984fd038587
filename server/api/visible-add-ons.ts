/** The add-ons and attachments an account may see: those made for, or attached to, an app of theirs. */
import { addOnFor, type Principal } from '../actions/access.js'
import { appsOf } from '../actions/apps.js'
import { attachmentFor } from '../actions/add-ons.js'
import type { AddOn, Attachment } from '../model/add-on.js'
import type { App } from '../model/app.js'
import { notFound, PlatformError } from '../model/errors.js'
import { listAddOns, listAttachments } from '../store/add-ons.js'
import type { ApiContext } from './context.js'
import type { AttachmentBody } from './schemas/add-ons.js'
import { toAttachment } from './serialise/add-ons.js'

export interface VisibleAddOns {
  readonly addOns: readonly AddOn[]
  readonly attachments: readonly Attachment[]
}

export async function visibleAddOns({ platform }: ApiContext, { account }: Principal): Promise<VisibleAddOns> {
  const [apps, addOns, attachments] = await Promise.all([
    appsOf(platform, account, true),
    listAddOns(platform.db),
    listAttachments(platform.db),
  ])
  const theirs = new Set(apps.map((app) => app.id))
  const visible = attachments.filter((a) => theirs.has(a.appId))
  const attached = new Set(visible.map((a) => a.addOnId))
  return { addOns: addOns.filter((a) => theirs.has(a.appId) || attached.has(a.id)), attachments: visible }
}

/** Those made for the app or attached to it. */
export async function addOnsOfApp({ platform }: ApiContext, app: App): Promise<VisibleAddOns> {
  const [addOns, attachments] = await Promise.all([
    listAddOns(platform.db),
    listAttachments(platform.db, { appId: app.id }),
  ])
  const attached = new Set(attachments.map((a) => a.addOnId))
  return { addOns: addOns.filter((a) => a.appId === app.id || attached.has(a.id)), attachments }
}

/** One that was made for the app or is attached to it, by id or name; another app's answers like an unknown one. */
export async function addOnOfApp(
  context: ApiContext,
  principal: Principal,
  app: App,
  reference: string,
): Promise<AddOn> {
  const addOn = await addOnFor(context.platform, principal.account, reference)
  const { addOns } = await addOnsOfApp(context, app)
  if (!addOns.some((a) => a.id === addOn.id)) throw notFound('add_on', 'add-on')
  return addOn
}

/** By id, or by name within an app of theirs. Somebody else's answers like an unknown one. */
export async function visibleAttachment(
  { platform }: ApiContext,
  principal: Principal,
  reference: string,
  app?: App,
): Promise<Attachment> {
  const unknown = notFound('add_on attachment', 'attachment')
  const found = await attachmentFor(platform, principal.account, reference, app?.id).catch((error: unknown) => {
    throw error instanceof PlatformError && error.id === 'not_found' ? unknown : error
  })
  if (app && found.appId !== app.id) throw unknown
  return found
}

/** Attachments with the add-ons they are of; one whose add-on went meanwhile is left out. */
export function attachmentsWith(
  { addOns }: Pick<VisibleAddOns, 'addOns'>,
  attachments: readonly Attachment[],
): AttachmentBody[] {
  const byId = new Map(addOns.map((a) => [a.id, a]))
  return attachments.flatMap((attachment) => {
    const addOn = byId.get(attachment.addOnId)
    return addOn ? [toAttachment(attachment, addOn)] : []
  })
}
