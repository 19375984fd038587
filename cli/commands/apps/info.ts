import { route } from '../../api-client.js'
import type { AddOn, App, Dyno } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { formatBytes, formatTime } from '../../format.js'
import { appLabel, printData, printHeader, printProperties } from '../../output.js'

export const appsInfo = command({
  name: 'apps:info',
  aliases: ['info'],
  description: 'show what an app is',
  args: { app: { description: 'the app, instead of --app' } },
  flags: { ...appFlags, shell: { short: 's', description: 'print shell assignments' } },
  examples: ['info', 'apps:info my-app', 'apps:info --shell'],
  async run({ args, app: resolve, api }) {
    const name = args.app ?? (await resolve())
    const [app, addons, dynos] = await Promise.all([
      api.get<App>(route`/apps/${name}`),
      api.list<AddOn>(route`/apps/${name}/addons`),
      api.list<Dyno>(route`/apps/${name}/dynos`),
    ])
    return { app, addons, dynos }
  },
  print({ app, addons, dynos }, { flags }) {
    const counts = new Map<string, number>()
    for (const dyno of dynos) counts.set(dyno.type, (counts.get(dyno.type) ?? 0) + 1)
    const dynoWords = [...counts].map(([type, count]) => `${type}: ${count}`).sort()
    const plans = addons.map((addon) => addon.plan.name).sort()
    if (flags.shell) return printAssignments(app, plans, dynoWords)
    printHeader(appLabel(app.name))
    printProperties({
      Addons: plans,
      'Auto Cert Mgmt': String(app.acm ?? false),
      Created: formatTime(app.created_at) || undefined,
      Dynos: dynoWords,
      'Git URL': app.git_url,
      Maintenance: app.maintenance ? 'on' : undefined,
      Owner: app.owner.email,
      Region: app.region?.name,
      'Repo Size': formatBytes(app.repo_size),
      'Slug Size': formatBytes(app.slug_size),
      Stack: app.stack?.name,
      'Web URL': app.web_url,
    })
  },
})

function printAssignments(app: App, plans: readonly string[], dynoWords: readonly string[]): void {
  const values = {
    addons: plans.join(','),
    dynos: dynoWords.join(','),
    git_url: app.git_url,
    maintenance: String(app.maintenance),
    name: app.name,
    owner: app.owner.email,
    region: app.region?.name ?? '',
    stack: app.stack?.name ?? '',
    web_url: app.web_url,
  }
  printData(
    Object.entries(values)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
}
