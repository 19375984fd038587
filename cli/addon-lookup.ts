/** Finding add-ons and attachments by what people call them. */
import { type ApiClient, route } from './api-client.js'
import type { AddOn, AddOnAttachment } from './api-types.js'
import { CliError } from './errors.js'
import { formatPrice, listOf } from './format.js'

/** The one add-on that `name` means: its own name, an attachment of the app's, or a service with one add-on. */
export async function resolveAddOn(api: ApiClient, name: string, app: string | undefined): Promise<AddOn> {
  const found = await api.post<AddOn[]>('/actions/addons/resolve', {
    addon: name,
    ...(app === undefined ? {} : { app }),
  })
  const [only] = found
  if (only === undefined) throw new CliError(`Couldn't find the add-on ${name}. See paas addons.`)
  if (found.length > 1)
    throw new CliError(`${name} means several add-ons: ${listOf(found.map((a) => a.name))}. Name one.`)
  return only
}

export function listAttachments(api: ApiClient, app: string): Promise<AddOnAttachment[]> {
  return api.list<AddOnAttachment>(route`/apps/${app}/addon-attachments`)
}

/** `free`, `$5/month`. */
export function addOnPrice(addon: AddOn): string {
  return formatPrice(addon.plan.price)
}

/** `created`, as Heroku words the state `provisioned`. */
export function addOnState(addon: AddOn): string {
  const words: Readonly<Record<string, string>> = { provisioned: 'created', provisioning: 'creating' }
  return words[addon.state] ?? addon.state
}
