import { addOnPrice } from '../../addon-lookup.js'
import { route } from '../../api-client.js'
import type { AddOn, App } from '../../api-types.js'
import { addAppRemote, defaultRemote } from '../../app-remotes.js'
import { replaceBuildpacks } from '../../buildpack-list.js'
import { command } from '../../command.js'
import { isInGitRepository } from '../../git.js'
import { action, appLabel, print, warn } from '../../output.js'

export const appsCreate = command({
  name: 'apps:create',
  aliases: ['create'],
  description: 'create an app',
  details:
    'In a git repository it also adds a remote, so that git push paas master deploys.\ngit is told to ask paas for the token: a push asks for nothing.',
  args: { name: { description: 'name of the app; one is made up when it is left out' } },
  flags: {
    app: { short: 'a', value: 'APP', description: 'name of the app' },
    remote: { short: 'r', value: 'REMOTE', description: "name of the git remote; 'paas' unless given" },
    stack: { short: 's', value: 'STACK', description: 'stack of the app' },
    region: { value: 'REGION', description: 'region of the app' },
    addons: { value: 'ADDONS', description: 'add-ons to create with it, SERVICE:PLAN, parted by commas' },
    buildpack: {
      short: 'b',
      value: 'BUILDPACK',
      description: 'what its code is built with: name (heroku/python) or URL',
    },
    'no-remote': { short: 'n', description: 'leave git alone' },
  },
  examples: ['create my-app', 'apps:create my-app --remote staging', 'create my-app --addons heroku-postgresql'],
  async run({ args, flags, api, config, credentials }) {
    const name = args.name ?? flags.app ?? config.app
    const label = name === undefined ? 'app' : appLabel(name, 'stderr')
    const wanted = {
      ...(name === undefined ? {} : { name }),
      ...(flags.stack === undefined ? {} : { stack: flags.stack }),
      ...(flags.region === undefined ? {} : { region: flags.region }),
    }
    const app = await action(
      `Creating ${label}`,
      () => api.post<App>('/apps', wanted),
      (made) => (name === undefined ? `${appLabel(made.name, 'stderr')}, ${webUrl(made)}` : webUrl(made)),
    )
    for (const plan of plansOf(flags.addons))
      await action(
        `Creating ${plan} on ${appLabel(app.name, 'stderr')}`,
        () => api.post<AddOn>(route`/apps/${app.name}/addons`, { plan: { name: plan } }),
        addOnPrice,
      )
    if (flags.buildpack !== undefined) await replaceBuildpacks(api, app.name, [flags.buildpack])
    if (flags['no-remote'] || !(await isInGitRepository())) return { ...app, git_remote: null }
    const remote = flags.remote ?? defaultRemote
    const outcome = await addAppRemote(app, remote, { config, credentials }, { keep: true })
    if (outcome === 'kept')
      warn(
        `The git remote ${remote} leads elsewhere and is left so.\nTo change it, run: paas git:remote -a ${app.name}`,
      )
    return { ...app, git_remote: { name: remote, outcome } }
  },
  print(app) {
    print(`${webUrl(app)} | ${app.git_url}`)
    if (app.git_remote !== null && app.git_remote.outcome !== 'kept')
      print(`Git remote ${app.git_remote.name} ${app.git_remote.outcome}`)
  },
})

function plansOf(addons = ''): string[] {
  return addons
    .split(',')
    .map((plan) => plan.trim())
    .filter(Boolean)
}

function webUrl(app: Pick<App, 'web_url'>): string {
  return app.web_url.replace(/\/$/, '')
}
