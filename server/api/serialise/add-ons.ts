import { type AddOn, type Attachment, findPlan } from '../../model/add-on.js'
import type { AddOnBody, AttachmentBody } from '../schemas/add-ons.js'
import { freePrice, planRef, serviceRef, toPlan } from './catalogue.js'

/** The config var that an attachment sets. */
export function configVarOf(attachment: Pick<Attachment, 'name'>): string {
  return `${attachment.name}_URL`
}

function billedApp(addOn: Pick<AddOn, 'appId' | 'appName'>) {
  // The app may be gone while others still use its add-on.
  return { id: addOn.appId === '' ? null : addOn.appId, name: addOn.appName }
}

/** `attachments` are those of the add-on that may be shown; the config vars are those of the app it is shown for. */
export function toAddOn(addOn: AddOn, attachments: readonly Attachment[], forAppId: string = addOn.appId): AddOnBody {
  const found = findPlan(`${addOn.service}:${addOn.plan}`)
  if (!found)
    throw new Error(`add-on ${addOn.id} has plan ${addOn.service}:${addOn.plan}, which is not in the catalogue`)
  return {
    id: addOn.id,
    name: addOn.name,
    actions: [],
    addon_service: serviceRef(addOn.service),
    app: billedApp(addOn),
    billed_price: freePrice,
    billing_entity: { ...billedApp(addOn), type: 'app' },
    config_vars: attachments.filter((a) => a.addOnId === addOn.id && a.appId === forAppId).map(configVarOf),
    created_at: addOn.createdAt.toISOString(),
    plan: toPlan(found.service, found.plan),
    provider_id: addOn.id,
    provision_message: provisionMessage(addOn),
    state: addOn.state,
    updated_at: addOn.updatedAt.toISOString(),
    web_url: null,
  }
}

export function provisionMessage(addOn: AddOn): string | null {
  if (addOn.state === 'provisioned')
    return addOn.failure === undefined ? null : `${addOn.name} does not run and is tried again: ${addOn.failure}`
  if (addOn.state !== 'provisioning') return null
  return addOn.failure === undefined
    ? `${addOn.name} is being created in the background.`
    : `${addOn.name} could not be created yet and is tried again: ${addOn.failure}`
}

export function toAttachment(attachment: Attachment, addOn: AddOn): AttachmentBody {
  return {
    id: attachment.id,
    name: attachment.name,
    addon: { id: addOn.id, name: addOn.name, app: billedApp(addOn), plan: planRef(addOn.service, addOn.plan) },
    app: { id: attachment.appId, name: attachment.appName },
    config_vars: [configVarOf(attachment)],
    created_at: attachment.createdAt.toISOString(),
    log_input_url: null,
    namespace: null,
    updated_at: attachment.updatedAt.toISOString(),
    web_url: null,
  }
}
