/**
 * Where databases live on the machine: `<data folder>/add-ons/<add-on id>/` with `data` (the cluster), `socket` (how the
 * control plane reaches the server) and `config` (who may connect, read-only for the server); and beside them `spares/`,
 * clusters made ahead.
 */
import { chown, lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { exists, makeFolder, writeDurably } from './durable-files.js'

/** The user in the image that servers run as. */
export const serverUid = 999

/** A path of the engine's or PostgreSQL's in a UNIX socket address may have this many bytes. */
const socketPathLimit = 107

export interface DatabaseFolders {
  readonly root: string
  readonly data: string
  readonly socket: string
  readonly config: string
}

export interface Folders {
  readonly spares: string
  of(addOnId: string): DatabaseFolders
  /** Ids that have a folder. */
  ids(): Promise<string[]>
}

const idPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function createFolders(dataDir: string): Folders {
  const base = path.join(dataDir, 'add-ons')
  return {
    spares: path.join(base, 'spares'),
    of: (addOnId) => {
      // Ids become paths that are removed as a whole.
      if (!idPattern.test(addOnId)) throw new Error('an add-on id must be a UUID')
      const root = path.join(base, addOnId)
      return {
        root,
        data: path.join(root, 'data'),
        socket: path.join(root, 'socket'),
        config: path.join(root, 'config'),
      }
    },
    ids: async () => ((await exists(base)) ? (await readdir(base)).filter((name) => idPattern.test(name)) : []),
  }
}

/** A complete cluster: the init script gives it this name only when all of it is on disk. */
export function isCluster(data: string): Promise<boolean> {
  return exists(path.join(data, 'PG_VERSION'))
}

/** Makes what is missing around the data. Throws when the socket's path would be too long for an address. */
export async function ensureFolders(folders: DatabaseFolders): Promise<void> {
  const address = path.join(folders.socket, '.s.PGSQL.5432')
  if (Buffer.byteLength(address) > socketPathLimit)
    throw new Error(
      `The data folder's path is too long: ${address} must have ${socketPathLimit} bytes at most. Set PAAS_DATA_DIR to a shorter one.`,
    )
  // Nobody else on the machine has business in here; the server gets its folders mounted.
  await makeFolder(folders.root, 0o700)
  await makeFolder(folders.config)
  await makeFolder(folders.socket)
  if ((await lstat(folders.socket)).uid !== serverUid) await chown(folders.socket, serverUid, serverUid)
}

/**
 * Writes who may connect: the tenant to its database with its password, from any network the server is joined to, with or
 * without TLS; and root of this machine as `postgres` over the socket. Nobody else, to nothing else.
 */
export async function writeAccess(config: string, tenant: { user: string; database: string }): Promise<void> {
  await writeDurably(path.join(config, 'pg_ident.conf'), 'platform root postgres\n')
  await writeDurably(
    path.join(config, 'pg_hba.conf'),
    [
      'local all postgres peer map=platform',
      `host ${tenant.database} ${tenant.user} 0.0.0.0/0 scram-sha-256`,
      `host ${tenant.database} ${tenant.user} ::/0 scram-sha-256`,
      '',
    ].join('\n'),
  )
}
