import { route } from '../../api-client.js'
import type { ConfigVars } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { parseAssignments } from '../../config-words.js'
import { listOf } from '../../format.js'
import { action, appLabel, printProperties, warn } from '../../output.js'
import { latestVersion } from '../../releases.js'

export const configSet = command({
  name: 'config:set',
  aliases: ['config:add'],
  description: 'set config vars, which makes a release and restarts the app',
  args: { assignment: { required: true, variadic: true, description: 'KEY=value' } },
  flags: appFlags,
  examples: ['config:set RAILS_ENV=staging', 'config:set SECRET_KEY="$(cat key.txt)" DEBUG=0'],
  async run({ args, app: resolve, api }) {
    const wanted = parseAssignments(args.assignment)
    const keys = Object.keys(wanted)
    if (keys.length < args.assignment.length)
      warn('A config var is given twice; its last value is the one that is set.')
    for (const key of keys)
      if (wanted[key] === '') warn(`${key} is set to nothing; paas config:unset ${key} removes it.`)
    const app = await resolve()
    const vars = await action(
      `Setting ${listOf(keys)} and restarting ${appLabel(app, 'stderr')}`,
      async () => {
        const all = await api.patch<ConfigVars>(route`/apps/${app}/config-vars`, wanted)
        return { all, version: await latestVersion(api, app) }
      },
      ({ version }) => version,
    )
    return Object.fromEntries(keys.map((key) => [key, vars.all[key] ?? '']))
  },
  print(set) {
    printProperties(set)
  },
})
