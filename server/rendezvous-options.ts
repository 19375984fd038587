/** What the rendezvous listens with: the settings, and certificates of the platform's own CA for the API's names. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { RendezvousDeps } from './api/deps.js'
import type { Config } from './config.js'
import { createCertificates } from './router/certificates.js'

/** Undefined where the settings want none. The router has made the CA before. */
export async function prepareRendezvous(config: Config): Promise<RendezvousDeps | undefined> {
  const { port, bind } = config.rendezvous
  if (port === 0) return undefined
  const folder = path.join(config.dataDir, 'rendezvous')
  const certificates = createCertificates(path.join(config.dataDir, 'ca'), folder, config.instance)
  await certificates.prepare()
  const hosts = ['localhost', `api.${config.domain}`]
  return {
    port,
    bind,
    async certificatePem(host) {
      await certificates.ensure(hosts, new Date())
      return readFile(certificates.fileOf(hosts.includes(host) ? host : 'localhost'), 'utf8')
    },
  }
}
