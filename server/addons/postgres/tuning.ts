/**
 * Settings of a database server by the size of its plan. Pure. They are given on the command line, where they win over
 * anything in the data folder, and a tenant can change none of those that protect its neighbours.
 */
import type { Plan } from '../../model/add-on.js'

const mib = 1024 ** 2

/** What a server may use: its plan, cut to what the machine has. */
export type ServerSize = Pick<Plan, 'memoryBytes' | 'cpus' | 'connections'>

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / mib)}MB`
}

/** PostgreSQL settings, name → value. */
export function tuning(size: ServerSize): Readonly<Record<string, string>> {
  const memory = size.memoryBytes
  const cpus = Math.max(1, Math.floor(size.cpus))
  return {
    // Room for the platform beside the tenant, whose role has a limit of its own.
    max_connections: String(size.connections + 10),
    superuser_reserved_connections: '5',

    shared_buffers: megabytes(memory * 0.25),
    effective_cache_size: megabytes(memory * 0.6),
    work_mem: megabytes(clamp(memory / 128, 4 * mib, 64 * mib)),
    maintenance_work_mem: megabytes(clamp(memory / 16, 32 * mib, 1024 * mib)),
    autovacuum_work_mem: megabytes(clamp(memory / 32, 16 * mib, 256 * mib)),
    // Sorts that spill are the tenant's; a machine full of them would be everybody's.
    temp_file_limit: megabytes(memory * 4),
    huge_pages: 'off',

    // Acknowledged means on disk. wal_level is that of archiving, so that it can begin without a restart of its own.
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    wal_level: 'replica',
    archive_mode: 'off',
    max_wal_senders: '2',
    max_replication_slots: '2',
    wal_compression: 'lz4',
    // All of it is touched by a server that does nothing.
    wal_buffers: megabytes(clamp(memory / 256, 4 * mib, 16 * mib)),
    max_wal_size: megabytes(clamp(memory, 1024 * mib, 4096 * mib)),
    checkpoint_timeout: '10min',
    checkpoint_completion_target: '0.9',

    // Solid-state disks.
    random_page_cost: '1.1',
    effective_io_concurrency: '200',
    maintenance_io_concurrency: '100',

    // Compiling costs more than it gains on the short queries of web apps.
    jit: 'off',
    max_worker_processes: String(cpus + 4),
    max_parallel_workers: String(cpus),
    max_parallel_workers_per_gather: String(clamp(Math.floor(cpus / 2), 1, 4)),
    max_parallel_maintenance_workers: String(clamp(Math.floor(cpus / 2), 1, 4)),
    // Subscriptions aren't offered; without workers for them their launcher doesn't run either.
    max_logical_replication_workers: '0',

    autovacuum: 'on',
    autovacuum_max_workers: memory < 1024 * mib ? '2' : '3',
    autovacuum_vacuum_scale_factor: '0.1',
    autovacuum_analyze_scale_factor: '0.05',

    // Heroku's limit; a forgotten transaction would hold back vacuum for ever.
    idle_in_transaction_session_timeout: '24h',
    client_connection_check_interval: '10s',
    tcp_keepalives_idle: '60',
    tcp_keepalives_interval: '10',
    tcp_keepalives_count: '6',

    log_min_duration_statement: '2s',
    log_lock_waits: 'on',
    log_temp_files: '10MB',
    log_checkpoints: 'off',
    log_autovacuum_min_duration: '10min',
    // The engine stamps each line with the time.
    log_line_prefix: '[%p] %q%u@%d ',
    log_timezone: 'UTC',
    timezone: 'UTC',
  }
}
