/**
 * The platform database: the only importer of `pg`. Functions of this folder take a `Queryable` first, the pool or a
 * transaction; whoever calls them owns the transaction.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import type { Sealer } from '../lib/seal.js'
import { isUnavailable, PlatformError } from '../model/errors.js'

export interface Queryable {
  readonly sealer: Sealer
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>
}

/** A `Queryable` inside BEGIN … COMMIT. */
export interface Transaction extends Queryable {
  readonly isTransaction: true
}

export interface Database extends Queryable {
  /** Commits when `work` resolves, rolls back when it throws. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Applies what is missing of `migrations/`, one transaction each, under a lock. Returns the names applied. */
  migrate(): Promise<string[]>
  /**
   * Takes the platform's lock and keeps it, taking it again whenever the server comes back; waits for a server that is
   * starting. False: somebody else has it. `taken` is called when somebody else got it while the server was away.
   */
  acquireLock(taken: () => void): Promise<boolean>
  isUp(): Promise<boolean>
  close(): Promise<void>
}

const platformLock = 7_274_115
const migrationLock = 7_274_116

/** A server that is starting, after a reboot or a crash, is waited for this long. */
const serverStartMs = 60_000

/** Where the migrations are: beside this file in a checkout and in dist/, or where the bundle's owner says. */
const defaultMigrations = path.join(import.meta.dirname, 'migrations')

export interface DatabaseOptions {
  readonly url: string
  readonly sealer: Sealer
  readonly migrationsDir?: string
  readonly onError?: (error: Error) => void
}

export function openDatabase(options: DatabaseOptions): Database {
  const settings = { connectionString: options.url, application_name: 'paas', keepAlive: true }
  const pool = new pg.Pool({
    ...settings,
    max: 10,
    // One stays, so that the looks of an idle platform don't start a server process each time.
    min: 1,
    idleTimeoutMillis: 5_000,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 60_000,
  })
  const onError = options.onError ?? (() => {})
  // Without a listener, a server restart would end the process.
  pool.on('error', onError)
  let lockHolder: pg.Client | undefined
  let isClosed = false

  const queryOn = (client: pg.Pool | pg.PoolClient) => {
    return async <Row extends object>(text: string, values: readonly unknown[] = []) => {
      try {
        return (await client.query<Row>(text, [...values])).rows
      } catch (error) {
        throw isAway(error)
          ? new PlatformError(
              'unavailable',
              'The platform database does not answer right now; try again in a few seconds.',
            )
          : error
      }
    }
  }
  const queryPool = queryOn(pool)

  const transaction = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
    let client: pg.PoolClient
    try {
      client = await pool.connect()
    } catch (error) {
      if (isClosed) throw error
      throw new PlatformError(
        'unavailable',
        'The platform database does not answer right now; try again in a few seconds.',
      )
    }
    client.on('error', onError)
    const query = queryOn(client)
    let broken = false
    try {
      await query('BEGIN')
      const result = await work({ isTransaction: true, sealer: options.sealer, query })
      await query('COMMIT')
      return result
    } catch (error) {
      await query('ROLLBACK').catch(() => {
        broken = true
      })
      throw error
    } finally {
      client.off('error', onError)
      client.release(broken)
    }
  }

  /** One try: a client that holds the lock, or undefined when somebody else does. Throws while the server is away. */
  const tryLock = async (): Promise<pg.Client | undefined> => {
    const client = new pg.Client({ ...settings, connectionTimeoutMillis: 5_000 })
    client.on('error', onError)
    try {
      await client.connect()
      const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
        platformLock,
      ])
      if (rows[0]?.locked) return client
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
    await client.end()
    return undefined
  }

  const lockWithin = async (deadline: number): Promise<pg.Client | undefined> => {
    for (;;) {
      try {
        return await tryLock()
      } catch (error) {
        if (isClosed || !isAway(error) || Date.now() > deadline) throw error
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
    }
  }

  const holdLock = async (taken: () => void): Promise<boolean> => {
    const client = await lockWithin(Date.now() + serverStartMs)
    if (!client) return false
    lockHolder = client
    client.once('end', () => {
      if (isClosed || lockHolder !== client) return
      lockHolder = undefined
      regainLock(taken)
    })
    return true
  }

  /** The server went away with the lock. Nothing can be changed while it is away; when it is back, the lock decides. */
  const regainLock = (taken: () => void) => {
    void (async () => {
      while (!isClosed) {
        try {
          if (!(await holdLock(taken))) taken()
          return
        } catch (error) {
          onError(error as Error)
        }
      }
    })()
  }

  return {
    sealer: options.sealer,
    query: queryPool,
    transaction,
    migrate: () => transaction((tx) => migrate(tx, options.migrationsDir ?? defaultMigrations)),
    acquireLock: (taken) => holdLock(taken),
    isUp: async () => {
      try {
        await queryPool('SELECT 1')
        return true
      } catch {
        return false
      }
    },
    close: async () => {
      isClosed = true
      const holder = lockHolder
      lockHolder = undefined
      await holder?.end().catch(() => {})
      await pool.end()
    },
  }
}

const outagePollMs = 500

/** Tries again for as long as the platform database is away; every other failure is the caller's. */
export async function throughOutages<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!isUnavailable(error)) throw error
      await new Promise((resolve) => setTimeout(resolve, outagePollMs))
    }
  }
}

/** The server is away or going: connection refused, reset, or told to stop. */
function isAway(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  return (
    ['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', '57P01', '57P02', '57P03', '08006', '08001'].includes(
      code ?? '',
    ) ||
    /Connection terminated|not queryable|timeout exceeded when trying to connect|timeout expired/.test(message ?? '')
  )
}

/** True for a unique violation, optionally of one named constraint or index. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  const e = error as { code?: string; constraint?: string }
  return e.code === '23505' && (constraint === undefined || e.constraint === constraint)
}

async function migrate(tx: Transaction, dir: string): Promise<string[]> {
  await tx.query('SELECT pg_advisory_xact_lock($1)', [migrationLock])
  await tx.query(
    'CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
  )
  const done = new Map(
    (await tx.query<{ name: string; sha256: string }>('SELECT name, sha256 FROM schema_migrations')).map((r) => [
      r.name,
      r.sha256,
    ]),
  )
  const applied: string[] = []
  for (const name of (await readdir(dir)).filter((f) => f.endsWith('.sql')).sort()) {
    const sql = await readFile(path.join(dir, name), 'utf8')
    const sha256 = createHash('sha256').update(sql).digest('hex')
    const before = done.get(name)
    if (before !== undefined && before !== sha256)
      throw new Error(`migration ${name} was changed after it had been applied`)
    if (before !== undefined) continue
    await tx.query(sql)
    await tx.query('INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)', [name, sha256])
    applied.push(name)
  }
  return applied
}
