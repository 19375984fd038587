import type { AddOnAttachment } from '../../api-types.js'
import { resolveAddOn } from '../../addon-lookup.js'
import { appFlags, command, confirmFlag } from '../../command.js'
import { action, appLabel, print } from '../../output.js'
import { latestVersion } from '../../releases.js'

export const addonsAttach = command({
  name: 'addons:attach',
  description: 'attach an existing add-on to an app',
  args: { addon: { required: true, description: "the add-on's name" } },
  flags: {
    ...appFlags,
    ...confirmFlag,
    as: { value: 'NAME', description: 'name of the attachment, which names its config var' },
  },
  examples: ['addons:attach postgresql-round-1234 --app other-app --as SHARED'],
  async run({ args, flags, app: resolve, api }) {
    const app = await resolve()
    const addon = await resolveAddOn(api, args.addon, undefined)
    const request = {
      addon: addon.name,
      app,
      ...(flags.as === undefined ? {} : { name: flags.as }),
      ...(flags.confirm === undefined ? {} : { confirm: flags.confirm }),
    }
    const as = flags.as === undefined ? '' : ` as ${flags.as}`
    const attachment = await action(`Attaching ${addon.name}${as} to ${appLabel(app, 'stderr')}`, () =>
      api.post<AddOnAttachment>('/addon-attachments', request),
    )
    return { ...attachment, release: await latestVersion(api, app) }
  },
  print({ name, release }) {
    print(`Attached as ${name}${release === undefined ? '' : `, ${release}`}`)
  },
})
