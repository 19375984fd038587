import { route } from '../../api-client.js'
import type { AddOn } from '../../api-types.js'
import { addOnPrice } from '../../addon-lookup.js'
import { appFlags, command, confirmFlag } from '../../command.js'
import { CliError } from '../../errors.js'
import { listOf } from '../../format.js'
import { action, appLabel, print } from '../../output.js'
import { pollUntil } from '../../poll.js'

export const addonsCreate = command({
  name: 'addons:create',
  description: 'create an add-on for an app',
  args: { plan: { required: true, description: 'SERVICE:PLAN, or SERVICE for its default plan' } },
  flags: {
    ...appFlags,
    ...confirmFlag,
    as: { value: 'NAME', description: 'name of the attachment, which names its config var' },
    name: { value: 'NAME', description: 'name of the add-on itself' },
    wait: { description: 'wait until it is ready' },
  },
  examples: ['addons:create heroku-postgresql', 'addons:create heroku-postgresql:mini --as ANALYTICS --wait'],
  async run({ args, flags, app: resolve, api }) {
    const app = await resolve()
    const request = {
      plan: { name: args.plan },
      ...(flags.as === undefined ? {} : { attachment: { name: flags.as } }),
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(flags.confirm === undefined ? {} : { confirm: flags.confirm }),
    }
    const addon = await action(
      `Creating ${args.plan} on ${appLabel(app, 'stderr')}`,
      () => api.post<AddOn>(route`/apps/${app}/addons`, request),
      addOnPrice,
    )
    return flags.wait && addon.state === 'provisioning' ? waitForAddOn() : addon

    async function waitForAddOn(): Promise<AddOn> {
      const path = route`/addons/${addon.id}`
      const ended = await action(`Waiting for ${addon.name}`, () =>
        pollUntil(
          () => api.get<AddOn>(path),
          (found) => found.state !== 'provisioning',
        ),
      )
      if (ended.state !== 'provisioned') throw new CliError(`${addon.name} could not be created. See paas addons.`)
      return ended
    }
  },
  print(addon) {
    const progress = `${addon.name} is being created in the background. The app will restart when complete...`
    const message = addon.provision_message ?? ''
    if (message !== '' && !progress.startsWith(message)) print(message)
    if (addon.state === 'provisioning')
      return print(`${progress}\nUse paas addons:info ${addon.name} to check creation progress`)
    const vars = addon.config_vars.length === 0 ? '' : ` as ${listOf(addon.config_vars)}`
    print(`Created ${addon.name}${vars}`)
  },
})
