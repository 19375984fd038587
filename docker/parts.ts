/**
 * The platform's own containers: its database, its router and, in production, the control plane. Each is made once by a
 * deterministic name, restarted by the engine, and replaced when its image or settings are other than they should be.
 */
import { createHash, randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../server/config.js'
import type { ContainerSpec, Engine } from '../server/engine/engine.js'
import { createSealer } from '../server/lib/seal.js'
import { labelNames } from '../server/model/labels.js'
import { openDatabase } from '../server/store/database.js'

const specLabel = 'paas.spec'
const postgresUid = 999

/** Database over its socket in the data folder, which only root and the server can enter. */
export function platformDatabaseUrl(config: Config): string {
  if (config.databaseUrl !== '') return config.databaseUrl
  return `postgres://postgres@localhost/postgres?host=${encodeURIComponent(databaseSocketDir(config))}`
}

function databaseSocketDir(config: Config): string {
  return path.join(config.dataDir, 'platform-db', 'socket')
}

/** Runs the container as specified: made when missing, started when stopped, replaced when it was made from another spec. */
export async function ensurePart(engine: Engine, spec: ContainerSpec): Promise<string> {
  const digest = createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 16)
  const existing = await engine.findContainer(spec.name)
  if (existing && existing.labels[specLabel] === digest) {
    await engine.startContainer(existing.id)
    return existing.id
  }
  if (existing) {
    await engine.stopContainer(existing.id, 30)
    await engine.removeContainer(existing.id, { force: true })
  }
  const id = await engine.createContainer({ ...spec, labels: { ...spec.labels, [specLabel]: digest } })
  await engine.startContainer(id)
  return id
}

/** The data folder, and the key that seals secrets, which is made once and never replaced. */
export async function ensureDataDir(config: Config): Promise<void> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o711 })
  // Sources and dependencies of all apps; git's user, like everybody else on this machine, has no business there.
  const builds = path.join(config.dataDir, 'builds')
  await mkdir(builds, { recursive: true })
  await chmod(builds, 0o700)
  const key = path.join(config.dataDir, 'secret.key')
  try {
    await writeFile(key, `${randomBytes(32).toString('hex')}\n`, { flag: 'wx', mode: 0o400, flush: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Starts the platform's database and waits until it answers. */
export async function ensureDatabase(engine: Engine, config: Config, image: string): Promise<void> {
  if (config.databaseUrl !== '') return
  const home = path.join(config.dataDir, 'platform-db')
  const data = path.join(home, 'data')
  const socket = databaseSocketDir(config)
  for (const dir of [home, data, socket]) await mkdir(dir, { recursive: true, mode: 0o700 })
  for (const dir of [home, data, socket]) await chown(dir, postgresUid, postgresUid)
  await chmod(socket, 0o700)
  await initDatabase(engine, config, image, home)
  const settings = {
    listen_addresses: '',
    unix_socket_directories: '/socket',
    max_connections: '40',
    shared_buffers: '24MB',
    work_mem: '4MB',
    maintenance_work_mem: '32MB',
    max_worker_processes: '2',
    max_parallel_workers: '0',
    // Without workers for subscriptions their launcher doesn't run either.
    max_logical_replication_workers: '0',
    autovacuum_max_workers: '1',
    jit: 'off',
    wal_level: 'replica',
    huge_pages: 'off',
    synchronous_commit: 'on',
    log_min_messages: 'warning',
  }
  await ensurePart(engine, {
    name: `${config.instance}-database`,
    image,
    labels: { [labelNames.instance]: config.instance, [labelNames.kind]: 'database' },
    entrypoint: [],
    command: ['postgres', '-D', '/data/pgdata', ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
    user: `${postgresUid}:${postgresUid}`,
    network: 'none',
    mounts: [
      { source: data, target: '/data' },
      { source: socket, target: '/socket' },
    ],
    tmpfs: { '/tmp': 'size=64m,mode=1777', '/run': 'size=1m,mode=1777' },
    readOnlyRoot: true,
    restart: 'always',
    stopSignal: 'SIGINT',
    limits: { memoryBytes: 512 * 1024 ** 2, cpus: 2, pids: 128, openFiles: 4096, shmBytes: 64 * 1024 ** 2 },
  })
  await databaseAnswers(config)
}

/** initdb in a throw-away container; the script puts the finished folder in place by a rename. */
async function initDatabase(engine: Engine, config: Config, image: string, home: string): Promise<void> {
  const version = await readFile(path.join(home, 'data', 'pgdata', 'PG_VERSION'), 'utf8').catch(() => undefined)
  if (version !== undefined) return
  const name = `${config.instance}-database-init`
  await engine.removeContainer(name, { force: true })
  const id = await engine.createContainer({
    name,
    image,
    labels: { [labelNames.instance]: config.instance, [labelNames.kind]: 'database' },
    entrypoint: [],
    command: ['/usr/local/bin/paas-postgres-init'],
    env: { PGDATA: '/data/pgdata' },
    user: `${postgresUid}:${postgresUid}`,
    network: 'none',
    mounts: [{ source: path.join(home, 'data'), target: '/data' }],
    tmpfs: { '/tmp': 'size=64m,mode=1777', '/run': 'size=1m,mode=1777' },
    readOnlyRoot: true,
    limits: { memoryBytes: 512 * 1024 ** 2, cpus: 2, pids: 64, openFiles: 4096 },
  })
  await engine.startContainer(id)
  const exitCode = await engine.waitContainer(id)
  const lines: string[] = []
  if (exitCode !== 0) await engine.followLogs(id, { tail: 20 }, (line) => lines.push(line.text))
  await engine.removeContainer(id, { force: true })
  if (exitCode !== 0) throw new Error(`the platform database could not be initialised:\n${lines.join('\n')}`)
  // Only root and the server's own user can enter the socket's folder, so the socket itself needs no password.
  await writeFile(path.join(home, 'data', 'pgdata', 'pg_hba.conf'), 'local all all trust\n')
}

async function databaseAnswers(config: Config): Promise<void> {
  const db = openDatabase({ url: platformDatabaseUrl(config), sealer: createSealer(Buffer.alloc(32)) })
  try {
    const deadline = Date.now() + 60_000
    while (!(await db.isUp())) {
      if (Date.now() > deadline)
        throw new Error('the platform database did not answer within 60 s; see docker logs of its container')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  } finally {
    await db.close()
  }
}

export interface RouterPart {
  readonly command: readonly string[]
  readonly capabilities: readonly string[]
  readonly dir: string
}

export async function ensureRouter(engine: Engine, config: Config, image: string, router: RouterPart): Promise<void> {
  await ensurePart(engine, {
    name: `${config.instance}-router`,
    image,
    labels: { [labelNames.instance]: config.instance, [labelNames.kind]: 'router' },
    entrypoint: [],
    command: router.command,
    network: 'host',
    capabilities: router.capabilities,
    mounts: [{ source: router.dir, target: router.dir }],
    tmpfs: { '/tmp': 'size=16m,mode=1777' },
    readOnlyRoot: true,
    restart: 'always',
    stopSignal: 'SIGUSR1',
    limits: { memoryBytes: 1024 ** 3, pids: 64 },
  })
}
