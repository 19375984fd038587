/** Log lines as the platform sends them: server-sent events, one `TIMESTAMP source[dyno]: text` each. */
import type { ApiClient } from './api-client.js'
import type { LogSession } from './api-types.js'
import { route } from './api-client.js'
import { CliError } from './errors.js'
import { paint, print } from './output.js'

export interface LogFilter {
  readonly lines?: number
  readonly tail: boolean
  readonly dyno?: string
  readonly source?: string
}

export interface LogLine {
  readonly timestamp: string
  readonly source: string
  readonly dyno: string
  readonly text: string
}

const lineForm = /^(\S+) ([\w-]+)\[([\w.-]+)\]: ?(.*)$/s
const eventCharsMax = 1024 * 1024

/** Opens a log session and yields its lines as they come; ends with the backlog unless it tails. */
export async function* openLogLines(api: ApiClient, app: string, filter: LogFilter): AsyncGenerator<string> {
  const session = await api.post<LogSession>(route`/apps/${app}/log-sessions`, {
    tail: filter.tail,
    ...(filter.lines === undefined ? {} : { lines: filter.lines }),
    ...(filter.dyno === undefined ? {} : { dyno: filter.dyno }),
    ...(filter.source === undefined ? {} : { source: filter.source }),
  })
  const stream = await api.openStream(session.logplex_url, { accept: 'text/event-stream', mayBeSilent: filter.tail })
  try {
    yield* readEvents(stream.setEncoding('utf8') as AsyncIterable<string>)
  } catch (error) {
    throw new CliError(`The log stream broke off: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (filter.tail) throw new CliError('The platform ended the log stream. Run paas logs --tail again.')
}

/** The data of each server-sent event, one log line at a time. */
export async function* readEvents(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let pending = ''
  for await (const chunk of chunks) {
    const lines = (pending + chunk).split(/\r?\n/)
    pending = lines.pop() ?? ''
    if (pending.length > eventCharsMax) throw new Error('a line has no end')
    // One event may hold several data lines; each is a log line either way.
    for (const line of lines) if (line.startsWith('data:')) yield line.slice(line[5] === ' ' ? 6 : 5)
  }
}

/** The parts of a log line; one without Heroku's form is all text. */
export function parseLogLine(line: string): LogLine {
  const [, timestamp = '', source = '', dyno = '', text = line] = lineForm.exec(line) ?? []
  return { timestamp, source, dyno, text }
}

/** Returns a printer that gives each dyno a colour of its own, in the order in which they speak. */
export function logPrinter(): (line: string) => void {
  const c = paint()
  const palette = [c.yellow, c.green, c.cyan, c.magenta, c.blue, c.yellowBright, c.greenBright, c.cyanBright]
  const colorOf = new Map<string, (text: string) => string>()
  return (line) => {
    const { timestamp, source, dyno, text } = parseLogLine(line)
    if (timestamp === '') return print(line)
    const who = `${source}[${dyno}]`
    const color = colorOf.get(who) ?? palette[colorOf.size % palette.length] ?? c.white
    colorOf.set(who, color)
    print(`${color(`${timestamp} ${who}:`)} ${text}`)
  }
}

/** Prints an app's log until it ends. */
export async function printLog(api: ApiClient, app: string, filter: LogFilter): Promise<void> {
  const printLine = logPrinter()
  for await (const line of openLogLines(api, app, filter)) printLine(line)
}
