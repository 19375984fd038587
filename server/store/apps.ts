import type { App } from '../model/app.js'
import type { Queryable, Transaction } from './database.js'

interface AppRow {
  id: string
  name: string
  owner_id: string
  owner_email: string
  created_at: Date
  updated_at: Date
  released_at: Date | null
  maintenance: boolean
  buildpacks: string[]
  restarted_at: Date | null
  destroyed_at: Date | null
  network_index: number | null
}

function toApp(row: AppRow): App {
  return {
    id: row.id,
    name: row.name,
    ownerId: row.owner_id,
    ownerEmail: row.owner_email,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    releasedAt: row.released_at ?? undefined,
    maintenance: row.maintenance,
    buildpacks: row.buildpacks,
    restartedAt: row.restarted_at ?? undefined,
    destroyedAt: row.destroyed_at ?? undefined,
    networkIndex: row.network_index ?? undefined,
  }
}

const select = `SELECT a.*, o.email AS owner_email,
  (SELECT max(created_at) FROM releases r WHERE r.app_id = a.id AND r.slug_id IS NOT NULL AND r.status = 'succeeded') AS released_at
  FROM apps a JOIN accounts o ON o.id = a.owner_id`

/** Throws a unique violation of `apps_name` when the name is taken. */
export async function insertApp(db: Queryable, name: string, ownerId: string): Promise<App> {
  const rows = await db.query<{ id: string }>('INSERT INTO apps (name, owner_id) VALUES ($1, $2) RETURNING id', [
    name,
    ownerId,
  ])
  return getApp(db, (rows[0] as { id: string }).id)
}

async function getApp(db: Queryable, appId: string): Promise<App> {
  const app = await findApp(db, appId)
  if (!app) throw new Error(`app ${appId} vanished`)
  return app
}

/** By id or name; destroyed ones are not found. */
export async function findLiveApp(db: Queryable, idOrName: string): Promise<App | undefined> {
  const [row] = await db.query<AppRow>(`${select} WHERE (a.id::text = $1 OR a.name = $1) AND a.destroyed_at IS NULL`, [
    idOrName,
  ])
  return row && toApp(row)
}

/** By id, destroyed or not. */
export async function findApp(db: Queryable, appId: string): Promise<App | undefined> {
  const [row] = await db.query<AppRow>(`${select} WHERE a.id = $1`, [appId])
  return row && toApp(row)
}

export async function listApps(db: Queryable, ownerId: string | undefined): Promise<App[]> {
  const rows = await db.query<AppRow>(
    `${select} WHERE a.destroyed_at IS NULL AND ($1::uuid IS NULL OR a.owner_id = $1) ORDER BY a.name`,
    [ownerId ?? null],
  )
  return rows.map(toApp)
}

/** Every app the loop must look at, destroyed ones until they are gone. */
export async function listAppIds(db: Queryable): Promise<string[]> {
  return (await db.query<{ id: string }>('SELECT id FROM apps ORDER BY created_at')).map((r) => r.id)
}

/** Serialises everything that makes a release of the app. False when it has been destroyed. */
export async function lockApp(tx: Transaction, appId: string): Promise<boolean> {
  const rows = await tx.query<object>('SELECT 1 FROM apps WHERE id = $1 AND destroyed_at IS NULL FOR UPDATE', [appId])
  return rows.length === 1
}

/** Throws a unique violation of `apps_name` when the new name is taken. */
export async function updateApp(
  db: Queryable,
  appId: string,
  change: { name?: string; maintenance?: boolean; buildpacks?: readonly string[] },
): Promise<App> {
  await db.query(
    `UPDATE apps SET name = coalesce($2, name), maintenance = coalesce($3, maintenance),
       buildpacks = coalesce($4::jsonb, buildpacks), updated_at = now() WHERE id = $1`,
    [
      appId,
      change.name ?? null,
      change.maintenance ?? null,
      change.buildpacks ? JSON.stringify(change.buildpacks) : null,
    ],
  )
  return getApp(db, appId)
}

/** Gives the app a private network's index if it has none: the lowest free one below `limit`. */
export async function assignNetworkIndex(tx: Transaction, appId: string, limit: number): Promise<number | undefined> {
  await tx.query('SELECT pg_advisory_xact_lock(7274117)')
  const [row] = await tx.query<{ network_index: number }>(
    `UPDATE apps SET network_index = coalesce(network_index, (
       SELECT min(i) FROM generate_series(0, $2 - 1) i WHERE NOT EXISTS (SELECT 1 FROM apps o WHERE o.network_index = i)))
     WHERE id = $1 RETURNING network_index`,
    [appId, limit],
  )
  return row?.network_index ?? undefined
}

export async function markAppDestroyed(db: Queryable, appId: string): Promise<boolean> {
  const rows = await db.query<object>(
    'UPDATE apps SET destroyed_at = now(), updated_at = now() WHERE id = $1 AND destroyed_at IS NULL RETURNING id',
    [appId],
  )
  return rows.length === 1
}

/** The last act of a destroyed app: its row and all that hangs on it go, and its name is free. */
export async function removeApp(db: Queryable, appId: string): Promise<void> {
  await db.query('DELETE FROM builds WHERE app_id = $1', [appId])
  await db.query('DELETE FROM one_offs WHERE app_id = $1', [appId])
  await db.query('DELETE FROM releases WHERE app_id = $1', [appId])
  await db.query('DELETE FROM apps WHERE id = $1 AND destroyed_at IS NOT NULL', [appId])
}
