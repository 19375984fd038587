/** Says in words a newcomer understands why a web dyno didn't come up. */
import type { Engine } from '../engine/engine.js'
import { crashAdvice } from './crash-advice.js'
import { readSockets } from './dyno-command.js'
import { parseListeners } from './listeners.js'
import type { ObservedDyno } from './observed.js'

/** For a dyno that ended during its boot. */
export function crashSentence(
  dyno: Pick<ObservedDyno, 'dyno' | 'exitCode' | 'oomKilled' | 'size'>,
  command: string,
  lastLines: readonly string[],
): string {
  const what = dyno.oomKilled
    ? `ran out of memory (${dyno.size}) while starting (R15)`
    : dyno.exitCode === 127
      ? 'could not start: its command was not found'
      : dyno.exitCode === 126
        ? 'could not start: its command may not be executed'
        : `crashed while starting (exit code ${dyno.exitCode})`
  const advice = dyno.oomKilled ? undefined : crashAdvice(lastLines)
  return [
    `${dyno.dyno} ${what}: ${command}`,
    ...tellingLines(lastLines).map((line) => `  ${line}`),
    ...(advice === undefined ? [] : [advice]),
  ].join('\n')
}

const mostLines = 8
/** Node.js prints the place in the source in so many lines before its error, and the stack behind it. */
const placeLines = 4

/** The last lines; where a stack pushes the error it belongs to out of them, the error and where it is instead. */
function tellingLines(lines: readonly string[]): readonly string[] {
  const error = lines.findLastIndex((line) => /^(Uncaught )?[\w.]*(Error|Exception)\b/.test(line))
  if (error < 0 || lines.length - error <= mostLines - placeLines) return lines.slice(-mostLines)
  const ours = lines.slice(error).filter((line) => !/^\s+at .*\bnode:/.test(line) && line.trim() !== '')
  return [...lines.slice(Math.max(0, error - placeLines), error), ...ours.slice(0, mostLines)]
}

/** For one that failed a health check of app.json. */
export function unhealthySentence(
  dyno: Pick<ObservedDyno, 'dyno' | 'unhealthy'>,
  lastLines: readonly string[],
): string {
  const head = `${dyno.dyno} failed its health check (healthchecks in app.json): ${dyno.unhealthy}`
  return [head, ...tellingLines(lastLines).map((line) => `  ${line}`)].join('\n')
}

/** For one that ran but never answered: names the ports it listens on instead. */
export async function lateSentence(
  engine: Engine,
  dyno: ObservedDyno,
  limits: { readonly bootTimeoutMs: number; readonly commandTimeoutMs: number },
): Promise<string> {
  const seconds = limits.bootTimeoutMs / 1000
  const head = `Error R10 (Boot timeout) -> ${dyno.dyno} did not bind to $PORT (${dyno.port}) within ${seconds} seconds`
  const sockets = await readSockets(engine, dyno.containerId, limits).catch(() => undefined)
  if (sockets === undefined) return `${head}.`
  const listeners = parseListeners(sockets)
  const right = listeners.find((l) => l.port === dyno.port)
  if (right?.loopbackOnly)
    return `${head}.\nIt listens on port ${dyno.port} of the loopback address only. Bind to 0.0.0.0:$PORT (or [::]:$PORT) so that the router reaches it.`
  if (right) return `${head}.\nIt listens there but answers no request. See paas logs for what it does.`
  const others = [...new Set(listeners.map((l) => l.port))]
  if (others.length > 0)
    return `${head}.\nIt listens on port ${others.join(', ')} instead. Use the port in the PORT environment variable: 0.0.0.0:$PORT.`
  return `${head}.\nIt listens on no port at all. A web process must listen on 0.0.0.0:$PORT; a process that doesn't belongs under another type, such as worker.`
}

/** For one that runs and can't be reached any more. */
export const cutOffSentence = 'Its network was taken away by something other than this platform; it is started anew'
