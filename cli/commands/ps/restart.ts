import { route } from '../../api-client.js'
import { appFlags, command } from '../../command.js'
import { dynoWords, isDynoName } from '../../dyno-words.js'
import { action, appLabel } from '../../output.js'

export const psRestart = command({
  name: 'ps:restart',
  aliases: ['restart', 'dyno:restart'],
  description: 'restart dynos',
  args: { dyno: { description: 'a dyno (web.1) or a process type (web); all dynos unless given' } },
  flags: {
    ...appFlags,
    'dyno-name': { short: 'd', value: 'DYNO', description: 'dyno to restart' },
    'process-type': { short: 'p', value: 'TYPE', description: 'process type to restart' },
  },
  examples: ['ps:restart', 'ps:restart web.1', 'ps:restart worker'],
  async run({ args, flags, app: resolve, api }) {
    const app = await resolve()
    const selection = args.dyno ?? flags['dyno-name'] ?? flags['process-type']
    await action(`Restarting ${dynoWords(selection)} on ${appLabel(app, 'stderr')}`, () => {
      if (selection === undefined) return api.delete(route`/apps/${app}/dynos`)
      return isDynoName(selection)
        ? api.delete(route`/apps/${app}/dynos/${selection}`)
        : api.delete(route`/apps/${app}/formations/${selection}`)
    })
    return { app, restarted: selection ?? 'all' }
  },
})
