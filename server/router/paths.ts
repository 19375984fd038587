/** Where the router's files are. The folder is mounted at the same path in its container. */
import path from 'node:path'

export interface RouterPaths {
  readonly dir: string
  readonly config: string
  readonly table: string
  readonly hostsMap: string
  readonly slotsMap: string
  readonly codesMap: string
  readonly errorsDir: string
  readonly certsDir: string
  readonly certList: string
  readonly defaultCert: string
  readonly runDir: string
  readonly adminSocket: string
  readonly masterSocket: string
  /** The only folder HAProxy sees once it runs; the log socket is in it. */
  readonly jailDir: string
  readonly logSocket: string
}

/** A UNIX socket's path has 107 bytes at most; throws a sentence when the folder leaves too few. */
export function routerPaths(dir: string): RouterPaths {
  const runDir = path.join(dir, 'run')
  const masterSocket = path.join(runDir, 'master.sock')
  // HAProxy binds beside and renames, with a suffix of up to 12 bytes.
  if (Buffer.byteLength(masterSocket) > 92)
    throw new Error(`The router's folder ${dir} is too deep for UNIX sockets; use a shorter path`)
  if (!/^\/[\w./-]+$/.test(dir))
    throw new Error(`The router's folder ${dir} may only have letters, digits, dots and dashes`)
  return {
    dir,
    config: path.join(dir, 'haproxy.cfg'),
    table: path.join(dir, 'route-table.json'),
    hostsMap: path.join(dir, 'maps', 'hosts.map'),
    slotsMap: path.join(dir, 'maps', 'slots.map'),
    codesMap: path.join(dir, 'maps', 'codes.map'),
    errorsDir: path.join(dir, 'errors'),
    certsDir: path.join(dir, 'certs'),
    certList: path.join(dir, 'certs', 'crt-list'),
    defaultCert: path.join(dir, 'certs', 'default.pem'),
    runDir,
    adminSocket: path.join(runDir, 'admin.sock'),
    masterSocket,
    jailDir: path.join(runDir, 'jail'),
    logSocket: path.join(runDir, 'jail', 'log.sock'),
  }
}
