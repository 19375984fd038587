/**
 * The platform's development CA and one leaf certificate a host.
 *
 * The CA is made once a machine and lives for ten years; its key never enters the router's folder. Leaves live for 397
 * days, the longest that clients accept, and are made anew when less than thirty are left. Keys are ECDSA P-256. The
 * work is openssl's: it writes every extension that strict verifiers (Python 3.13's default) insist on.
 */
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { remembered } from '../lib/remembered.js'
import { ensureFolder, keepDurable, readIfThere, removeFile, writeDurably } from './durable-file.js'

const run = promisify(execFile)
const dayMs = 86_400_000
const leafDays = 397
const renewDays = 30
/** Certificates made at once. */
const lanes = 4

const requestConfig = `[req]
prompt = no
distinguished_name = dn
string_mask = utf8only
[dn]
O = PaaS
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`

export interface Certificates {
  /** Makes the CA unless it is there. */
  prepare(): Promise<void>
  /** The CA's certificate, for clients to trust. */
  caCertificatePem(): Promise<string>
  /** File of a host's certificate and key; a wildcard's star is an underscore. */
  fileOf(host: string): string
  /** File → host. The same list of hosts has the same map. */
  filesOf(hosts: readonly string[]): ReadonlyMap<string, string>
  /** Makes what is missing or ends soon; returns the hosts whose certificate is new. */
  ensure(hosts: readonly string[], now: Date): Promise<string[]>
  /** Makes one certificate for a file of its own. */
  ensureFile(file: string, host: string, now: Date): Promise<boolean>
  /** Removes the certificates of hosts that have gone. */
  remove(hosts: readonly string[]): Promise<void>
  /** Removes what isn't a certificate of one of these hosts. */
  prune(hosts: readonly string[]): Promise<void>
}

export function createCertificates(caDir: string, certsDir: string, instance: string): Certificates {
  const caCert = path.join(caDir, 'ca.pem')
  const caKey = path.join(caDir, 'ca.key')
  const config = path.join(caDir, 'openssl.cnf')
  /** File → end of validity, so that a publish doesn't read a thousand certificates. */
  const ends = new Map<string, number>()
  /** List of hosts → when the first of their certificates ends, so that one that is asked for again isn't gone through. */
  const soundUntil = new WeakMap<readonly string[], number>()

  const openssl = async (args: readonly string[]) =>
    (await run('openssl', ['req', '-x509', '-config', config, '-sha256', '-noenc', ...args], { timeout: 30_000 }))
      .stdout

  const ensureFile = async (file: string, host: string, now: Date) => {
    const end = ends.get(file) ?? endOf(await readIfThere(file))
    if (lastsBeyond(end, now)) {
      ends.set(file, end)
      return false
    }
    const pem = await openssl([
      ...['-CA', caCert, '-CAkey', caKey, '-days', String(leafDays), '-extensions', 'leaf'],
      ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', '-'],
      // A common name holds 64 characters; clients look at the alternative name only.
      ...['-subj', host.length <= 64 ? `/CN=${host}` : '/O=PaaS', '-addext', `subjectAltName=DNS:${host}`],
    ])
    await writeDurably(file, pem, 0o600)
    ends.set(file, endOf(pem))
    return true
  }

  const fileOf = (host: string) => `${certsDir}/${host.replace('*', '_')}.pem`

  return {
    async prepare() {
      await ensureFolder(caDir, 0o700)
      await ensureFolder(certsDir, 0o700)
      await keepDurable(config, requestConfig)
      if ((await readIfThere(caCert)) !== undefined) return
      const name = `PaaS development CA (${instance} ${hostname().replace(/[^\w.-]/g, '')})`.slice(0, 64)
      const pem = await openssl([
        ...['-days', '3650', '-extensions', 'ca', '-subj', `/O=PaaS/CN=${name}`],
        ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', '-'],
      ])
      const [key, certificate] = splitPem(pem)
      // The key first: a certificate is the sign that both are there.
      await writeDurably(caKey, key, 0o600)
      await writeDurably(caCert, certificate, 0o644)
    },
    async caCertificatePem() {
      const pem = await readIfThere(caCert)
      if (pem === undefined)
        throw new Error(`There is no development CA in ${caDir}; it is made when the router is prepared`)
      return pem
    },
    fileOf,
    ensureFile,
    filesOf: remembered((hosts: readonly string[]) => new Map(hosts.map((host) => [fileOf(host), host]))),
    async ensure(hosts, now) {
      if (lastsBeyond(soundUntil.get(hosts) ?? 0, now)) return []
      const fresh: string[] = []
      const waiting = hosts.filter((host) => !lastsBeyond(ends.get(fileOf(host)) ?? 0, now))
      const lane = async () => {
        for (let host = waiting.shift(); host !== undefined; host = waiting.shift())
          if (await ensureFile(fileOf(host), host, now)) fresh.push(host)
      }
      await Promise.all(Array.from({ length: lanes }, lane))
      soundUntil.set(hosts, Math.min(...hosts.map((host) => ends.get(fileOf(host)) ?? 0)))
      return fresh
    },
    async remove(hosts) {
      for (const host of hosts) {
        ends.delete(fileOf(host))
        await removeFile(fileOf(host))
      }
    },
    async prune(hosts) {
      const wanted = new Set(hosts.map(fileOf))
      for (const name of await readdir(certsDir)) {
        const file = path.join(certsDir, name)
        if (!name.endsWith('.pem') || name === 'default.pem' || wanted.has(file)) continue
        ends.delete(file)
        await removeFile(file)
      }
    },
  }
}

function lastsBeyond(end: number, now: Date): boolean {
  return end - now.getTime() > renewDays * dayMs
}

/** End of validity in milliseconds of the epoch; the past for what isn't a certificate. */
function endOf(pem: string | undefined): number {
  if (pem === undefined) return 0
  try {
    return new Date(new X509Certificate(pem).validTo).getTime()
  } catch {
    return 0
  }
}

function splitPem(pem: string): [key: string, certificate: string] {
  const key = /-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----\n/.exec(pem)?.[0]
  const certificate = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n/.exec(pem)?.[0]
  if (key === undefined || certificate === undefined) throw new Error('openssl gave no key and certificate')
  return [key, certificate]
}
