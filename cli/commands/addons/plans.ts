import { route } from '../../api-client.js'
import type { Plan } from '../../api-types.js'
import { command } from '../../command.js'
import { formatPrice } from '../../format.js'
import { printTable } from '../../output.js'

export const addonsPlans = command({
  name: 'addons:plans',
  description: 'list the plans of an add-on service',
  args: { service: { required: true, description: 'the service, as in heroku-postgresql' } },
  examples: ['addons:plans heroku-postgresql'],
  run({ args, api }) {
    return api.list<Plan>(route`/addon-services/${args.service}/plans`)
  },
  print(plans) {
    const rows = plans.map((plan) => [
      plan.default ? 'default' : '',
      plan.name,
      plan.description || plan.human_name,
      formatPrice(plan.price),
    ])
    printTable(['', 'Slug', 'Description', 'Price'], rows)
  },
})
