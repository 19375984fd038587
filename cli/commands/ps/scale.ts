import { route } from '../../api-client.js'
import type { Formation } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { CliError } from '../../errors.js'
import { parseScale, runningWords, scaleWords } from '../../formation-words.js'
import { action, print } from '../../output.js'

export const psScale = command({
  name: 'ps:scale',
  aliases: ['scale', 'dyno:scale'],
  description: 'set how many dynos of which size run, or show it',
  args: { change: { variadic: true, description: 'TYPE=QUANTITY[:SIZE], TYPE+N or TYPE-N' } },
  flags: appFlags,
  examples: ['ps:scale web=2 worker=1', 'ps:scale web+1', 'ps:scale web=2:standard-2x', 'ps:scale'],
  async run({ args, app: resolve, api }) {
    const updates = args.change.map(parseScale)
    const app = await resolve()
    if (updates.length === 0) {
      const formation = await api.list<Formation>(route`/apps/${app}/formation`)
      if (formation.length === 0)
        throw new CliError(`No process types on ${app}.\nDeploy it, with a Procfile that names them.`)
      return formation
    }
    const formation = await action(
      'Scaling dynos',
      () => api.patch<Formation[]>(route`/apps/${app}/formation`, { updates }),
      (all) => `now running ${runningWords(all.filter((f) => updates.some((u) => u.type === f.type)))}`,
    )
    return formation
  },
  print(formation, { args }) {
    if (args.change.length === 0) print(scaleWords(formation))
  },
})
