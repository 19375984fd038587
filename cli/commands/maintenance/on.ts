import { route } from '../../api-client.js'
import type { App } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { action, appLabel } from '../../output.js'

export const maintenanceOn = command({
  name: 'maintenance:on',
  description: 'put an app into maintenance mode: its visitors see a maintenance page',
  flags: appFlags,
  examples: ['maintenance:on'],
  async run({ app: resolve, api }) {
    const app = await resolve()
    return action(`Enabling maintenance mode for ${appLabel(app, 'stderr')}`, () =>
      api.patch<App>(route`/apps/${app}`, { maintenance: true }),
    )
  },
})
