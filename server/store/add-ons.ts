import type { AddOn, AddOnState, Attachment } from '../model/add-on.js'
import type { Queryable } from './database.js'

interface AddOnRow {
  id: string
  name: string
  app_id: string | null
  app_name: string
  service: string
  plan: string
  state: AddOnState
  secrets: string
  failure: string | null
  created_at: Date
  updated_at: Date
  destroyed_at: Date | null
}

function toAddOn(row: AddOnRow): AddOn {
  return {
    id: row.id,
    name: row.name,
    appId: row.app_id ?? '',
    appName: row.app_name,
    service: row.service,
    plan: row.plan,
    state: row.state,
    failure: row.failure ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    destroyedAt: row.destroyed_at ?? undefined,
  }
}

/** What a provider keeps sealed with the add-on's row: for PostgreSQL user, password and database. */
export type AddOnSecrets = Readonly<Record<string, string>>

/** Throws a unique violation when the name is taken. */
export async function insertAddOn(
  db: Queryable,
  fields: {
    id: string
    name: string
    appId: string
    appName: string
    service: string
    plan: string
    secrets: AddOnSecrets
  },
): Promise<AddOn> {
  const [row] = await db.query<AddOnRow>(
    `INSERT INTO add_ons (id, name, app_id, app_name, service, plan, secrets) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *`,
    [
      fields.id,
      fields.name,
      fields.appId,
      fields.appName,
      fields.service,
      fields.plan,
      db.sealer.seal(JSON.stringify(fields.secrets), `add-on:${fields.id}`),
    ],
  )
  return toAddOn(row as AddOnRow)
}

export async function readAddOnSecrets(db: Queryable, addOnId: string): Promise<AddOnSecrets> {
  const [row] = await db.query<{ secrets: string }>('SELECT secrets FROM add_ons WHERE id = $1', [addOnId])
  if (!row) throw new Error(`add-on ${addOnId} vanished`)
  return JSON.parse(db.sealer.unseal(row.secrets, `add-on:${addOnId}`)) as AddOnSecrets
}

/** Not destroyed ones, by id or name. */
export async function findAddOn(db: Queryable, idOrName: string): Promise<AddOn | undefined> {
  const [row] = await db.query<AddOnRow>(
    "SELECT * FROM add_ons WHERE (id::text = $1 OR name = $1) AND state <> 'deprovisioned'",
    [idOrName],
  )
  return row && toAddOn(row)
}

/** Not destroyed ones: all, or those created for one app. */
export async function listAddOns(db: Queryable, appId?: string): Promise<AddOn[]> {
  const rows = await db.query<AddOnRow>(
    "SELECT * FROM add_ons WHERE state <> 'deprovisioned' AND ($1::uuid IS NULL OR app_id = $1) ORDER BY created_at",
    [appId ?? null],
  )
  return rows.map(toAddOn)
}

/** For the add-on loop: every one, the destroyed too until their data is gone. */
export async function listAllAddOns(db: Queryable): Promise<AddOn[]> {
  return (await db.query<AddOnRow>('SELECT * FROM add_ons ORDER BY created_at')).map(toAddOn)
}

/** Compare-and-set from provisioning; a failure keeps the state and is tried again. */
export async function settleAddOn(
  db: Queryable,
  addOnId: string,
  end: { failure: string } | 'provisioned',
): Promise<boolean> {
  const rows =
    end === 'provisioned'
      ? await db.query<object>(
          "UPDATE add_ons SET state = 'provisioned', failure = NULL, updated_at = now() WHERE id = $1 AND state = 'provisioning' RETURNING id",
          [addOnId],
        )
      : await db.query<object>(
          "UPDATE add_ons SET failure = $2, updated_at = now() WHERE id = $1 AND state <> 'deprovisioned' RETURNING id",
          [addOnId, end.failure],
        )
  return rows.length === 1
}

/** What kept a provisioned add-on from running is over. */
export async function clearAddOnFailure(db: Queryable, addOnId: string): Promise<void> {
  await db.query('UPDATE add_ons SET failure = NULL, updated_at = now() WHERE id = $1 AND failure IS NOT NULL', [
    addOnId,
  ])
}

export async function markAddOnDestroyed(db: Queryable, addOnId: string): Promise<void> {
  await db.query(
    "UPDATE add_ons SET state = 'deprovisioned', destroyed_at = now(), updated_at = now() WHERE id = $1 AND state <> 'deprovisioned'",
    [addOnId],
  )
}

export async function removeAddOn(db: Queryable, addOnId: string): Promise<void> {
  await db.query("DELETE FROM add_ons WHERE id = $1 AND state = 'deprovisioned'", [addOnId])
}

interface AttachmentRow {
  id: string
  add_on_id: string
  add_on_name: string
  app_id: string
  app_name: string
  name: string
  created_at: Date
  updated_at: Date
}

function toAttachment(row: AttachmentRow): Attachment {
  return {
    id: row.id,
    addOnId: row.add_on_id,
    addOnName: row.add_on_name,
    appId: row.app_id,
    appName: row.app_name,
    name: row.name,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

const selectAttachment = `SELECT t.*, o.name AS add_on_name, a.name AS app_name
  FROM attachments t JOIN add_ons o ON o.id = t.add_on_id JOIN apps a ON a.id = t.app_id`

/** Throws a unique violation when the app has an attachment of that name. */
export async function insertAttachment(
  db: Queryable,
  addOnId: string,
  appId: string,
  name: string,
): Promise<Attachment> {
  const [row] = await db.query<{ id: string }>(
    'INSERT INTO attachments (add_on_id, app_id, name) VALUES ($1, $2, $3) RETURNING id',
    [addOnId, appId, name],
  )
  return (await findAttachment(db, row?.id ?? '')) as Attachment
}

export async function findAttachment(db: Queryable, attachmentId: string): Promise<Attachment | undefined> {
  const [row] = await db.query<AttachmentRow>(`${selectAttachment} WHERE t.id::text = $1`, [attachmentId])
  return row && toAttachment(row)
}

export async function listAttachments(
  db: Queryable,
  of: { readonly appId?: string; readonly addOnId?: string } = {},
): Promise<Attachment[]> {
  const rows = await db.query<AttachmentRow>(
    `${selectAttachment} WHERE ($1::uuid IS NULL OR t.app_id = $1) AND ($2::uuid IS NULL OR t.add_on_id = $2) ORDER BY t.created_at`,
    [of.appId ?? null, of.addOnId ?? null],
  )
  return rows.map(toAttachment)
}

export async function removeAttachment(db: Queryable, attachmentId: string): Promise<void> {
  await db.query('DELETE FROM attachments WHERE id = $1', [attachmentId])
}
