/** The development CA and its leaves, as openssl and node see them. */
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { createCertificates } from '../../../server/router/certificates.js'

const run = promisify(execFile)
const dayMs = 86_400_000

t.test('leaves are of the CA, for one host, and made anew in time', async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), 'router-certificates-'))
  t.teardown(() => rm(root, { recursive: true, force: true }))
  const caDir = path.join(root, 'ca')
  const certificates = createCertificates(caDir, path.join(root, 'certs'), 'paas')
  await t.rejects(certificates.caCertificatePem(), /no development CA/)
  await certificates.prepare()
  const ca = await certificates.caCertificatePem()
  await certificates.prepare()
  t.equal(await certificates.caCertificatePem(), ca, 'the CA is made once')
  const authority = new X509Certificate(ca)
  t.match(authority.subject, /CN=PaaS development CA \(paas /)
  t.ok(authority.ca)
  t.ok(new Date(authority.validTo).getTime() > Date.now() + 3640 * dayMs)
  t.equal((await stat(path.join(caDir, 'ca.key'))).mode & 0o777, 0o600)
  t.equal((await stat(caDir)).mode & 0o777, 0o700)

  const now = new Date()
  const hosts = ['hello.localhost', '*.example.com', `${'long-label.'.repeat(8)}example.com`]
  t.strictSame((await certificates.ensure(hosts, now)).sort(), [...hosts].sort())
  t.strictSame(await certificates.ensure(hosts, now), [], 'what is there is not made again')
  for (const host of hosts) {
    const file = certificates.fileOf(host)
    const leaf = new X509Certificate(await readFile(file))
    t.equal(leaf.subjectAltName, `DNS:${host}`)
    t.ok(leaf.checkIssued(authority))
    t.ok(new Date(leaf.validTo).getTime() <= now.getTime() + 397 * dayMs + 60_000)
    t.equal((await stat(file)).mode & 0o777, 0o600)
    t.match(
      (await run('openssl', ['verify', '-x509_strict', '-CAfile', path.join(caDir, 'ca.pem'), file])).stdout,
      /: OK/,
    )
  }
  t.match(certificates.fileOf('*.example.com'), /\/_\.example\.com\.pem$/)

  const another = createCertificates(caDir, path.join(root, 'certs'), 'paas')
  t.strictSame(await another.ensure(hosts, new Date(now.getTime() + 360 * dayMs)), [], 'a new control plane finds them')
  const later = new Date(now.getTime() + 370 * dayMs)
  t.equal((await another.ensure(hosts.slice(0, 1), later)).length, 1, 'less than thirty days left')

  await certificates.remove(hosts.slice(1, 2))
  await certificates.prune(hosts.slice(0, 1))
  t.strictSame(await readdir(path.join(root, 'certs')), ['hello.localhost.pem'])
})
