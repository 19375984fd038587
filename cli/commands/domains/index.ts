import { route } from '../../api-client.js'
import type { Domain } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { appLabel, print, printHeader, printTable } from '../../output.js'

export const domains = command({
  name: 'domains',
  aliases: ['domains:list'],
  description: 'list the domains of an app',
  flags: appFlags,
  examples: ['domains', 'domains --json'],
  async run({ app, api }) {
    return api.list<Domain>(route`/apps/${await app()}/domains`)
  },
  async print(found, { app }) {
    const label = appLabel(await app())
    const own = found.filter((domain) => domain.kind === 'heroku')
    if (own.length > 0) {
      printHeader(`${label} Domain`)
      for (const domain of own) print(domain.hostname)
      print()
    }
    const custom = found.filter((domain) => domain.kind !== 'heroku')
    if (custom.length === 0) return print(`${label} has no custom domains. Add one with paas domains:add`)
    printHeader(`${label} Custom Domains`)
    printTable(['Domain Name', 'DNS Record Type', 'DNS Target', 'Status'], custom.map(domainRow))
  },
})

function domainRow(domain: Domain): string[] {
  // A name directly under a public suffix can't be a CNAME; two labels is the common case of it.
  const record = domain.hostname.split('.').length > 2 ? 'CNAME' : 'ALIAS or ANAME'
  return [domain.hostname, record, domain.cname ?? '', domain.acm_status ?? domain.status]
}
