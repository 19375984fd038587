import { route } from '../../api-client.js'
import type { App } from '../../api-types.js'
import { addAppRemote, defaultRemote } from '../../app-remotes.js'
import { command } from '../../command.js'
import { CliError, UsageError } from '../../errors.js'
import { isInGitRepository } from '../../git.js'
import { print } from '../../output.js'

export const gitRemote = command({
  name: 'git:remote',
  description: "add an app's git remote to the repository here",
  details: 'git is told to ask paas for the token: a push asks for nothing.',
  flags: {
    app: { short: 'a', value: 'APP', description: 'app that the remote leads to' },
    remote: { short: 'r', value: 'REMOTE', description: "name of the remote; 'paas' unless given" },
  },
  examples: ['git:remote -a my-app', 'git:remote -a my-app-staging -r staging'],
  async run({ flags, api, config, credentials }) {
    const name = flags.app ?? config.app
    if (name === undefined) throw new UsageError('Which app? Name it, as in paas git:remote --app my-app')
    if (!(await isInGitRepository())) throw new CliError('This folder is not in a git repository. Run git init first.')
    const app = await api.get<App>(route`/apps/${name}`)
    const remote = flags.remote ?? defaultRemote
    await addAppRemote(app, remote, { config, credentials })
    return { app: app.name, remote, git_url: app.git_url }
  },
  print({ remote, git_url }) {
    print(`set git remote ${remote} to ${git_url}`)
  },
})
