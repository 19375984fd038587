import { route } from '../../api-client.js'
import type { App } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { action, appLabel } from '../../output.js'

export const maintenanceOff = command({
  name: 'maintenance:off',
  description: 'take an app out of maintenance mode',
  flags: appFlags,
  examples: ['maintenance:off'],
  async run({ app: resolve, api }) {
    const app = await resolve()
    return action(`Disabling maintenance mode for ${appLabel(app, 'stderr')}`, () =>
      api.patch<App>(route`/apps/${app}`, { maintenance: false }),
    )
  },
})
