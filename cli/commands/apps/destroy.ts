import { route } from '../../api-client.js'
import type { App } from '../../api-types.js'
import { listAppRemotes } from '../../app-remotes.js'
import { appFlags, command, confirmFlag } from '../../command.js'
import { removeGitRemote } from '../../git.js'
import { action, appLabel } from '../../output.js'
import { confirmApp } from '../../prompt.js'

export const appsDestroy = command({
  name: 'apps:destroy',
  aliases: ['destroy', 'apps:delete'],
  description: 'destroy an app for good',
  details: 'Its add-ons and their data go with it, and the git remotes in this folder that lead to it.',
  args: { app: { description: 'the app, instead of --app' } },
  flags: { ...appFlags, ...confirmFlag },
  examples: ['apps:destroy --app my-app', 'apps:destroy my-app --confirm my-app'],
  async run({ args, flags, app, api, config, credentials }) {
    const named = args.app ?? (flags.app === undefined ? flags.confirm : undefined)
    const { name } = await api.get<App>(route`/apps/${named ?? (await app())}`)
    await confirmApp(name, flags.confirm, `This will destroy ${appLabel(name, 'stderr')} including all add-ons.`)
    const destroyed = await action(`Destroying ${appLabel(name, 'stderr')} (including all add-ons)`, () =>
      api.delete<App>(route`/apps/${name}`),
    )
    const remotes = (await listAppRemotes(config, credentials)).filter((r) => r.app === name)
    for (const { remote } of remotes) await removeGitRemote(remote)
    return destroyed
  },
})
