import { route } from '../../api-client.js'
import { appFlags, command } from '../../command.js'
import { type Database, getDatabase, listDatabases } from '../../databases.js'
import { appLabel, print, printHeader, printProperties } from '../../output.js'

interface DatabaseInfo {
  readonly info: readonly { readonly name: string; readonly values: readonly (string | number)[] }[]
}

export const pgInfo = command({
  name: 'pg',
  aliases: ['pg:info'],
  description: 'show the PostgreSQL databases of an app',
  args: { database: { description: 'config var, attachment or add-on; all databases unless given' } },
  flags: appFlags,
  examples: ['pg', 'pg:info DATABASE_URL'],
  async run({ args, app: resolve, api }) {
    const app = await resolve()
    const databases =
      args.database === undefined ? await listDatabases(api, app) : [await getDatabase(api, app, args.database)]
    return Promise.all(
      databases.map(async (database: Database) => {
        const { info } = await api.get<DatabaseInfo>(route`/client/v11/databases/${database.addon.id}`)
        return { addon: database.addon, config_vars: database.configVars, info }
      }),
    )
  },
  async print(databases, { app }) {
    if (databases.length === 0) return print(`${appLabel(await app())} has no heroku-postgresql databases.`)
    for (const { addon, config_vars, info } of databases) {
      printHeader(config_vars.join(', '))
      const rows = info.filter(({ values }) => values.length > 0).map(({ name, values }) => [name, values.map(String)])
      printProperties({ ...Object.fromEntries(rows), 'Add-on': addon.name })
      print()
    }
  },
})
