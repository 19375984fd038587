import type { ConfigVars } from '../model/config-vars.js'
import type { HealthCheck } from '../model/health-check.js'
import type { ProcessTypes } from '../model/procfile.js'
import type { Release, ReleaseCommandState, ReleaseStatus } from '../model/release.js'
import type { Slug } from '../model/slug.js'
import type { Queryable, Transaction } from './database.js'

interface ReleaseRow {
  id: string
  app_id: string
  version: number
  slug_id: string | null
  config_vars: Record<string, string>
  process_types: ProcessTypes
  description: string
  account_id: string | null
  account_email: string | null
  status: ReleaseStatus
  command_state: ReleaseCommandState
  output: string
  failure: string | null
  created_at: Date
  updated_at: Date
}

function toRelease(row: ReleaseRow): Release {
  return {
    id: row.id,
    appId: row.app_id,
    version: row.version,
    slugId: row.slug_id ?? undefined,
    processTypes: row.process_types,
    description: row.description,
    accountId: row.account_id ?? undefined,
    accountEmail: row.account_email ?? undefined,
    status: row.status,
    commandState: row.command_state,
    output: row.output,
    failure: row.failure ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

const select = 'SELECT r.*, a.email AS account_email FROM releases r LEFT JOIN accounts a ON a.id = r.account_id'

/** Binds a sealed value to its app and name, so that it can't be pasted elsewhere. */
function context(appId: string, name: string): string {
  return `config:${appId}:${name}`
}

export interface ReleaseChange {
  readonly slugId: string | undefined
  readonly configVars: ConfigVars
  readonly processTypes: ProcessTypes
  readonly description: string
  readonly accountId: string | undefined
  readonly status: ReleaseStatus
  readonly commandState: ReleaseCommandState
}

/**
 * Adds the app's next release and returns it. Call it in the transaction that locked the app row: the lock is what keeps
 * versions without gaps or doubles when a push and a `config:set` meet.
 */
export async function insertRelease(tx: Transaction, appId: string, change: ReleaseChange): Promise<Release> {
  const sealed = Object.fromEntries(
    Object.entries(change.configVars).map(([name, value]) => [name, tx.sealer.seal(value, context(appId, name))]),
  )
  const [made] = await tx.query<{ id: string }>(
    `INSERT INTO releases (app_id, version, slug_id, config_vars, process_types, description, account_id, status, command_state)
     SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6, $7, $8 FROM releases WHERE app_id = $1 RETURNING id`,
    [
      appId,
      change.slugId ?? null,
      JSON.stringify(sealed),
      JSON.stringify(change.processTypes),
      change.description.slice(0, 1000),
      change.accountId ?? null,
      change.status,
      change.commandState,
    ],
  )
  return getRelease(tx, made?.id ?? '')
}

export async function getRelease(db: Queryable, releaseId: string): Promise<Release> {
  const [row] = await db.query<ReleaseRow>(`${select} WHERE r.id = $1`, [releaseId])
  if (!row) throw new Error(`release ${releaseId} vanished`)
  return toRelease(row)
}

/** By version number (`12`, `v12`) or id. */
export async function findRelease(db: Queryable, appId: string, reference: string): Promise<Release | undefined> {
  const [row] = await db.query<ReleaseRow>(
    `${select} WHERE r.app_id = $1 AND (r.id::text = $2 OR r.version::text = ltrim($2, 'v'))`,
    [appId, reference],
  )
  return row && toRelease(row)
}

export async function listReleases(
  db: Queryable,
  appId: string,
  range: { readonly max: number; readonly descending: boolean; readonly from?: number },
): Promise<Release[]> {
  const order = range.descending ? 'DESC' : 'ASC'
  const compare = range.descending ? '<=' : '>='
  const rows = await db.query<ReleaseRow>(
    `${select} WHERE r.app_id = $1 AND ($3::int IS NULL OR r.version ${compare} $3) ORDER BY r.version ${order} LIMIT $2`,
    [appId, range.max, range.from ?? null],
  )
  return rows.map(toRelease)
}

/** The newest of any status: its config vars are the app's. */
export async function findNewestRelease(db: Queryable, appId: string): Promise<Release | undefined> {
  return (await listReleases(db, appId, { max: 1, descending: true }))[0]
}

/** The newest release that has not failed. */
export async function findTargetRelease(db: Queryable, appId: string): Promise<Release | undefined> {
  const [row] = await db.query<ReleaseRow>(
    `${select} WHERE r.app_id = $1 AND r.status <> 'failed' ORDER BY r.version DESC LIMIT 1`,
    [appId],
  )
  return row && toRelease(row)
}

/** The newest release that succeeded. */
export async function findCurrentRelease(db: Queryable, appId: string): Promise<Release | undefined> {
  const [row] = await db.query<ReleaseRow>(
    `${select} WHERE r.app_id = $1 AND r.status = 'succeeded' ORDER BY r.version DESC LIMIT 1`,
    [appId],
  )
  return row && toRelease(row)
}

export async function readConfigVars(db: Queryable, release: Pick<Release, 'id' | 'appId'>): Promise<ConfigVars> {
  const [row] = await db.query<{ config_vars: Record<string, string> }>(
    'SELECT config_vars FROM releases WHERE id = $1',
    [release.id],
  )
  return Object.fromEntries(
    Object.entries(row?.config_vars ?? {}).map(([name, value]) => [
      name,
      db.sealer.unseal(value, context(release.appId, name)),
    ]),
  )
}

/** Compare-and-set from pending; false when another got there first. */
export async function settleRelease(
  db: Queryable,
  releaseId: string,
  outcome: { readonly status: 'succeeded' | 'failed'; readonly failure?: string },
): Promise<boolean> {
  const rows = await db.query<object>(
    `UPDATE releases SET status = $2, failure = $3, updated_at = now() WHERE id = $1 AND status = 'pending' RETURNING id`,
    [releaseId, outcome.status, outcome.failure ?? null],
  )
  return rows.length === 1
}

/**
 * Closes pending releases older than one that just succeeded: those with its slug came true with it, the rest were overtaken.
 */
export async function settleSuperseded(db: Queryable, release: Release): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `UPDATE releases SET status = CASE WHEN slug_id IS NOT DISTINCT FROM $3 THEN 'succeeded' ELSE 'failed' END,
       failure = CASE WHEN slug_id IS NOT DISTINCT FROM $3 THEN NULL ELSE 'overtaken by v' || $2 END, updated_at = now()
     WHERE app_id = $1 AND version < $2 AND status = 'pending' RETURNING id`,
    [release.appId, release.version, release.slugId ?? null],
  )
  return rows.map((r) => r.id)
}

