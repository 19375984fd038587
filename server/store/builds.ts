import { randomUUID } from 'node:crypto'
import type { Build, BuildStatus } from '../model/build.js'
import type { Database, Queryable, Transaction } from './database.js'

interface BuildRow {
  id: string
  app_id: string
  account_id: string | null
  account_email: string | null
  status: BuildStatus
  commit: string
  commit_description: string
  buildpacks: string[]
  slug_id: string | null
  release_id: string | null
  failure: string | null
  created_at: Date
  updated_at: Date
}

function toBuild(row: BuildRow): Build {
  return {
    id: row.id,
    appId: row.app_id,
    accountId: row.account_id ?? undefined,
    accountEmail: row.account_email ?? undefined,
    status: row.status,
    commit: row.commit,
    commitDescription: row.commit_description,
    buildpacks: row.buildpacks,
    slugId: row.slug_id ?? undefined,
    releaseId: row.release_id ?? undefined,
    failure: row.failure ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

const select = `SELECT b.id, b.app_id, b.account_id, a.email AS account_email, b.status, b.commit, b.commit_description, b.buildpacks,
  b.slug_id, b.release_id, b.failure, b.created_at, b.updated_at FROM builds b LEFT JOIN accounts a ON a.id = b.account_id`

/** Throws a unique violation of `builds_pending` while the app has another build under way. */
export async function insertBuild(
  db: Queryable,
  fields: { id?: string; appId: string; accountId: string; commit: string; commitDescription: string; ref?: string },
): Promise<Build> {
  const id = fields.id ?? randomUUID()
  await db.query(
    'INSERT INTO builds (id, app_id, account_id, commit, commit_description, ref) VALUES ($1, $2, $3, $4, $5, $6)',
    [id, fields.appId, fields.accountId, fields.commit, fields.commitDescription, fields.ref ?? null],
  )
  return (await findBuild(db, fields.appId, id)) as Build
}

export async function findBuild(db: Queryable, appId: string, buildId: string): Promise<Build | undefined> {
  const [row] = await db.query<BuildRow>(`${select} WHERE b.app_id = $1 AND b.id::text = $2`, [appId, buildId])
  return row && toBuild(row)
}

export async function listBuilds(db: Queryable, appId: string): Promise<Build[]> {
  return (await db.query<BuildRow>(`${select} WHERE b.app_id = $1 ORDER BY b.created_at DESC LIMIT 200`, [appId])).map(
    toBuild,
  )
}

/** Compare-and-set from pending. */
export async function finishBuild(
  db: Queryable,
  buildId: string,
  end: {
    readonly status: 'succeeded' | 'failed'
    readonly output: string
    readonly buildpacks?: readonly string[]
    readonly slugId?: string
    readonly releaseId?: string
    readonly failure?: string
  },
): Promise<boolean> {
  const rows = await db.query<object>(
    `UPDATE builds SET status = $2, output = $3, buildpacks = coalesce($4::jsonb, buildpacks), slug_id = coalesce($5, slug_id),
       release_id = coalesce($6, release_id),
       failure = $7, updated_at = now() WHERE id = $1 AND status = 'pending' RETURNING id`,
    [
      buildId,
      end.status,
      // PostgreSQL's text can't hold NUL.
      end.output.replaceAll('\0', ''),
      end.buildpacks ? JSON.stringify(end.buildpacks) : null,
      end.slugId ?? null,
      end.releaseId ?? null,
      end.failure ?? null,
    ],
  )
  return rows.length === 1
}

export async function readBuildOutput(db: Queryable, buildId: string): Promise<string> {
  const [row] = await db.query<{ output: string }>('SELECT output FROM builds WHERE id = $1', [buildId])
  return row?.output ?? ''
}

/** Notes which release a build led to, before it is known how that ends. */
export async function setBuildRelease(
  db: Queryable,
  buildId: string,
  slugId: string,
  releaseId: string,
): Promise<void> {
  await db.query(
    "UPDATE builds SET slug_id = $2, release_id = $3, updated_at = now() WHERE id = $1 AND status = 'pending'",
    [buildId, slugId, releaseId],
  )
}

/**
 * Ends a build and, in the same transaction, the release it led to. A release that is live makes its build a success,
 * whatever was going to be said of it; one that is pending fails with its build. Returns how the build ended.
 */
export async function endBuild(
  db: Database,
  buildId: string,
  end: Parameters<typeof finishBuild>[2],
): Promise<BuildStatus> {
  return db.transaction(async (tx) => {
    const status = await agreedStatus(tx, buildId, end)
    const { failure, ...rest } = end
    await finishBuild(tx, buildId, {
      ...rest,
      status,
      ...(status === 'failed' && failure !== undefined ? { failure } : {}),
    })
    const [row] = await tx.query<{ status: BuildStatus }>('SELECT status FROM builds WHERE id = $1', [buildId])
    return row?.status ?? 'failed'
  })
}

async function agreedStatus(
  tx: Transaction,
  buildId: string,
  end: Pick<Parameters<typeof finishBuild>[2], 'status' | 'failure'>,
): Promise<'succeeded' | 'failed'> {
  const [release] = await tx.query<{ id: string; status: BuildStatus }>(
    `SELECT r.id, r.status FROM releases r JOIN builds b ON b.release_id = r.id
     WHERE b.id = $1 AND b.status = 'pending' FOR UPDATE OF r`,
    [buildId],
  )
  if (release === undefined) return end.status
  if (release.status !== 'pending') return release.status
  await tx.query("UPDATE releases SET status = 'failed', failure = $2, updated_at = now() WHERE id = $1", [
    release.id,
    end.failure ?? null,
  ])
  return 'failed'
}

/** A release command will follow the build, should it end well. */
export async function expectReleaseCommand(db: Queryable, buildId: string): Promise<void> {
  await db.query("UPDATE builds SET has_release_command = true WHERE id = $1 AND status = 'pending'", [buildId])
}

/** What the loop needs to know of the build that an app has under way. */
export interface PendingBuild {
  readonly id: string
  readonly hasReleaseCommand: boolean
  /** The release it has led to. */
  readonly releaseId: string | undefined
}

export async function findPendingBuild(db: Queryable, appId: string): Promise<PendingBuild | undefined> {
  const [row] = await db.query<{ id: string; has_release_command: boolean; release_id: string | null }>(
    "SELECT id, has_release_command, release_id FROM builds WHERE app_id = $1 AND status = 'pending'",
    [appId],
  )
  return row && { id: row.id, hasReleaseCommand: row.has_release_command, releaseId: row.release_id ?? undefined }
}

/** Of one app or of all. */
export async function listPendingBuilds(db: Queryable, appId?: string): Promise<{ id: string; appId: string }[]> {
  const rows = await db.query<{ id: string; app_id: string }>(
    "SELECT id, app_id FROM builds WHERE status = 'pending' AND ($1::uuid IS NULL OR app_id = $1)",
    [appId ?? null],
  )
  return rows.map((row) => ({ id: row.id, appId: row.app_id }))
}

/**
 * Ends builds that are pending although nobody is at them any more, of one app or of all. At start that is every pending
 * one; later, those whose end could not be written, which is every one but those `underWay`.
 */
export async function endAbandonedBuilds(
  db: Database,
  of: { readonly appId?: string; readonly underWay?: ReadonlySet<string> } = {},
): Promise<Build[]> {
  const pending = (await listPendingBuilds(db, of.appId)).filter((build) => of.underWay?.has(build.id) !== true)
  for (const { id } of pending)
    await endBuild(db, id, { status: 'failed', output: '', failure: 'the platform was interrupted; push again' })
  const builds = await Promise.all(pending.map((build) => findBuild(db, build.appId, build.id)))
  return builds.filter((b): b is Build => b !== undefined)
}

/** A branch and the commit it has to name: that of the last push to it whose slug went live. */
export interface DeployedRef {
  readonly appId: string
  readonly ref: string
  readonly commit: string
}

/** Of one app or of all. */
export async function listDeployedRefs(db: Queryable, appId?: string): Promise<DeployedRef[]> {
  const rows = await db.query<{ app_id: string; ref: string; commit: string }>(
    `SELECT DISTINCT ON (b.app_id, b.ref) b.app_id, b.ref, b.commit FROM builds b JOIN apps a ON a.id = b.app_id
     WHERE b.ref IS NOT NULL AND a.destroyed_at IS NULL AND ($1::uuid IS NULL OR b.app_id = $1)
       AND EXISTS (SELECT 1 FROM releases r WHERE r.slug_id = b.slug_id AND r.status = 'succeeded')
     ORDER BY b.app_id, b.ref, b.created_at DESC`,
    [appId ?? null],
  )
  return rows.map((row) => ({ appId: row.app_id, ref: row.ref, commit: row.commit }))
}
