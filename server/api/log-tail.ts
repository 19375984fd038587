/**
 * A log session as a stream: of server-sent events, one `data:` line per log line, for clients that ask for them, and of
 * plain lines for others. Without `tail` it ends after the backlog; with it, it goes on until the client leaves, the app is
 * destroyed or the token is revoked.
 */
import { Readable } from 'node:stream'
import { findAuthorization } from '../store/accounts.js'
import { findLiveApp } from '../store/apps.js'
import type { ApiContext, LogSession } from './context.js'
import type { LogLine } from './deps.js'

/** Bytes that wait for a slow reader before the line buffer holds lines back. */
const highWaterMark = 64 * 1024

export interface LogForm {
  readonly contentType: string
  readonly lineOf: (rendered: string) => string
  /** What comes before the lines of a stream that ends, if anything has to. */
  readonly beforeBacklog: string
  /** What says that a tail is open, where the form has a way to say nothing. */
  readonly comment?: (text: string) => string
}

const oneLine = (rendered: string) => rendered.replace(/[\r\n]+/g, ' ')

const events: LogForm = {
  contentType: 'text/event-stream; charset=utf-8',
  lineOf: (rendered) => `data: ${oneLine(rendered)}\n\n`,
  // Heroku's client stays until it would connect again, three seconds unless told otherwise.
  beforeBacklog: 'retry: 10\n\n',
  comment: (text) => `: ${text}\n\n`,
}

const plainLines: LogForm = {
  contentType: 'text/plain; charset=utf-8',
  lineOf: (rendered) => `${oneLine(rendered)}\n`,
  beforeBacklog: '',
}

/** What a client gets that sends this `Accept` header. */
export function logForm(accept: string | undefined): LogForm {
  return /\btext\/event-stream\b/i.test(accept ?? '') ? events : plainLines
}

export async function logStream(context: ApiContext, session: LogSession, form: LogForm): Promise<Readable> {
  return session.tail ? tailStream(context, session, form) : backlogStream(context, session, form)
}

async function backlogStream({ logs }: ApiContext, session: LogSession, form: LogForm): Promise<Readable> {
  const lines = (await logs.read(session.appId, session)).map((line) => form.lineOf(logs.render(line)))
  return Readable.from([form.beforeBacklog, ...lines].filter(Boolean), { objectMode: false })
}

async function tailStream(context: ApiContext, session: LogSession, form: LogForm): Promise<Readable> {
  const { logs, timings } = context
  let resume = () => {}
  const stream = new Readable({ highWaterMark, read: () => resume() })
  const buffer = logs.buffer({ deliver: (line) => stream.push(form.lineOf(logs.render(line))) })
  // Asking the buffer from within its own delivery would have it deliver out of turn.
  resume = () => queueMicrotask(() => buffer.resume())

  // The backlog is as large as was asked for; only what comes after it can be too much.
  let deliver = (line: LogLine): void => {
    stream.push(form.lineOf(logs.render(line)))
  }
  if (form.comment) stream.push(form.comment('tail'))
  const stop = await logs.follow(session.appId, session, (line) => deliver(line))
  deliver = (line) => buffer.push(line)
  const heartbeat = setInterval(() => {
    if (form.comment && stream.readableLength === 0) stream.push(form.comment(''))
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
