/** The platform's own CA, as this account trusts it: one PEM file per API origin beside the credentials. */
import { X509Certificate } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { ApiClient } from './api-client.js'
import type { CliConfig } from './config.js'
import { CliError } from './errors.js'

/** Where the CA of the configured API is kept; the file exists once `certs:trust` has run. */
export function caFileOf(config: CliConfig): string {
  return path.join(config.configDir, 'certificates', `${config.apiOrigin.replaceAll(/[^a-z0-9.-]+/gi, '-')}.pem`)
}

/** The CA's certificate as PEM; throws unless it is exactly one, and a CA. */
export async function fetchCa(api: ApiClient): Promise<string> {
  const pem = (await api.text('/certs/ca')).trim()
  try {
    if (pem.split('-----BEGIN').length === 2 && new X509Certificate(pem).ca) return `${pem}\n`
  } catch {
    // Said below.
  }
  throw new CliError('What the platform gave as its CA is not one CA certificate.')
}

/** Has the CLI itself trust the CA for this platform; returns the file. */
export function keepCa(config: CliConfig, pem: string): string {
  const file = caFileOf(config)
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(file, pem)
  return file
}
