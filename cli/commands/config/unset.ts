import { route } from '../../api-client.js'
import type { ConfigVars } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { listOf } from '../../format.js'
import { action, appLabel } from '../../output.js'
import { latestVersion } from '../../releases.js'

export const configUnset = command({
  name: 'config:unset',
  aliases: ['config:remove'],
  description: 'remove config vars, which makes a release and restarts the app',
  args: { key: { required: true, variadic: true, description: 'names of config vars' } },
  flags: appFlags,
  examples: ['config:unset RAILS_ENV', 'config:unset RAILS_ENV DEBUG'],
  async run({ args, app: resolve, api }) {
    const app = await resolve()
    const removed = Object.fromEntries(args.key.map((key) => [key, null]))
    const { vars } = await action(
      `Unsetting ${listOf(args.key)} and restarting ${appLabel(app, 'stderr')}`,
      async () => {
        const left = await api.patch<ConfigVars>(route`/apps/${app}/config-vars`, removed)
        return { vars: left, version: await latestVersion(api, app) }
      },
      ({ version }) => version,
    )
    return vars
  },
})
