import type { App } from '../../api-types.js'
import { command } from '../../command.js'
import { paint, print, printHeader } from '../../output.js'

export const apps = command({
  name: 'apps',
  aliases: ['apps:list'],
  description: 'list your apps',
  examples: ['apps', 'apps --json'],
  async run({ api }) {
    const found = await api.list<App>('/apps')
    return found.sort((a, b) => a.name.localeCompare(b.name))
  },
  print(found) {
    if (found.length === 0) return print('You have no apps. Make one with paas create')
    const owners = [...new Set(found.map((app) => app.owner.email))]
    for (const owner of owners) {
      printHeader(`${owner} Apps`)
      for (const app of found.filter((a) => a.owner.email === owner))
        print(app.maintenance ? `${app.name} ${paint().yellow('(maintenance)')}` : app.name)
      print()
    }
  },
})
