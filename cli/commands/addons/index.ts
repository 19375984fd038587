import { route } from '../../api-client.js'
import type { AddOn, AddOnAttachment } from '../../api-types.js'
import { addOnPrice, addOnState, listAttachments } from '../../addon-lookup.js'
import { appFlags, command } from '../../command.js'
import { appLabel, paint, print, printTable } from '../../output.js'

export const addons = command({
  name: 'addons',
  aliases: ['addons:list'],
  description: 'list the add-ons of an app, or of all apps',
  flags: { ...appFlags, all: { short: 'A', description: 'add-ons of all apps' } },
  examples: ['addons', 'addons --all', 'addons --json'],
  async run({ flags, app: resolve, api }) {
    if (flags.all) return { app: undefined, addons: await api.list<AddOn>('/addons'), attachments: [] }
    const app = await resolve()
    const [found, attachments] = await Promise.all([
      api.list<AddOn>(route`/apps/${app}/addons`),
      listAttachments(api, app),
    ])
    return { app, addons: found, attachments }
  },
  print({ app, addons: found, attachments }) {
    if (app === undefined) {
      printAll(found)
      return
    }
    const rows = [...ownRows(found, attachments), ...foreignRows(found, attachments)]
    if (rows.length === 0) return print(`No add-ons for app ${appLabel(app)}.`)
    printTable(['Add-on', 'Plan', 'Price', 'State'], rows)
    for (const { provision_message: message } of found) if (message) print(`\n${message}`)
    print(`\nThe table above shows add-ons and the attachments to the current app (${appLabel(app)}).`)
  },
})

function printAll(found: readonly AddOn[]): void {
  if (found.length === 0) {
    print('No add-ons.')
    return
  }
  const rows = found.map((addon) => [addon.app.name, addon.name, addon.plan.name, addOnPrice(addon), addOnState(addon)])
  printTable(['Owning App', 'Add-on', 'Plan', 'Price', 'State'], rows)
}

function ownRows(found: readonly AddOn[], attachments: readonly AddOnAttachment[]): string[][] {
  return found.flatMap((addon) => [
    [
      `${addon.addon_service.name} (${paint().yellow(addon.name)})`,
      addon.plan.name.split(':')[1] ?? addon.plan.name,
      addOnPrice(addon),
      addOnState(addon),
    ],
    ...attachmentRows(attachments.filter((attachment) => attachment.addon.name === addon.name)),
  ])
}

/** Add-ons of other apps that this app is attached to. */
function foreignRows(found: readonly AddOn[], attachments: readonly AddOnAttachment[]): string[][] {
  const foreign = attachments.filter((attachment) => !found.some((addon) => addon.name === attachment.addon.name))
  const names = [...new Set(foreign.map((attachment) => attachment.addon.name))]
  return names.flatMap((name) => [
    [paint().yellow(name), '', 'of another app', ''],
    ...attachmentRows(foreign.filter((attachment) => attachment.addon.name === name)),
  ])
}

function attachmentRows(attachments: readonly AddOnAttachment[]): string[][] {
  return attachments.map((attachment, i) => [
    `${i === attachments.length - 1 ? ' └─' : ' ├─'} as ${paint().green(attachment.name)}`,
    '',
    '',
    '',
  ])
}
