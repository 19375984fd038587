/**
 * Administrative SQL on the server of a PostgreSQL add-on, over the socket in its folder. The server lets us in as
 * `postgres` because it sees our user (peer authentication); there is no administrator's password anywhere.
 *
 * Tenants own what is in their databases, so nothing here is looked up by a search path that they could fill. Should one
 * own the server's process all the same, what it can do to us ends at its socket: see tenant-socket.ts.
 */
import pg from 'pg'
import { openTenantSocket } from './tenant-socket.js'

export interface TenantServer {
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>
}

export interface TenantServerOptions {
  /** The database to work in; statements that concern the whole server need none of the tenant's. */
  readonly database?: string
  /** For the connection and for each statement; 30 s unless told. */
  readonly timeoutMs?: number
}

/** How long a server that was told goodbye may keep the connection. */
const goodbyeMs = 1_000

/**
 * Connects as the administrator, does `work` and leaves. Throws what `pg` throws when the server isn't there or is starting,
 * and a sentence when what is there doesn't behave like a server of ours.
 */
export async function withTenantServer<T>(
  socketDir: string,
  work: (server: TenantServer) => Promise<T>,
  options: TenantServerOptions = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 30_000
  const socket = await openTenantSocket(socketDir)
  // Every value that pg would otherwise take from this process's own PG* variables is said here.
  const client = new pg.Client({
    // Where the stream goes doesn't depend on it; pg speaks to a host that is a path without asking for TLS or a name.
    host: socketDir,
    port: 5432,
    stream: () => socket.stream,
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
    const cut = setTimeout(() => socket.stream.destroy(), goodbyeMs)
    await client.end().catch(() => {})
    clearTimeout(cut)
    await socket.close()
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
