import type { Account, Authorization } from '../model/account.js'
import type { Queryable } from './database.js'

interface AccountRow {
  id: string
  email: string
  name: string
  is_admin: boolean
  created_at: Date
}

function toAccount(row: AccountRow): Account {
  return { id: row.id, email: row.email, name: row.name, isAdmin: row.is_admin, createdAt: row.created_at }
}

export async function insertAccount(db: Queryable, email: string, isAdmin: boolean): Promise<Account> {
  const rows = await db.query<AccountRow>('INSERT INTO accounts (email, is_admin) VALUES ($1, $2) RETURNING *', [
    email,
    isAdmin,
  ])
  return toAccount(rows[0] as AccountRow)
}

export async function findAccountByEmail(db: Queryable, email: string): Promise<Account | undefined> {
  const [row] = await db.query<AccountRow>('SELECT * FROM accounts WHERE lower(email) = lower($1)', [email])
  return row && toAccount(row)
}

/** The account behind a live token, by the token's SHA-256; notes the use at most once a minute. */
export async function findAccountByTokenHash(
  db: Queryable,
  tokenHash: Buffer,
): Promise<{ account: Account; authorizationId: string } | undefined> {
  const [row] = await db.query<AccountRow & { authorization_id: string; stale: boolean }>(
    `SELECT a.*, t.id AS authorization_id, (t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 minute') AS stale
     FROM authorizations t JOIN accounts a ON a.id = t.account_id
     WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())`,
    [tokenHash],
  )
  if (!row) return undefined
  if (row.stale) await db.query('UPDATE authorizations SET last_used_at = now() WHERE id = $1', [row.authorization_id])
  return { account: toAccount(row), authorizationId: row.authorization_id }
}

interface AuthorizationRow {
  id: string
  account_id: string
  email: string
  description: string
  created_at: Date
  expires_at: Date | null
  last_used_at: Date | null
}

function toAuthorization(row: AuthorizationRow): Authorization {
  return {
    id: row.id,
    accountId: row.account_id,
    accountEmail: row.email,
    description: row.description,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
  }
}

export async function insertAuthorization(
  db: Queryable,
  fields: { accountId: string; description: string; tokenHash: Buffer; expiresInSeconds: number | undefined },
): Promise<Authorization> {
  const rows = await db.query<AuthorizationRow>(
    `WITH made AS (
       INSERT INTO authorizations (account_id, description, token_hash, expires_at)
       VALUES ($1, $2, $3, now() + $4 * interval '1 second') RETURNING *)
     SELECT made.*, a.email FROM made JOIN accounts a ON a.id = made.account_id`,
    [fields.accountId, fields.description, fields.tokenHash, fields.expiresInSeconds ?? null],
  )
  return toAuthorization(rows[0] as AuthorizationRow)
}

const live = 't.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())'

export async function listAuthorizations(db: Queryable, accountId: string): Promise<Authorization[]> {
  const rows = await db.query<AuthorizationRow>(
    `SELECT t.*, a.email FROM authorizations t JOIN accounts a ON a.id = t.account_id
     WHERE t.account_id = $1 AND ${live} ORDER BY t.created_at`,
    [accountId],
  )
  return rows.map(toAuthorization)
}

export async function findAuthorization(
  db: Queryable,
  accountId: string,
  id: string,
): Promise<Authorization | undefined> {
  return (await listAuthorizations(db, accountId)).find((a) => a.id === id)
}

/** False when it is not that account's or already revoked. */
export async function revokeAuthorization(db: Queryable, accountId: string, id: string): Promise<boolean> {
  const rows = await db.query<object>(
    'UPDATE authorizations SET revoked_at = now() WHERE id::text = $2 AND account_id = $1 AND revoked_at IS NULL RETURNING id',
    [accountId, id],
  )
  return rows.length === 1
}
