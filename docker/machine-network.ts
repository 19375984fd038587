/** What this machine's own tools trust, so that a platform behind a company proxy works without being told twice. */
import { existsSync, readdirSync } from 'node:fs'
import { type Config, loadConfig } from '../server/config.js'

const systemBundle = '/etc/ssl/certs/ca-certificates.crt'
const localCertificates = '/usr/local/share/ca-certificates'

/**
 * The extra CA bundle for builds and dynos: the one set, else the one the machine's tools are pointed at, else the system's
 * where an administrator has added certificates to it. Empty on an ordinary machine.
 */
export function machineCaBundle(env: NodeJS.ProcessEnv = process.env): string {
  const named = [env.PAAS_CA_BUNDLE, env.SSL_CERT_FILE, env.NODE_EXTRA_CA_CERTS].find(
    (file) => file && existsSync(file),
  )
  if (named) return named
  const hasLocal = existsSync(localCertificates) && readdirSync(localCertificates).some((file) => file.endsWith('.crt'))
  return hasLocal && existsSync(systemBundle) ? systemBundle : ''
}

/** The settings with this machine's CA bundle filled in. */
export function loadMachineConfig(env: NodeJS.ProcessEnv = process.env): Config {
  return loadConfig({ ...env, PAAS_CA_BUNDLE: machineCaBundle(env) })
}
