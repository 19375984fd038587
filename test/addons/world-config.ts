/** What a test's control planes have in common, in whichever process they run. */
import { loadConfig } from '../../server/config.js'
import type { Logger } from '../../server/lib/logger.js'

export function worldConfig(instance: string, subnets: string, dataDir: string, more: Record<string, string> = {}) {
  return loadConfig({ PAAS_INSTANCE: instance, PAAS_SUBNETS: subnets, PAAS_DATA_DIR: dataDir, ...more })
}

export function quietLog(warnings: string[] = []): Logger {
  const warn = (fields: object, message: string) => {
    const { err } = fields as { err?: Error }
    warnings.push(`${message} ${JSON.stringify(fields)} ${err?.message ?? ''}`)
  }
  return { debug: () => {}, info: () => {}, warn, error: warn }
}
