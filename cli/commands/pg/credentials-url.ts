import { route } from '../../api-client.js'
import type { ConfigVars } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { getDatabase } from '../../databases.js'
import { CliError } from '../../errors.js'
import { print } from '../../output.js'

export const pgCredentialsUrl = command({
  name: 'pg:credentials:url',
  description: "show a database's address and password",
  args: { database: { description: 'config var, attachment or add-on; DATABASE_URL unless given' } },
  flags: appFlags,
  examples: ['pg:credentials:url', 'pg:credentials:url ANALYTICS'],
  async run({ args, app: resolve, api }) {
    const app = await resolve()
    const { configVars } = await getDatabase(api, app, args.database)
    const vars = await api.get<ConfigVars>(route`/apps/${app}/config-vars`)
    const url = vars[configVars[0] ?? '']
    if (url === undefined || !URL.canParse(url))
      throw new CliError(`${configVars[0]} holds no address. Is the database still being created? See paas addons.`)
    return { url, connection_info: connectionInfo(new URL(url)) }
  },
  print({ url, connection_info }) {
    print('Connection information for default credential.')
    print(`Connection info string:\n   "${connection_info}"`)
    print(`Connection URL:\n   ${url}`)
  },
})

function connectionInfo(url: URL): string {
  const parts = {
    dbname: decodeURIComponent(url.pathname.slice(1)),
    host: url.hostname,
    port: url.port || '5432',
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  }
  return Object.entries(parts)
    .map(([name, value]) => `${name}=${/[\s'\\]|^$/.test(value) ? `'${value.replace(/['\\]/g, '\\$&')}'` : value}`)
    .join(' ')
}
