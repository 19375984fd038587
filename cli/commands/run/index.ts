import { appFlags, command } from '../../command.js'
import { commandLineOf, parseEnv, runAttached } from '../../one-off.js'

export const run = command({
  name: 'run',
  description: 'run a command in a one-off dyno and stay attached to it',
  details:
    'The exit code is that of the command. Input may be piped in.\n--app and --remote may also follow the command. Put -- before a command that has such flags of its own.',
  passThrough: true,
  args: { command: { required: true, variadic: true, description: 'what to run' } },
  flags: {
    ...appFlags,
    env: { short: 'e', value: 'ENV', multiple: true, description: 'environment, as NAME=value;NAME=value' },
    size: { short: 's', value: 'SIZE', description: 'size of the dyno' },
    type: { value: 'TYPE', description: 'process type that the dyno counts as' },
    'no-tty': { description: 'run the command without a terminal' },
    'exit-code': { short: 'x', description: 'accepted; the exit code is always passed on', hidden: true },
    'no-notify': { description: 'accepted', hidden: true },
  },
  examples: ['run bash', 'run -a my-app python manage.py migrate', "run 'echo $DATABASE_URL'", 'run psql < dump.sql'],
  async run({ args, flags, app, api, config }) {
    const oneOff = {
      app: await app(),
      command: await commandLineOf(args.command),
      env: parseEnv(flags.env),
      size: flags.size,
      type: flags.type,
    }
    process.exitCode = await runAttached(api, config, oneOff, { noTty: flags['no-tty'] })
  },
})
