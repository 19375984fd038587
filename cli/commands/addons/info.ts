import { route } from '../../api-client.js'
import type { AddOnAttachment } from '../../api-types.js'
import { addOnPrice, addOnState, resolveAddOn } from '../../addon-lookup.js'
import { resolveAppIfKnown } from '../../app-context.js'
import { appFlags, command } from '../../command.js'
import { formatTime } from '../../format.js'
import { paint, printHeader, printProperties } from '../../output.js'

export const addonsInfo = command({
  name: 'addons:info',
  description: 'show an add-on',
  args: { addon: { required: true, description: "the add-on's name, or the name of an attachment" } },
  flags: appFlags,
  examples: ['addons:info postgresql-round-1234', 'addons:info DATABASE --app my-app'],
  async run({ args, app, api }) {
    const addon = await resolveAddOn(api, args.addon, await resolveAppIfKnown(app))
    const attachments = await api.list<AddOnAttachment>(route`/addons/${addon.id}/addon-attachments`)
    return { ...addon, attachments }
  },
  print(addon) {
    printHeader(paint().magenta(addon.name))
    printProperties({
      Attachments: addon.attachments.map((attachment) => `${attachment.app.name}::${attachment.name}`).sort(),
      'Installed at': formatTime(addon.created_at),
      'Owning app': addon.app.name,
      Plan: addon.plan.name,
      Price: addOnPrice(addon),
      State: addOnState(addon),
    })
  },
})
