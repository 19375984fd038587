import { route } from '../../api-client.js'
import type { AddOnAttachment } from '../../api-types.js'
import { listAttachments } from '../../addon-lookup.js'
import { appFlags, command } from '../../command.js'
import { CliError } from '../../errors.js'
import { action, appLabel } from '../../output.js'
import { latestVersion } from '../../releases.js'

export const addonsDetach = command({
  name: 'addons:detach',
  description: 'detach an add-on from an app',
  details: 'The add-on and its data stay, also when this was its last attachment.',
  args: { attachment: { required: true, description: 'name of the attachment, as in DATABASE' } },
  flags: appFlags,
  examples: ['addons:detach SHARED --app other-app'],
  async run({ args, app: resolve, api }) {
    const app = await resolve()
    const name = args.attachment.replace(/^.*::/, '')
    const found = (await listAttachments(api, app)).find((attachment) => attachment.name === name)
    if (found === undefined) throw new CliError(`${app} has no attachment ${name}. See paas addons.`)
    const label = appLabel(app, 'stderr')
    const attachment = await action(
      `Detaching ${found.name} to ${found.addon.name} from ${label}`,
      async () => {
        const detached = await api.delete<AddOnAttachment>(route`/addon-attachments/${found.id}`)
        return { detached, version: await latestVersion(api, app) }
      },
      ({ version }) => version,
    )
    return attachment.detached
  },
})
