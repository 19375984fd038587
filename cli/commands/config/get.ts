import { route } from '../../api-client.js'
import type { ConfigVars } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { shellAssignments } from '../../config-words.js'
import { printData } from '../../output.js'

export const configGet = command({
  name: 'config:get',
  description: 'print the value of a config var',
  args: { key: { required: true, variadic: true, description: 'names of config vars' } },
  flags: { ...appFlags, shell: { short: 's', description: 'print shell assignments' } },
  examples: ['config:get DATABASE_URL', 'config:get RAILS_ENV SECRET_KEY --shell'],
  async run({ args, app, api }) {
    const vars = await api.get<ConfigVars>(route`/apps/${await app()}/config-vars`)
    return Object.fromEntries(args.key.map((key) => [key, Object.hasOwn(vars, key) ? (vars[key] ?? '') : '']))
  },
  async print(values, { flags }) {
    printData(
      flags.shell
        ? shellAssignments(values)
        : Object.values(values)
            .map((value) => `${value}\n`)
            .join(''),
    )
  },
})
