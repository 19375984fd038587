/** The platform's own CA, as this account trusts it: one PEM file per API origin beside the credentials. */
import { X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { ApiClient } from './api-client.js'
import type { CliConfig } from './config.js'
import { CliError } from './errors.js'
import { isLoopbackHost } from './loopback.js'

/**
 * Where the CA of the configured API is kept; the file exists once `certs:trust` has run. The names and ports of this
 * machine share one, since the CA comes over plain http from one of them and is wanted for https at another.
 */
export function caFileOf(config: CliConfig): string {
  const { protocol, hostname, port } = new URL(config.apiOrigin)
  const place = isLoopbackHost(hostname) ? 'localhost' : `${protocol}${hostname}${port === '' ? '' : `:${port}`}`
  return path.join(config.configDir, 'certificates', `${place.replaceAll(/[^a-z0-9.-]+/gi, '-')}.pem`)
}

/** The CA's certificate as PEM; throws unless it is exactly one, and a CA. */
export async function fetchCa(api: ApiClient): Promise<string> {
  return checkCa(await api.text('/certs/ca'), 'What the platform gave as its CA')
}

/** The CA's certificate in a file, for a platform whose https address isn't trusted yet. */
export function readCa(file: string): string {
  try {
    return checkCa(readFileSync(file, 'utf8'), file)
  } catch (error) {
    throw error instanceof CliError ? error : new CliError(`${file} can't be read: ${(error as Error).message}`)
  }
}

function checkCa(text: string, what: string): string {
  const pem = text.trim()
  try {
    if (pem.split('-----BEGIN').length === 2 && new X509Certificate(pem).ca) return `${pem}\n`
  } catch {
    // Said below.
  }
  throw new CliError(`${what} is not one CA certificate.`)
}

/** Has the CLI itself trust the CA for this platform; returns the file. */
export function keepCa(config: CliConfig, pem: string): string {
  const file = caFileOf(config)
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(file, pem)
  return file
}
