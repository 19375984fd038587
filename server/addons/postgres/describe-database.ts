/** What `pg:info` tells of a database. */
import type { AddOn, Plan } from '../../model/add-on.js'
import type { PostgresSecrets } from '../../model/postgres-url.js'
import { withTenantServer } from '../../store/tenant-postgres.js'
import type { InfoRow } from '../provider.js'

const timeoutMs = 5_000

interface Facts {
  readonly version: string
  readonly connections: number
  readonly size_bytes: string
}

/** A server that doesn't answer is told as such, with what is known without it. */
export async function describeDatabase(
  socketDir: string,
  addOn: AddOn,
  tenant: PostgresSecrets,
  plan: Plan,
): Promise<InfoRow[]> {
  const row = (name: string, ...values: string[]): InfoRow => ({ name, values })
  const known = [row('Created', addOn.createdAt.toISOString()), row('Add-on', addOn.name)]
  const found = addOn.state === 'provisioned' ? await ask(socketDir, tenant).catch(() => undefined) : undefined
  const status = { provisioning: 'Preparing', provisioned: 'Unavailable', deprovisioned: 'Destroyed' }[addOn.state]
  if (!found) {
    const why = addOn.failure === undefined ? [] : [row('Failure', addOn.failure)]
    return [row('Plan', titleOf(plan.name)), row('Status', status), ...why, ...known]
  }
  const { facts, tables } = found
  return [
    row('Plan', titleOf(plan.name)),
    row('Status', 'Available'),
    row('Connections', `${facts.connections}/${plan.connections}`),
    row('PG Version', facts.version),
    row('Data Size', readableSize(Number(facts.size_bytes))),
    row('Tables', String(tables)),
    ...known,
  ]
}

async function ask(socketDir: string, tenant: PostgresSecrets): Promise<{ facts: Facts; tables: number } | undefined> {
  const [facts] = await withTenantServer(
    socketDir,
    (server) =>
      server.query<Facts>(
        `SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
                (SELECT count(*)::int FROM pg_stat_activity WHERE datname = $1) AS connections,
                pg_database_size($1) AS size_bytes`,
        [tenant.database],
      ),
    { timeoutMs },
  )
  const [counted] = await withTenantServer(
    socketDir,
    (server) =>
      server.query<{ tables: number }>(
        `SELECT count(*)::int AS tables FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'`,
      ),
    { timeoutMs, database: tenant.database },
  )
  return facts && { facts, tables: counted?.tables ?? 0 }
}

/** `standard-0` → `Standard 0`. */
function titleOf(planName: string): string {
  return planName.replace(/^./, (c) => c.toUpperCase()).replace('-', ' ')
}

function readableSize(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${unit === 0 ? value : value.toFixed(2)} ${units[unit]}`
}