/** Compare-and-set of the release command's state; false when it was not in `from`. */
export async function moveReleaseCommand(
  db: Queryable,
  releaseId: string,
  from: ReleaseCommandState,
  to: ReleaseCommandState,
  output?: string,
): Promise<boolean> {
  const rows = await db.query<object>(
    `UPDATE releases SET command_state = $3, output = coalesce($4, output), updated_at = now()
     WHERE id = $1 AND command_state = $2 RETURNING id`,
    [releaseId, from, to, output ?? null],
  )
  return rows.length === 1
}

interface SlugRow {
  id: string
  app_id: string
  commit: string
  commit_description: string
  image_id: string
  image_reference: string
  size_bytes: string
  process_types: ProcessTypes
  health_checks: HealthCheck[]
  buildpacks: string[]
  stack: string
  uid: number
  created_at: Date
}

function toSlug(row: SlugRow): Slug {
  return {
    id: row.id,
    appId: row.app_id,
    commit: row.commit,
    commitDescription: row.commit_description,
    imageId: row.image_id,
    imageReference: row.image_reference,
    sizeBytes: Number(row.size_bytes),
    processTypes: row.process_types,
    healthChecks: row.health_checks,
    buildpacks: row.buildpacks,
    stack: row.stack,
    uid: row.uid,
    createdAt: row.created_at,
  }
}

export async function insertSlug(db: Queryable, slug: Omit<Slug, 'id' | 'createdAt'>): Promise<Slug> {
  const [row] = await db.query<SlugRow>(
    `INSERT INTO slugs (app_id, commit, commit_description, image_id, image_reference, size_bytes, process_types, health_checks, buildpacks, stack, uid)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *`,
    [
      slug.appId,
      slug.commit,
      slug.commitDescription,
      slug.imageId,
      slug.imageReference,
      slug.sizeBytes,
      JSON.stringify(slug.processTypes),
      JSON.stringify(slug.healthChecks),
      JSON.stringify(slug.buildpacks),
      slug.stack,
      slug.uid,
    ],
  )
  return toSlug(row as SlugRow)
}

export async function findSlug(db: Queryable, slugId: string): Promise<Slug | undefined> {
  const [row] = await db.query<SlugRow>('SELECT * FROM slugs WHERE id = $1', [slugId])
  return row && toSlug(row)
}

/** Marks the slugs that are in none of their app's newest `keep` releases. */
export async function markPastSlugsPruned(db: Queryable, keep: number): Promise<void> {
  await db.query(
    `UPDATE slugs SET pruned_at = now()
     WHERE pruned_at IS NULL AND created_at < now() - interval '1 minute' AND id NOT IN (
       SELECT slug_id FROM (
         SELECT slug_id, status,
           row_number() OVER (PARTITION BY app_id ORDER BY (status = 'succeeded') DESC, version DESC) AS place
         FROM releases WHERE slug_id IS NOT NULL) AS placed
       WHERE place <= $1 OR status = 'pending')`,
    [keep],
  )
}

/** Of every image that is kept for some slug, or that an app runs. */
export async function listImageReferences(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ image_reference: string }>(
    `SELECT image_reference FROM slugs WHERE pruned_at IS NULL OR id IN (
       SELECT DISTINCT ON (app_id) slug_id FROM releases WHERE status = 'succeeded' ORDER BY app_id, version DESC)`,
  )
  return rows.map((row) => row.image_reference)
}

export async function markSlugPruned(db: Queryable, slugId: string): Promise<void> {
  await db.query('UPDATE slugs SET pruned_at = now() WHERE id = $1', [slugId])
}

export async function isSlugPruned(db: Queryable, slugId: string): Promise<boolean> {
  const [row] = await db.query<{ pruned: boolean }>('SELECT pruned_at IS NOT NULL AS pruned FROM slugs WHERE id = $1', [
    slugId,
  ])
  return row?.pruned ?? true
}
