import { route } from '../../api-client.js'
import type { Domain } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { waitForDomain } from '../../domain-wait.js'
import { action, appLabel, print } from '../../output.js'

export const domainsAdd = command({
  name: 'domains:add',
  description: 'add a custom domain to an app',
  args: { hostname: { required: true, description: 'host name, as in www.example.com' } },
  flags: { ...appFlags, wait: { description: 'wait until the domain is ready' } },
  examples: ['domains:add www.example.com', 'domains:add www.example.com --wait'],
  async run({ args, flags, app: resolve, api }) {
    const app = await resolve()
    const domain = await action(`Adding ${args.hostname} to ${appLabel(app, 'stderr')}`, () =>
      api.post<Domain>(route`/apps/${app}/domains`, { hostname: args.hostname, sni_endpoint: null }),
    )
    return flags.wait ? waitForDomain(api, app, domain.hostname) : domain
  },
  print(domain) {
    if (domain.cname) print(`Configure your app's DNS provider to point to the DNS Target ${domain.cname}.`)
    if (domain.status === 'pending') print(`Run paas domains:wait ${domain.hostname} to wait for completion.`)
  },
})
