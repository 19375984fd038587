import { domainToASCII } from 'node:url'
import { failpoint } from '../lib/failpoint.js'
import type { App } from '../model/app.js'
import { checkHostname, type Domain } from '../model/domain.js'
import { invalid, notFound } from '../model/errors.js'
import type { Platform } from '../platform.js'
import { isUniqueViolation } from '../store/database.js'
import { findDomain, insertDomain, removeDomain as removeDomainRow } from '../store/domains.js'

export async function addDomain(platform: Platform, app: App, hostname: string): Promise<Domain> {
  const name = checkHostname(hostname, platform.config.domain, domainToASCII)
  try {
    const domain = await insertDomain(platform.db, app.id, name)
    failpoint('domain-add.committed')
    platform.nudge(app.id)
    return domain
  } catch (error) {
    if (isUniqueViolation(error)) throw invalid(`${name} is currently in use by an app; remove it there first.`)
    throw error
  }
}

export async function domainOf(platform: Platform, app: App, idOrHostname: string): Promise<Domain> {
  const domain = await findDomain(platform.db, app.id, idOrHostname)
  if (!domain) throw notFound('domain')
  return domain
}

export async function removeDomain(platform: Platform, app: App, idOrHostname: string): Promise<Domain> {
  const domain = await domainOf(platform, app, idOrHostname)
  await removeDomainRow(platform.db, domain.id)
  failpoint('domain-remove.committed')
  platform.nudge(app.id)
  return domain
}
