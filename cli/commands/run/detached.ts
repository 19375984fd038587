import { appFlags, command } from '../../command.js'
import { printLog } from '../../log-stream.js'
import { commandLineOf, parseEnv, startDetached } from '../../one-off.js'
import { print } from '../../output.js'

export const runDetached = command({
  name: 'run:detached',
  description: 'run a command in a one-off dyno; its output goes to the log',
  passThrough: true,
  args: { command: { required: true, variadic: true, description: 'what to run' } },
  flags: {
    ...appFlags,
    env: { short: 'e', value: 'ENV', multiple: true, description: 'environment, as NAME=value;NAME=value' },
    size: { short: 's', value: 'SIZE', description: 'size of the dyno' },
    type: { value: 'TYPE', description: 'process type that the dyno counts as' },
    tail: { short: 't', description: 'show its log' },
  },
  examples: ['run:detached python manage.py clearsessions', 'run:detached -t rake jobs:work'],
  async run({ args, flags, app, api }) {
    const name = await app()
    const dyno = await startDetached(api, {
      app: name,
      command: await commandLineOf(args.command),
      env: parseEnv(flags.env),
      size: flags.size,
      type: flags.type,
    })
    if (flags.tail && !flags.json) await printLog(api, name, { tail: true, dyno: dyno.name })
    return dyno
  },
  async print(dyno, { flags, app }) {
    if (!flags.tail) print(`Run paas logs --app ${await app()} --dyno-name ${dyno.name} to view the output.`)
  },
})
