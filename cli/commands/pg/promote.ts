import { listAttachments } from '../../addon-lookup.js'
import { type ApiClient, route } from '../../api-client.js'
import type { AddOnAttachment } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { getDatabase } from '../../databases.js'
import { CliError } from '../../errors.js'
import { action, appLabel } from '../../output.js'
import { latestVersion } from '../../releases.js'

const primary = 'DATABASE'

export const pgPromote = command({
  name: 'pg:promote',
  description: 'make a database the one in DATABASE_URL',
  details:
    'The database that was there stays attached under another name. Its data is not copied: dump and load it first.',
  args: { database: { required: true, description: 'config var, attachment or add-on' } },
  flags: { ...appFlags, force: { short: 'f', description: 'also when the database is not ready yet' } },
  examples: ['pg:promote HEROKU_POSTGRESQL_AMBER_URL', 'pg:promote postgresql-round-1234'],
  async run({ args, flags, app: resolve, api }) {
    const app = await resolve()
    const { addon } = await getDatabase(api, app, args.database)
    const attachments = await listAttachments(api, app)
    const current = attachments.find((attachment) => attachment.name === primary)
    if (current?.addon.id === addon.id) throw new CliError(`${addon.name} is promoted already on ${app}.`)
    if (!flags.force) await checkReady(api, addon)
    if (current !== undefined) await keepNamed(api, app, current, attachments)
    return action(
      `Promoting ${addon.name} to ${primary}_URL on ${appLabel(app, 'stderr')}`,
      async () => {
        const wish = { addon: addon.name, app, name: primary, confirm: app }
        const attachment = await api.post<AddOnAttachment>('/addon-attachments', wish)
        return { ...attachment, release: await latestVersion(api, app) }
      },
      ({ release }) => release,
    )
  },
})

async function checkReady(api: ApiClient, addon: { readonly id: string; readonly name: string }): Promise<void> {
  const status = await api.get<{ 'waiting?': boolean; message: string }>(
    route`/client/v11/databases/${addon.id}/wait_status`,
  )
  if (status['waiting?'])
    throw new CliError(`${addon.name} is not ready: ${status.message}\nWait, or promote it all the same with --force.`)
}

/** An add-on that nothing names would be out of the app's reach. */
async function keepNamed(
  api: ApiClient,
  app: string,
  current: AddOnAttachment,
  attachments: readonly AddOnAttachment[],
): Promise<void> {
  await action(
    `Ensuring an alternate alias for existing ${primary}_URL`,
    async () =>
      attachments.find(({ addon, name }) => addon.id === current.addon.id && name !== primary) ??
      (await api.post<AddOnAttachment>('/addon-attachments', { addon: current.addon.name, app })),
    ({ name }) => `${name}_URL`,
  )
}
