import { appFlags, command } from '../../command.js'
import { UsageError } from '../../errors.js'
import { openLogLines, parseLogLine, printLog } from '../../log-stream.js'
import { configureColor, printJsonLine } from '../../output.js'

const linesMax = 1500

export const logs = command({
  name: 'logs',
  description: 'show recent log lines of an app',
  details: 'With --tail it goes on with the lines that follow, until Ctrl-C. With --json every line is an object.',
  flags: {
    ...appFlags,
    tail: { short: 't', description: 'go on with lines as they come' },
    num: { short: 'n', value: 'LINES', description: `lines to show, ${linesMax} at most; 100 unless given` },
    'dyno-name': { short: 'd', value: 'DYNO', description: 'only this dyno (web.1)' },
    dyno: { value: 'DYNO', description: 'the same', hidden: true },
    'process-type': { short: 'p', value: 'TYPE', description: 'only this process type (web)' },
    ps: { value: 'TYPE', description: 'the same', hidden: true },
    source: { short: 's', value: 'SOURCE', description: "only this source: 'app' or 'heroku'" },
    'force-colors': { description: 'show colours although the output is no terminal' },
  },
  examples: ['logs', 'logs --tail', 'logs -n 500 --dyno-name web.1', 'logs --source app --tail'],
  async run({ flags, app, api }) {
    if (flags['force-colors']) configureColor({ stdout: true })
    const dyno = flags['dyno-name'] ?? flags.dyno ?? flags['process-type'] ?? flags.ps
    const filter = {
      tail: flags.tail,
      lines: readCount(flags.num),
      ...(dyno === undefined ? {} : { dyno }),
      ...(flags.source === undefined ? {} : { source: flags.source }),
    }
    if (!flags.json) return printLog(api, await app(), filter)
    for await (const line of openLogLines(api, await app(), filter)) printJsonLine(parseLogLine(line))
  },
})

function readCount(text = '100'): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > linesMax)
    throw new UsageError(`--num is ${text}; it must be a whole number from 1 to ${linesMax}`)
  return count
}
