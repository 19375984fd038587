import type { Build, BuildStatus } from '../model/build.js'
import type { Queryable } from './database.js'

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
  fields: { appId: string; accountId: string; commit: string; commitDescription: string },
): Promise<Build> {
  const [row] = await db.query<{ id: string }>(
    'INSERT INTO builds (app_id, account_id, commit, commit_description) VALUES ($1, $2, $3, $4) RETURNING id',
    [fields.appId, fields.accountId, fields.commit, fields.commitDescription],
  )
  return (await findBuild(db, fields.appId, row?.id ?? '')) as Build
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

/** At start-up: what was building when the platform stopped has no input any more. */
export async function failAbandonedBuilds(db: Queryable): Promise<Build[]> {
  const failed = await db.query<{ id: string; app_id: string }>(
    `UPDATE builds SET status = 'failed', failure = 'the platform restarted; push again', updated_at = now()
     WHERE status = 'pending' RETURNING id, app_id`,
  )
  const builds = await Promise.all(failed.map((f) => findBuild(db, f.app_id, f.id)))
  return builds.filter((b): b is Build => b !== undefined)
}
