/**
 * Administrative SQL on the server of a PostgreSQL add-on, over the socket in its folder. The server lets us in as
 * `postgres` because it sees our user (peer authentication); there is no administrator's password anywhere.
 *
 * Tenants own what is in their databases, so nothing here is looked up by a search path that they could fill.
 */
import pg from 'pg'

export interface TenantServer {
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>
}

export interface TenantServerOptions {
  /** The database to work in; statements that concern the whole server need none of the tenant's. */
  readonly database?: string
  /** For the connection and for each statement; 30 s unless told. */
  readonly timeoutMs?: number
}

/** Connects as the administrator, does `work` and leaves. Throws what `pg` throws when the server isn't there or is starting. */
export async function withTenantServer<T>(
  socketDir: string,
  work: (server: TenantServer) => Promise<T>,
  options: TenantServerOptions = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 30_000
  // Every value that pg would otherwise take from this process's own PG* variables is said here.
  const client = new pg.Client({
    host: socketDir,
    port: 5432,
    user: 'postgres',
    password: '',
    database: options.database ?? 'postgres',
    ssl: false,
    application_name: 'paas',
    options: '-c search_path=pg_catalog',
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    query_timeout: timeoutMs + 1_000,
  })
  // A server that goes away makes the statement fail; without a listener it would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
    return await work({
      query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
        (await client.query<Row>(text, [...values])).rows,
    })
  } finally {
    await client.end().catch(() => {})
  }
}

/** For names in statements that take no parameters. */
export function quoteName(name: string): string {
  return pg.escapeIdentifier(name)
}

/** For values in statements that take no parameters. */
export function quoteValue(value: string): string {
  return pg.escapeLiteral(value)
}

/** The server is still starting, or not there yet. */
export function isStarting(error: unknown): boolean {
  const { code } = error as { code?: string }
  return code === '57P03' || code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ECONNRESET'
}
