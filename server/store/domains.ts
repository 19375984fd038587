import type { Domain } from '../model/domain.js'
import type { Queryable } from './database.js'

interface DomainRow {
  id: string
  app_id: string
  hostname: string
  created_at: Date
  updated_at: Date
}

function toDomain(row: DomainRow): Domain {
  return { id: row.id, appId: row.app_id, hostname: row.hostname, createdAt: row.created_at, updatedAt: row.updated_at }
}

/** Throws a unique violation when any app has the name. */
export async function insertDomain(db: Queryable, appId: string, hostname: string): Promise<Domain> {
  const [row] = await db.query<DomainRow>('INSERT INTO domains (app_id, hostname) VALUES ($1, $2) RETURNING *', [
    appId,
    hostname,
  ])
  return toDomain(row as DomainRow)
}

export async function listDomains(db: Queryable, appId: string): Promise<Domain[]> {
  return (await db.query<DomainRow>('SELECT * FROM domains WHERE app_id = $1 ORDER BY hostname', [appId])).map(toDomain)
}

export async function findDomain(db: Queryable, appId: string, idOrHostname: string): Promise<Domain | undefined> {
  const [row] = await db.query<DomainRow>(
    'SELECT * FROM domains WHERE app_id = $1 AND (id::text = $2 OR hostname = lower($2))',
    [appId, idOrHostname],
  )
  return row && toDomain(row)
}

export async function removeDomain(db: Queryable, domainId: string): Promise<void> {
  await db.query('DELETE FROM domains WHERE id = $1', [domainId])
}

export async function removeDomainsOf(db: Queryable, appId: string): Promise<void> {
  await db.query('DELETE FROM domains WHERE app_id = $1', [appId])
}
