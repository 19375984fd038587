import { route } from '../../api-client.js'
import type { App } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { print } from '../../output.js'

export const maintenance = command({
  name: 'maintenance',
  description: 'show whether an app is in maintenance mode',
  flags: appFlags,
  examples: ['maintenance'],
  async run({ app, api }) {
    const found = await api.get<App>(route`/apps/${await app()}`)
    return { maintenance: found.maintenance }
  },
  print(found) {
    print(found.maintenance ? 'on' : 'off')
  },
})
