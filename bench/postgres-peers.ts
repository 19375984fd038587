/**
 * PostgreSQL as somebody would run it on the host: the same binaries on the host's network, reached at 127.0.0.1. It is a
 * container for its image's sake alone; its network, its data folder's disk and, unless told, its memory are the host's.
 */
import { randomBytes } from 'node:crypto'
import { chown, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { until } from '../test/support/world.js'
import { type BenchContainers, docker } from './containers.js'

const postgresUid = 999

export interface HostServer {
  readonly container: string
  readonly tcpUrl: string
  readonly socketUrl: string
}

export interface HostServerWish {
  readonly name: string
  readonly image: string
  readonly dir: string
  readonly port: number
  /** None for PostgreSQL's own defaults, on a cluster as `initdb` makes it when it is told nothing. */
  readonly settings?: Readonly<Record<string, string>>
  readonly limits?: { readonly memoryBytes: number; readonly cpus: number }
}

/** Starts it with a user and a database like a tenant's; `socketUrl` is for containers that mount `dir`. */
export async function startHostServer(containers: BenchContainers, wish: HostServerWish): Promise<HostServer> {
  const home = path.join(wish.dir, wish.name)
  const socket = path.join(home, 'socket')
  for (const folder of [home, socket]) {
    await mkdir(folder, { recursive: true })
    await chown(folder, postgresUid, postgresUid)
  }
  const mounts = ['-v', `${home}:${home}`, '--user', `${postgresUid}:${postgresUid}`, '-e', `PGDATA=${home}/data`]
  const init = wish.settings ? ['paas-postgres-init'] : ['initdb', '-U', 'postgres', '--auth-host=scram-sha-256']
  await docker('run', '--rm', ...mounts, wish.image, ...init)
  await writeFile(
    path.join(home, 'data', 'pg_hba.conf'),
    ['local all all trust', 'host all all 127.0.0.1/32 scram-sha-256', ''].join('\n'),
  )
  const settings: Record<string, string> = {
    ...wish.settings,
    listen_addresses: '127.0.0.1',
    port: String(wish.port),
    unix_socket_directories: socket,
    ...(wish.settings ? { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' } : {}),
  }
  const { limits } = wish
  const container = await containers.start(
    wish.name,
    [
      ...mounts,
      '--network',
      'host',
      '--shm-size',
      '1g',
      ...(limits ? ['--memory', String(limits.memoryBytes), '--cpus', String(limits.cpus)] : []),
    ],
    wish.image,
    [
      'postgres',
      '-D',
      `${home}/data`,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
  )
  const password = randomBytes(16).toString('hex')
  const sql = (text: string) =>
    docker('exec', container, 'psql', '-h', socket, '-p', String(wish.port), '-U', 'postgres', '-c', text)
  await until(`PostgreSQL of ${wish.name}`, async () => (await sql('SELECT 1')) !== '', 60_000)
  await sql(`CREATE ROLE bench LOGIN PASSWORD '${password}'`)
  await sql('CREATE DATABASE bench OWNER bench')
  return {
    container,
    tcpUrl: `postgres://bench:${password}@127.0.0.1:${wish.port}/bench`,
    socketUrl: `postgres://bench@/bench?host=${encodeURIComponent(socket)}&port=${wish.port}`,
  }
}
