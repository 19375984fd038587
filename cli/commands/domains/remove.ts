import { route } from '../../api-client.js'
import type { Domain } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { action, appLabel } from '../../output.js'

export const domainsRemove = command({
  name: 'domains:remove',
  description: 'remove a custom domain from an app',
  args: { hostname: { required: true, description: 'host name, as in www.example.com' } },
  flags: appFlags,
  examples: ['domains:remove www.example.com'],
  async run({ args, app: resolve, api }) {
    const app = await resolve()
    return action(`Removing ${args.hostname} from ${appLabel(app, 'stderr')}`, () =>
      api.delete<Domain>(route`/apps/${app}/domains/${args.hostname}`),
    )
  },
})
