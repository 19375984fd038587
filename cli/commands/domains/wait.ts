import { route } from '../../api-client.js'
import type { Domain } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { waitForDomain } from '../../domain-wait.js'

export const domainsWait = command({
  name: 'domains:wait',
  description: 'wait until domains are ready',
  args: { hostname: { description: 'host name; all pending ones unless given' } },
  flags: appFlags,
  examples: ['domains:wait', 'domains:wait www.example.com'],
  async run({ args, app: resolve, api }) {
    const app = await resolve()
    const all = args.hostname === undefined ? await api.list<Domain>(route`/apps/${app}/domains`) : []
    const pending = all.filter((domain) => domain.status === 'pending').map((domain) => domain.hostname)
    const ready: Domain[] = []
    for (const hostname of args.hostname === undefined ? pending : [args.hostname])
      ready.push(await waitForDomain(api, app, hostname))
    return ready
  },
})
