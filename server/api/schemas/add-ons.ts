import Type, { type Static } from 'typebox'
import {
  alwaysNull,
  appParamsWith,
  id,
  idAndName,
  ignored,
  instant,
  mapOf,
  nullable,
  nullableString,
  strict,
  words,
} from './common.js'

const price = strict({
  cents: Type.Integer(),
  contract: Type.Boolean(),
  metered: Type.Boolean(),
  unit: Type.String(),
})

export const planBody = strict({
  id,
  name: Type.String(),
  addon_service: idAndName,
  compliance: alwaysNull,
  created_at: instant,
  default: Type.Boolean(),
  description: Type.String(),
  human_name: Type.String(),
  installable_inside_private_network: Type.Boolean(),
  installable_outside_private_network: Type.Boolean(),
  price,
  space_default: Type.Boolean(),
  state: words('ga'),
  updated_at: instant,
  visible: Type.Boolean(),
})
export type PlanBody = Static<typeof planBody>

export const serviceBody = strict({
  id,
  name: Type.String(),
  cli_plugin_name: nullableString,
  created_at: instant,
  human_name: Type.String(),
  state: words('ga'),
  supports_multiple_installations: Type.Boolean(),
  supports_sharing: Type.Boolean(),
  updated_at: instant,
})
export type ServiceBody = Static<typeof serviceBody>

export const addOnBody = strict({
  id,
  name: Type.String(),
  actions: Type.Array(strict({})),
  addon_service: idAndName,
  app: strict({ id: nullable(id), name: Type.String() }),
  billed_price: price,
  billing_entity: strict({ id: nullable(id), name: Type.String(), type: words('app') }),
  config_vars: Type.Array(Type.String()),
  created_at: instant,
  plan: planBody,
  provider_id: Type.String(),
  provision_message: nullableString,
  state: words('provisioning', 'provisioned', 'deprovisioned'),
  updated_at: instant,
  web_url: nullableString,
})
export type AddOnBody = Static<typeof addOnBody>

export const attachmentBody = strict({
  id,
  name: Type.String(),
  addon: strict({ id, name: Type.String(), app: strict({ id: nullable(id), name: Type.String() }), plan: idAndName }),
  app: idAndName,
  config_vars: Type.Array(Type.String()),
  created_at: instant,
  log_input_url: alwaysNull,
  namespace: alwaysNull,
  updated_at: instant,
  web_url: nullableString,
})
export type AttachmentBody = Static<typeof attachmentBody>

const reference = Type.String({ maxLength: 128 })

/** A name, an id, or an object with either. */
const referenceOrObject = Type.Union([
  reference,
  strict({ id: Type.Optional(reference), name: Type.Optional(reference) }),
])
export type ReferenceOrObject = Static<typeof referenceOrObject>

const confirm = Type.Optional(
  nullable(Type.String({ maxLength: 128, description: "The app's name, to replace an attachment of the same name." })),
)

export const createAddOnBody = strict({
  plan: referenceOrObject,
  attachment: Type.Optional(nullable(strict({ name: Type.Optional(nullable(reference)) }))),
  config: Type.Optional(nullable(mapOf(Type.Unknown(), { maxProperties: 50 }))),
  name: Type.Optional(nullable(Type.String({ maxLength: 256 }))),
  confirm,
  region: ignored,
})

export const destroyAddOnBody = nullable(
  strict({
    confirm: Type.Optional(nullable(reference)),
    force: Type.Optional(nullable(Type.Boolean({ description: 'Destroy it although other apps are attached.' }))),
  }),
)

export const createAttachmentBody = strict({
  addon: referenceOrObject,
  app: referenceOrObject,
  name: Type.Optional(nullable(reference)),
  namespace: Type.Optional(alwaysNull),
  confirm,
})

export const resolveAddOnBody = strict({
  addon: reference,
  app: Type.Optional(nullable(reference)),
  addon_service: Type.Optional(nullable(reference)),
})

export const resolveAttachmentBody = strict({
  addon_attachment: reference,
  app: Type.Optional(nullable(reference)),
  addon_service: Type.Optional(nullable(reference)),
})

export const addOnParams = strict({ addon: Type.String({ description: "An add-on's id or name." }) })
export const appAddOnParams = appParamsWith({ addon: Type.String({ description: "An add-on's id or name." }) })
export const attachmentParams = strict({ attachment: Type.String({ description: 'Its id.' }) })
export const appAttachmentParams = appParamsWith({ attachment: Type.String({ description: 'Its id or name.' }) })
export const serviceParams = strict({ service: Type.String({ description: 'Its id or name.' }) })

export const databaseBody = strict({
  id,
  name: Type.String(),
  plan: Type.String(),
  info: Type.Array(strict({ name: Type.String(), values: Type.Array(Type.String()) })),
  resource_url: nullableString,
  'waiting?': Type.Boolean(),
  created_at: instant,
})

export const waitStatusBody = strict({ 'waiting?': Type.Boolean(), message: Type.String() })
