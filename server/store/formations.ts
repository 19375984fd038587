import type { FormationEntry } from '../model/formation.js'
import type { Queryable, Transaction } from './database.js'

interface FormationRow {
  type: string
  quantity: number
  size: string
  updated_at: Date
}

export async function listFormation(db: Queryable, appId: string): Promise<FormationEntry[]> {
  const rows = await db.query<FormationRow>('SELECT * FROM formations WHERE app_id = $1 ORDER BY type', [appId])
  return rows.map((row) => ({ type: row.type, quantity: row.quantity, size: row.size, updatedAt: row.updated_at }))
}

export async function setFormationEntry(
  db: Queryable,
  appId: string,
  entry: Pick<FormationEntry, 'type' | 'quantity' | 'size'>,
): Promise<void> {
  await db.query(
    `INSERT INTO formations (app_id, type, quantity, size) VALUES ($1, $2, $3, $4)
     ON CONFLICT (app_id, type) DO UPDATE SET quantity = $3, size = $4, updated_at = now()`,
    [appId, entry.type, entry.quantity, entry.size],
  )
}

/** Gives process types that appear for the first time their first quantity; known ones keep theirs. */
export async function addFormationEntries(
  tx: Transaction,
  appId: string,
  entries: readonly Pick<FormationEntry, 'type' | 'quantity' | 'size'>[],
): Promise<void> {
  for (const entry of entries)
    await tx.query(
      'INSERT INTO formations (app_id, type, quantity, size) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
      [appId, entry.type, entry.quantity, entry.size],
    )
}

/** Asks for a restart of one dyno (`web.1`), one type (`web`) or, with an empty name, all of the app's. */
export async function requestRestart(db: Queryable, appId: string, name: string): Promise<void> {
  await db.query(
    `INSERT INTO dyno_restarts (app_id, name) VALUES ($1, $2) ON CONFLICT (app_id, name) DO UPDATE SET restarted_at = now()`,
    [appId, name],
  )
}

/** name → when a restart was last asked for. */
export async function listRestarts(db: Queryable, appId: string): Promise<ReadonlyMap<string, Date>> {
  const rows = await db.query<{ name: string; restarted_at: Date }>(
    'SELECT name, restarted_at FROM dyno_restarts WHERE app_id = $1',
    [appId],
  )
  return new Map(rows.map((row) => [row.name, row.restarted_at]))
}
