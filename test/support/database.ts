/**
 * A real platform database for tests: one PostgreSQL container per test process, one fresh, migrated database per call.
 *
 * The container lives as long as its standard input is open, so it goes with this process however that ends; its data
 * is in memory. `PAAS_TEST_POSTGRES_IMAGE` names another image of ours.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import tap from 'tap'
import { createSealer } from '../../server/lib/seal.js'
import { type Database, openDatabase } from '../../server/store/database.js'

export interface TestDatabase {
  readonly db: Database
  /** For a second `openDatabase`, or a client of one's own. */
  readonly url: string
}

interface Server {
  url(database: string): string
  stop(): Promise<void>
}

const readyDeadlineMs = 60_000

/** Makes the cluster, serves it, and ends with standard input. */
const script = `
  export PGDATA=/data/cluster
  paas-postgres-init || exit 1
  echo 'local all all trust' > $PGDATA/pg_hba.conf
  postgres -c listen_addresses= -c unix_socket_directories=/socket -c unix_socket_permissions=0777 \\
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=60 &
  cat > /dev/null
  kill -QUIT $!
  wait $!
`

let server: Promise<Server> | undefined

/** Waits for a condition by asking again; throws a sentence when the deadline passes. */
export async function waitFor<T>(what: string, look: () => Promise<T | undefined>, deadlineMs = 15_000): Promise<T> {
  const end = Date.now() + deadlineMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms for ${what}`)
    await delay(20)
  }
}

/** A fresh, migrated database; it and its connections go at `t`'s teardown. */
export async function startTestDatabase(t: { teardown(fn: () => unknown): unknown }): Promise<TestDatabase> {
  if (!server) {
    server = startServer()
    tap.teardown(async () => (await server)?.stop())
  }
  const { url } = await server
  const name = `test_${randomBytes(6).toString('hex')}`
  await administer(url('postgres'), `CREATE DATABASE ${name} TEMPLATE migrated`)
  const db = openDatabase({ url: url(name), sealer: testSealer() })
  t.teardown(async () => {
    await db.close()
    await administer(url('postgres'), `DROP DATABASE ${name} WITH (FORCE)`)
  })
  return { db, url: url(name) }
}

function testSealer() {
  return createSealer(Buffer.alloc(32, 7))
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

async function startServer(): Promise<Server> {
  const socketDir = await mkdtemp(path.join(tmpdir(), 'api-test-pg-'))
  // The server runs as a user of its own, whatever user this is.
  await chmod(socketDir, 0o777)
  const container = spawn('docker', dockerArguments(socketDir), { stdio: ['pipe', 'ignore', 'pipe'] })
  const ended = once(container, 'exit')
  const output = collectTail(container)
  const stop = async () => {
    container.stdin.end()
    await ended
    await rm(socketDir, { recursive: true, force: true })
  }
  const url = (database: string) => `postgres://postgres@/${database}?host=${socketDir}`
  try {
    await waitFor('PostgreSQL in its container', () => isReady(url('postgres'), container), readyDeadlineMs)
    await administer(url('postgres'), 'CREATE DATABASE migrated')
    const template = openDatabase({ url: url('migrated'), sealer: testSealer() })
    await template.migrate()
    await template.close()
    return { url, stop }
  } catch (error) {
    await stop()
    throw new Error(`starting a test database: ${output()}`, { cause: error })
  }
}

function dockerArguments(socketDir: string): string[] {
  const image = process.env.PAAS_TEST_POSTGRES_IMAGE ?? 'paas/postgres:dev'
  const name = `api-test-pg-${process.pid}-${randomBytes(3).toString('hex')}`
  const mounts = ['--volume', `${socketDir}:/socket`, '--tmpfs', '/data:rw,mode=1777,size=512m']
  return ['run', '--rm', '--interactive', '--name', name, '--network', 'none', ...mounts, image, 'bash', '-c', script]
}

function collectTail(container: ChildProcess): () => string {
  let text = ''
  container.stderr?.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString('utf8')).slice(-4_000)
  })
  return () => text
}

async function isReady(url: string, container: ChildProcess): Promise<true | undefined> {
  if (container.exitCode !== null) throw new Error(`the container ended with ${container.exitCode}`)
  return administer(url, 'SELECT 1').then(
    () => true as const,
    () => undefined,
  )
}
