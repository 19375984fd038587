import { createReadStream } from 'node:fs'
import { appFlags, command } from '../../command.js'
import { getDatabase } from '../../databases.js'
import { CliError, UsageError } from '../../errors.js'
import { runAttached } from '../../one-off.js'
import { printProgress } from '../../output.js'

export const pgPsql = command({
  name: 'pg:psql',
  aliases: ['psql'],
  description: 'open a psql shell on a database of an app',
  details:
    "psql runs beside the app, in a one-off dyno: it needs neither an installation here nor a database that is\nreachable from outside. The exit code is psql's.",
  args: { database: { description: 'config var, attachment or add-on; DATABASE_URL unless given' } },
  flags: {
    ...appFlags,
    command: { short: 'c', value: 'SQL', description: 'run this SQL and end' },
    file: { short: 'f', value: 'FILE', description: 'run the SQL in this file and end; stop at an error' },
  },
  examples: ['pg:psql', "pg:psql -c 'select count(*) from users'", 'pg:psql ANALYTICS < report.sql'],
  async run({ args, flags, app: resolve, api, config }) {
    if (flags.command !== undefined && flags.file !== undefined)
      throw new UsageError('Give --command or --file, not both')
    const stdin = flags.file === undefined ? undefined : await openFile(flags.file)
    const app = await resolve()
    const database = await getDatabase(api, app, args.database)
    const configVar = database.configVars[0] ?? ''
    // It becomes part of a shell command line, so it must be nothing but a name.
    if (!/^[A-Z_][A-Z0-9_]*$/.test(configVar)) throw new CliError(`${configVar} is not a config var's name`)
    printProgress(`--> Connecting to ${database.addon.name}`)
    const { quote } = await import('shell-quote')
    const words = [
      ...(flags.command === undefined ? [] : ['--command', flags.command]),
      ...(flags.file === undefined ? [] : ['--set', 'ON_ERROR_STOP=1', '--no-psqlrc']),
    ]
    const commandLine = `exec psql "$${configVar}"${words.length === 0 ? '' : ` ${quote(words)}`}`
    const oneOff = { app, command: commandLine, label: 'psql', env: {} }
    process.exitCode = await runAttached(api, config, oneOff, { ...(stdin === undefined ? {} : { stdin }) })
  },
})

async function openFile(file: string): Promise<AsyncIterable<Buffer>> {
  const stream = createReadStream(file)
  await new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve())
    stream.once('error', (error) => reject(new CliError(`${file} can't be read: ${error.message}`)))
  })
  return stream
}
