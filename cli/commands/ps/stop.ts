import { route } from '../../api-client.js'
import { appFlags, command } from '../../command.js'
import { dynoWords, isDynoName } from '../../dyno-words.js'
import { UsageError } from '../../errors.js'
import { action, appLabel } from '../../output.js'

export const psStop = command({
  name: 'ps:stop',
  aliases: ['ps:kill', 'stop', 'kill', 'dyno:stop', 'dyno:kill'],
  description: 'stop a dyno',
  details: 'A one-off dyno ends. A dyno of the formation starts again: paas ps:scale web=0 keeps it down.',
  args: { dyno: { description: 'a dyno (run.1234) or a process type' } },
  flags: {
    ...appFlags,
    'dyno-name': { short: 'd', value: 'DYNO', description: 'dyno to stop' },
    'process-type': { short: 'p', value: 'TYPE', description: 'process type to stop' },
  },
  examples: ['ps:stop run.1234', 'ps:stop worker'],
  async run({ args, flags, app: resolve, api }) {
    const selection = args.dyno ?? flags['dyno-name'] ?? flags['process-type']
    if (selection === undefined) throw new UsageError('Which dyno? Name one, as in paas ps:stop run.1234')
    const app = await resolve()
    await action(`Stopping ${dynoWords(selection)} on ${appLabel(app, 'stderr')}`, () =>
      isDynoName(selection)
        ? api.post(route`/apps/${app}/dynos/${selection}/actions/stop`)
        : api.post(route`/apps/${app}/formations/${selection}/actions/stop`),
    )
    return { app, stopped: selection }
  },
})
