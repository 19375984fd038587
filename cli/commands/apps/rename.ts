import { route } from '../../api-client.js'
import type { App } from '../../api-types.js'
import { addAppRemote, listAppRemotes } from '../../app-remotes.js'
import { appFlags, command } from '../../command.js'
import { action, appLabel, print } from '../../output.js'

export const appsRename = command({
  name: 'apps:rename',
  aliases: ['rename'],
  description: 'give an app another name',
  details: 'Its address changes with it. Git remotes in this folder that lead to it are changed too.',
  args: { name: { required: true, description: 'new name' } },
  flags: appFlags,
  examples: ['apps:rename better-name --app my-app'],
  async run({ args, app, api, config, credentials }) {
    const before = await app()
    const remotes = (await listAppRemotes(config, credentials)).filter((r) => r.app === before)
    const labels = [appLabel(before, 'stderr'), appLabel(args.name, 'stderr')]
    const renamed = await action(`Renaming ${labels.join(' to ')}`, () =>
      api.patch<App>(route`/apps/${before}`, { name: args.name }),
    )
    for (const { remote } of remotes) await addAppRemote(renamed, remote, { config, credentials })
    return { app: renamed, remotes: remotes.map((r) => r.remote) }
  },
  print({ app, remotes }) {
    print(`${app.web_url.replace(/\/$/, '')} | ${app.git_url}`)
    for (const remote of remotes) print(`Git remote ${remote} updated`)
  },
})
