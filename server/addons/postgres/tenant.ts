/**
 * The tenant's role and database, made so that a second call finds them: a role without any of PostgreSQL's special
 * rights that owns one database and may connect to no other.
 */
import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { PostgresSecrets } from '../../model/postgres-url.js'
import { quoteName, quoteValue, type TenantServer } from '../../store/tenant-postgres.js'

const derive = promisify(pbkdf2)

/** Name of the role and of the database that a spare cluster has until it is handed out. */
export const spareTenant = 'paas_spare'

/** Sets role, password, connection limit and database to what they must be. `server` is connected to `postgres`. */
export async function ensureTenant(server: TenantServer, tenant: PostgresSecrets, connections: number): Promise<void> {
  const user = quoteName(tenant.user)
  const database = quoteName(tenant.database)
  const roles = await server.query<{ name: string }>(
    `SELECT 'role ' || rolname AS name FROM pg_roles WHERE rolname IN ($1, $3)
     UNION ALL SELECT 'database ' || datname FROM pg_database WHERE datname IN ($2, $3)`,
    [tenant.user, tenant.database, spareTenant],
  )
  const has = new Set(roles.map((row) => row.name))
  const rename = (kind: 'role' | 'database', name: string) =>
    !has.has(`${kind} ${name}`) && has.has(`${kind} ${spareTenant}`)
      ? [`ALTER ${kind} ${spareTenant} RENAME TO ${quoteName(name)}`]
      : []
  const roleThere = has.has(`role ${tenant.user}`) || has.has(`role ${spareTenant}`)
  const databaseThere = has.has(`database ${tenant.database}`) || has.has(`database ${spareTenant}`)
  // One message, so one commit. The password goes as its verifier: a statement can end in a log.
  const statements = [
    ...rename('role', tenant.user),
    ...rename('database', tenant.database),
    `${roleThere ? 'ALTER' : 'CREATE'} ROLE ${user} LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS
       CONNECTION LIMIT ${Math.floor(connections)} PASSWORD ${quoteValue(await scramVerifier(tenant.password))}`,
    'REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC',
  ]
  await server.query(statements.join(';\n'))
  if (!databaseThere) await server.query(`CREATE DATABASE ${database} OWNER ${user}`)
  await server.query(`ALTER DATABASE ${database} OWNER TO ${user}; REVOKE ALL ON DATABASE ${database} FROM PUBLIC`)
}

/**
 * Ends the tenant's sessions that come from a subnet (CIDR), and waits for their processes: a client whose network is taken
 * away before its session's last words and its end have gone out would wait for them for good.
 */
export async function endSessionsFrom(server: TenantServer, subnet: string): Promise<void> {
  // All are told first; the second call waits for one after the other, and repeats itself to one that has not ended.
  const told = 'SELECT pid FROM pg_stat_activity WHERE client_addr <<= $1::inet AND pg_terminate_backend(pid)'
  await server.query(`SELECT pg_terminate_backend(pid, 1000) FROM unnest(ARRAY(${told})) AS pid`, [subnet])
}

/**
 * What PostgreSQL stores of a password (RFC 5803): enough to check it, not to use it. The password must be ASCII, for
 * which SASLprep changes nothing.
 */
export async function scramVerifier(password: string, salt = randomBytes(16), iterations = 4096): Promise<string> {
  const salted = await derive(password, salt, iterations, 32, 'sha256')
  const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest()
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64')
  const serverKey = hmac(salted, 'Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}
