/**
 * A log session as a stream of server-sent events: one `data:` line per log line. Without `tail` it ends after the
 * backlog; with it, it goes on until the client leaves, the app is destroyed or the token is revoked.
 */
import { Readable } from 'node:stream'
import { findAuthorization } from '../store/accounts.js'
import { findLiveApp } from '../store/apps.js'
import type { ApiContext, LogSession } from './context.js'
import type { LogLine } from './deps.js'

/** Bytes that wait for a slow reader before the line buffer holds lines back. */
const highWaterMark = 64 * 1024

function eventOf(rendered: string): string {
  return `data: ${rendered.replace(/[\r\n]+/g, ' ')}\n\n`
}

export async function logStream(context: ApiContext, session: LogSession): Promise<Readable> {
  return session.tail ? tailStream(context, session) : backlogStream(context, session)
}

async function backlogStream({ logs }: ApiContext, session: LogSession): Promise<Readable> {
  const lines = await logs.read(session.appId, session)
  return Readable.from(
    lines.map((line) => eventOf(logs.render(line))),
    { objectMode: false },
  )
}

async function tailStream(context: ApiContext, session: LogSession): Promise<Readable> {
  const { logs, timings } = context
  let resume = () => {}
  const stream = new Readable({ highWaterMark, read: () => resume() })
  const buffer = logs.buffer({ deliver: (line) => stream.push(eventOf(logs.render(line))) })
  // Asking the buffer from within its own delivery would have it deliver out of turn.
  resume = () => queueMicrotask(() => buffer.resume())

  // The backlog is as large as was asked for; only what comes after it can be too much.
  let deliver = (line: LogLine): void => {
    stream.push(eventOf(logs.render(line)))
  }
  // Answers the client at once, however quiet the app is.
  stream.push(': tail\n\n')
  const stop = await logs.follow(session.appId, session, (line) => deliver(line))
  deliver = (line) => buffer.push(line)
  const heartbeat = setInterval(() => {
    if (stream.readableLength === 0) stream.push(': \n\n')
    mayGoOn(context, session).then(
      (may) => may || stream.push(null),
      // Rows that can't be read now end nobody's tail.
      () => {},
    )
  }, timings.heartbeatMs)
  context.openStreams.add(stream)
  stream.once('close', () => {
    clearInterval(heartbeat)
    context.openStreams.delete(stream)
    buffer.close()
    stop()
  })
  return stream
}

async function mayGoOn({ platform }: ApiContext, session: LogSession): Promise<boolean> {
  const app = await findLiveApp(platform.db, session.appId)
  if (!app) return false
  return (await findAuthorization(platform.db, session.accountId, session.authorizationId)) !== undefined
}
