import type { AddOnService } from '../../api-types.js'
import { command } from '../../command.js'
import { print, printTable } from '../../output.js'

export const addonsServices = command({
  name: 'addons:services',
  description: 'list what add-ons there are',
  examples: ['addons:services'],
  run({ api }) {
    return api.list<AddOnService>('/addon-services')
  },
  print(services) {
    printTable(
      ['Slug', 'Name', 'State'],
      services.map((service) => [service.name, service.human_name, service.state]),
    )
    print('\nSee plans with paas addons:plans SERVICE')
  },
})
