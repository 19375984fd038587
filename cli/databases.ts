/** The PostgreSQL databases of an app, by the names that its config vars have. */
import { listAttachments } from './addon-lookup.js'
import { type ApiClient, route } from './api-client.js'
import type { AddOn, AddOnAttachment } from './api-types.js'
import { CliError } from './errors.js'
import { listOf } from './format.js'

const serviceName = 'heroku-postgresql'

export interface Database {
  readonly addon: { readonly id: string; readonly name: string }
  /** Config vars of the app that hold its URL, `DATABASE_URL` first. */
  readonly configVars: readonly string[]
}

/** The databases attached to the app; its own ones and those of other apps. */
export async function listDatabases(api: ApiClient, app: string): Promise<Database[]> {
  const [attachments, addons] = await Promise.all([
    listAttachments(api, app),
    api.list<AddOn>(route`/apps/${app}/addons`),
  ])
  const byAddOn = new Map<string, AddOnAttachment[]>()
  for (const attachment of attachments)
    byAddOn.set(attachment.addon.id, [...(byAddOn.get(attachment.addon.id) ?? []), attachment])
  const databases: Database[] = []
  for (const [id, own] of byAddOn) {
    const addon = addons.find((a) => a.id === id) ?? (await api.get<AddOn>(route`/addons/${id}`))
    if (addon.addon_service.name !== serviceName) continue
    const configVars = own.map((attachment) => `${attachment.name}_URL`).sort(databaseFirst)
    databases.push({ addon: { id, name: addon.name }, configVars })
  }
  return databases.sort((a, b) => databaseFirst(a.configVars[0] ?? '', b.configVars[0] ?? ''))
}

function databaseFirst(a: string, b: string): number {
  return Number(b === 'DATABASE_URL') - Number(a === 'DATABASE_URL') || a.localeCompare(b)
}

/**
 * The database that `name` means: an attachment (`DATABASE`), a config var (`DATABASE_URL`) or an add-on's name; without
 * a name `DATABASE_URL`, or the only one. The config var asked for comes first in `configVars`.
 */
export async function getDatabase(api: ApiClient, app: string, name: string | undefined): Promise<Database> {
  const databases = await listDatabases(api, app)
  const wanted = name?.replace(/^.*::/, '')
  const [first] = databases
  if (first === undefined) throw new CliError(`${app} has no databases. Create one: paas addons:create ${serviceName}`)
  if (wanted === undefined) {
    if (databases.length === 1 || first.configVars[0] === 'DATABASE_URL') return first
    throw new CliError(
      `${app} has several databases: ${listOf(databases.map((d) => d.configVars[0] ?? ''))}. Name one.`,
    )
  }
  for (const database of databases) {
    const configVar = database.configVars.find((v) => v === wanted || v === `${wanted}_URL`)
    if (configVar !== undefined)
      return { ...database, configVars: [configVar, ...database.configVars.filter((v) => v !== configVar)] }
    if (database.addon.name === wanted) return database
  }
  const known = listOf(databases.flatMap((d) => d.configVars))
  throw new CliError(`${app} has no database ${wanted}. It has ${known}.`)
}
