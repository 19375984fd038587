import { type ApiClient, route } from '../../api-client.js'
import type { AddOn } from '../../api-types.js'
import { resolveAddOn } from '../../addon-lookup.js'
import { appFlags, command, confirmFlag } from '../../command.js'
import { ApiError, CliError } from '../../errors.js'
import { listOf } from '../../format.js'
import { action, appLabel } from '../../output.js'
import { confirmApp } from '../../prompt.js'

export const addonsDestroy = command({
  name: 'addons:destroy',
  aliases: ['addons:remove'],
  description: 'destroy an add-on and its data for good',
  args: { addon: { required: true, variadic: true, description: "the add-ons' names, or names of attachments" } },
  flags: { ...appFlags, ...confirmFlag },
  examples: ['addons:destroy DATABASE', 'addons:destroy postgresql-round-1234 --confirm my-app'],
  async run({ args, flags, app: resolve, api }) {
    const app = flags.app ?? flags.confirm ?? (await resolve())
    const found: AddOn[] = []
    for (const name of args.addon) {
      const addon = await resolveAddOn(api, name, app)
      if (addon.app.name !== app)
        throw new CliError(
          `${addon.name} belongs to ${addon.app.name}, not to ${app}.\nRun this with --app ${addon.app.name}, or paas addons:detach to part ${app} from it.`,
        )
      if (!found.some((other) => other.id === addon.id)) found.push(addon)
    }
    const names = listOf(found.map((addon) => addon.name))
    const label = appLabel(app, 'stderr')
    await confirmApp(app, flags.confirm, `This will destroy ${names} on ${label}, with all data.`)
    const destroyed: AddOn[] = []
    for (const addon of found)
      destroyed.push(await action(`Destroying ${addon.name} on ${label}`, () => destroy(api, addon, flags.confirm)))
    return destroyed
  },
})

/** An add-on that other apps use is destroyed only when `--confirm` said so: the platform asks for it once more. */
async function destroy(api: ApiClient, addon: AddOn, confirm: string | undefined): Promise<AddOn> {
  const path = route`/apps/${addon.app.name}/addons/${addon.id}`
  try {
    return await api.delete<AddOn>(path)
  } catch (error) {
    if (confirm === undefined || !(error instanceof ApiError) || error.id !== 'confirmation_required') throw error
    return api.delete<AddOn>(path, { confirm })
  }
}
