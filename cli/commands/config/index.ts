import { route } from '../../api-client.js'
import type { ConfigVars } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { shellAssignments } from '../../config-words.js'
import { appLabel, print, printData, printHeader, printProperties } from '../../output.js'

export const config = command({
  name: 'config',
  description: 'list the config vars of an app',
  flags: { ...appFlags, shell: { short: 's', description: 'print shell assignments' } },
  examples: ['config', 'config --shell > .env'],
  async run({ app, api }) {
    const vars = await api.get<ConfigVars>(route`/apps/${await app()}/config-vars`)
    return Object.fromEntries(Object.entries(vars).sort(([a], [b]) => (a < b ? -1 : 1)))
  },
  async print(vars, { flags, app }) {
    if (flags.shell) return printData(shellAssignments(vars))
    const label = appLabel(await app())
    if (Object.keys(vars).length === 0) return print(`${label} has no config vars`)
    printHeader(`${label} Config Vars`)
    printProperties(vars)
  },
})
