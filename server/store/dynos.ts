import type { Dyno, DynoState, OneOff } from '../model/dyno.js'
import type { Queryable, Transaction } from './database.js'

interface DynoRow {
  id: string
  app_id: string
  name: string
  type: string
  size: string
  command: string
  state: DynoState
  release_id: string | null
  release_version: number
  failure: string | null
  created_at: Date
  updated_at: Date
}

function toDyno(row: DynoRow): Dyno {
  return {
    id: row.id,
    appId: row.app_id,
    name: row.name,
    type: row.type,
    size: row.size,
    command: row.command,
    state: row.state,
    releaseId: row.release_id ?? undefined,
    releaseVersion: row.release_version,
    failure: row.failure ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

export async function listDynos(db: Queryable, appId: string): Promise<Dyno[]> {
  const rows = await db.query<DynoRow>('SELECT * FROM dynos WHERE app_id = $1 ORDER BY type, length(name), name', [
    appId,
  ])
  return rows.map(toDyno)
}

export interface DynoSighting
  extends Pick<Dyno, 'name' | 'type' | 'size' | 'command' | 'state' | 'releaseId' | 'releaseVersion'> {
  readonly failure?: string | undefined
}

/** Writes what a pass saw: changed rows change, unseen rows go. */
export async function recordDynos(db: Queryable, appId: string, seen: readonly DynoSighting[]): Promise<void> {
  await db.query(
    `WITH seen AS (
       SELECT * FROM jsonb_to_recordset($2::jsonb)
         AS s(name text, type text, size text, command text, state text, "releaseId" uuid, "releaseVersion" int, failure text)),
     gone AS (DELETE FROM dynos WHERE app_id = $1 AND name NOT IN (SELECT name FROM seen))
     INSERT INTO dynos (app_id, name, type, size, command, state, release_id, release_version, failure)
     SELECT $1, name, type, size, command, state, "releaseId", "releaseVersion", failure FROM seen
     ON CONFLICT (app_id, name) DO UPDATE SET type = excluded.type, size = excluded.size, command = excluded.command,
       state = excluded.state, release_id = excluded.release_id, release_version = excluded.release_version,
       failure = excluded.failure, updated_at = now()
     WHERE (dynos.type, dynos.size, dynos.command, dynos.state, dynos.release_id, dynos.release_version, dynos.failure)
       IS DISTINCT FROM (excluded.type, excluded.size, excluded.command, excluded.state, excluded.release_id,
         excluded.release_version, excluded.failure)`,
    [appId, JSON.stringify(seen)],
  )
}

interface OneOffRow {
  id: string
  app_id: string
  number: number
  release_id: string
  type: string
  command: string
  size: string
  attached: boolean
  tty: boolean
  env: Record<string, string>
  time_to_live_seconds: number
  state: OneOff['state']
  exit_code: number | null
  created_at: Date
}

function toOneOff(row: OneOffRow): OneOff {
  return {
    id: row.id,
    appId: row.app_id,
    number: row.number,
    releaseId: row.release_id,
    type: row.type,
    command: row.command,
    size: row.size,
    attached: row.attached,
    tty: row.tty,
    env: row.env,
    timeToLiveSeconds: row.time_to_live_seconds,
    state: row.state,
    exitCode: row.exit_code ?? undefined,
    createdAt: row.created_at,
  }
}

/** Call it in a transaction that locked the app row: numbers are dense per app. */
export async function insertOneOff(
  tx: Transaction,
  fields: Omit<OneOff, 'id' | 'number' | 'state' | 'exitCode' | 'createdAt'>,
): Promise<OneOff> {
  const [row] = await tx.query<OneOffRow>(
    `INSERT INTO one_offs (app_id, number, release_id, type, command, size, attached, tty, env, time_to_live_seconds)
     SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9 FROM one_offs WHERE app_id = $1 RETURNING *`,
    [
      fields.appId,
      fields.releaseId,
      fields.type,
      fields.command,
      fields.size,
      fields.attached,
      fields.tty,
      JSON.stringify(fields.env),
      fields.timeToLiveSeconds,
    ],
  )
  return toOneOff(row as OneOffRow)
}

export async function listLiveOneOffs(db: Queryable, appId: string): Promise<OneOff[]> {
  const rows = await db.query<OneOffRow>(
    "SELECT * FROM one_offs WHERE app_id = $1 AND state <> 'ended' ORDER BY number",
    [appId],
  )
  return rows.map(toOneOff)
}

export async function findOneOff(db: Queryable, oneOffId: string): Promise<OneOff | undefined> {
  const [row] = await db.query<OneOffRow>('SELECT * FROM one_offs WHERE id = $1', [oneOffId])
  return row && toOneOff(row)
}

/** Only forward: starting → up → stopping → ended. */
export async function moveOneOff(
  db: Queryable,
  oneOffId: string,
  to: OneOff['state'],
  exitCode?: number,
): Promise<boolean> {
  const rows = await db.query<object>(
    `UPDATE one_offs SET state = $2, exit_code = coalesce($3, exit_code), updated_at = now()
     WHERE id = $1 AND array_position(ARRAY['starting', 'up', 'stopping', 'ended'], state)
       < array_position(ARRAY['starting', 'up', 'stopping', 'ended'], $2) RETURNING id`,
    [oneOffId, to, exitCode ?? null],
  )
  return rows.length === 1
}

/** A number that no other dyno has had lately: address and port are computed from it. */
export async function nextDynoAddress(db: Queryable): Promise<number> {
  const [row] = await db.query<{ n: string }>("SELECT nextval('dyno_addresses') AS n")
  return Number(row?.n ?? 0)
}

export async function nextRouteTableVersion(db: Queryable): Promise<number> {
  const [row] = await db.query<{ n: string }>("SELECT nextval('route_table_versions') AS n")
  return Number(row?.n ?? 0)
}
