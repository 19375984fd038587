/** The container of one database server: names, labels, limits and settings. Pure. */
import type { ContainerSpec, NetworkJoin } from '../../engine/engine.js'
import type { AddOn } from '../../model/add-on.js'
import { labelNames } from '../../model/labels.js'
import { type DatabaseFolders, serverUid } from './folders.js'
import { type ServerSize, tuning } from './tuning.js'

const mib = 1024 ** 2

/** Of the plan a server was made for; one of another plan is made again. */
export const planLabel = 'paas.plan'

export function serverName(instance: string, addOnId: string): string {
  return `${instance}-pg-${addOnId}`
}

export function serverLabels(instance: string): Readonly<Record<string, string>> {
  return { [labelNames.instance]: instance, [labelNames.kind]: 'add-on' }
}

/** How a server joins a network: apps find it by its add-on's name. */
export function serverJoin(network: string, addOnName: string): NetworkJoin {
  return { network, aliases: [addOnName] }
}

export interface ServerFacts {
  readonly instance: string
  readonly image: string
  readonly addOn: Pick<AddOn, 'id' | 'name' | 'plan'>
  readonly folders: DatabaseFolders
  readonly size: ServerSize
  /** Names of the networks to join; without any, the server has no network at all. */
  readonly networks: readonly string[]
}

export function serverContainer(facts: ServerFacts): ContainerSpec {
  const { addOn, folders, size } = facts
  const data = '/var/lib/postgresql/data'
  const settings = {
    ...tuning(size),
    cluster_name: addOn.name,
    listen_addresses: '*',
    port: '5432',
    unix_socket_directories: '/socket',
    unix_socket_permissions: '0700',
    hba_file: '/config/pg_hba.conf',
    ident_file: '/config/pg_ident.conf',
    password_encryption: 'scram-sha-256',
    ssl: 'on',
    ssl_cert_file: 'server.crt',
    ssl_key_file: 'server.key',
    // Every setting is on this command line; a file of them in the data folder would be a second place to look.
    allow_alter_system: 'off',
  }
  return {
    name: serverName(facts.instance, addOn.id),
    image: facts.image,
    command: [
      'postgres',
      '-D',
      data,
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    // When memory runs out, a session goes before the server itself: PostgreSQL recovers without a start of its container.
    env: { PG_OOM_ADJUST_FILE: '/proc/self/oom_score_adj', PG_OOM_ADJUST_VALUE: '100' },
    user: `${serverUid}:${serverUid}`,
    hostname: addOn.name,
    labels: { ...serverLabels(facts.instance), [labelNames.addOn]: addOn.id, [planLabel]: addOn.plan },
    network: facts.networks.length === 0 ? 'none' : facts.networks.map((n) => serverJoin(n, addOn.name)),
    mounts: [
      { source: folders.data, target: data },
      { source: folders.socket, target: '/socket' },
      { source: folders.config, target: '/config', readOnly: true },
    ],
    readOnlyRoot: true,
    tmpfs: { '/tmp': 'size=16m,mode=1777', '/run': 'size=1m,mode=1777' },
    restart: 'always',
    // Fast shutdown: sessions are ended and a checkpoint is written.
    stopSignal: 'SIGINT',
    limits: {
      memoryBytes: size.memoryBytes,
      cpus: size.cpus,
      pids: size.connections + 64,
      openFiles: 4096,
      // Parallel queries share their memory here; the engine's default of 64 MB breaks them.
      shmBytes: Math.max(64 * mib, Math.floor(size.memoryBytes / 4)),
    },
  }
}
