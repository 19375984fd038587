/**
 * Joins a client to a one-off dyno's terminal, whatever carries it: a WebSocket (`attach-websocket.ts`) or Heroku's
 * rendezvous (`attach-rendezvous.ts`). Each side is held while the other can't keep up. A client that goes takes its dyno
 * with it.
 */
import type { PassThrough, Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { PlatformError } from '../model/errors.js'
import { type ApiContext, type AttachTicket, stopOneOff } from './context.js'
import type { AttachedDyno } from './deps.js'

/** What is kept of a side for the other before it is held, in bytes. */
export const bufferedBytesMax = 1024 * 1024
/** Output of an ended dyno that has not arrived by then is not waited for. */
const lastOutputMs = 5_000

/** The client's end of a session. None of its functions rejects because the client is gone. */
export interface AttachClient {
  /** What it sends for the dyno, kept in order (and the sender held) until it is taken. */
  readonly stdin: PassThrough
  /** Resolves when the connection is gone, whoever ended it. */
  readonly left: Promise<void>
  isGone(): boolean
  /** There is a dyno; none of its output has been sent yet. */
  joined(dyno: AttachedDyno): Promise<void>
  /** Resolves when there is room for more. */
  send(output: 'stdout' | 'stderr', chunk: Buffer): Promise<void>
  /** The dyno has ended and its output has been sent: says so and closes. */
  finish(exitCode: number): Promise<void>
  /** Says why there is no session and closes. */
  fail(reason: string): Promise<void>
}

/** Resolves when the session is over, whoever ended it. */
export async function runAttachSession(context: ApiContext, client: AttachClient, ticket: AttachTicket): Promise<void> {
  const { log } = context.platform
  let ended = false
  client.left
    .then(() => {
      client.stdin.end()
      if (!ended) stopOneOff(context, ticket)
    })
    .catch(() => {})
  let dyno: AttachedDyno | undefined
  try {
    dyno = await context.attach.open(ticket.oneOff)
    if (client.isGone()) return
    await client.joined(dyno)
    sendInput(client.stdin, dyno)
    const code = await Promise.race([sendOutput(client, dyno), client.left])
    if (code === undefined) return
    ended = true
    await client.finish(code)
  } catch (error) {
    ended = true
    const reason = error instanceof PlatformError ? error.message : 'the dyno could not be attached to'
    if (!(error instanceof PlatformError))
      log.error({ err: error, oneOff: ticket.oneOff.id }, 'attaching to a one-off failed')
    stopOneOff(context, ticket)
    await client.fail(reason)
  } finally {
    dyno?.close()
  }
}

function sendInput(stdin: PassThrough, dyno: AttachedDyno): void {
  // The dyno may close its input, or end, at any moment; what comes for it then is thrown away.
  const discard = () => {
    stdin.unpipe(dyno.stdin)
    stdin.resume()
  }
  dyno.stdin.on('error', discard)
  dyno.stdin.on('close', discard)
  stdin.pipe(dyno.stdin)
}

/** Resolves with the exit code when the dyno has ended and all it wrote has been sent. */
async function sendOutput(client: AttachClient, dyno: AttachedDyno): Promise<number> {
  const all = Promise.all([sendStream(client, 'stdout', dyno.stdout), sendStream(client, 'stderr', dyno.stderr)])
  // A failure of theirs is told by the race below, or comes after it and is of no use.
  all.catch(() => {})
  const code = await Promise.race([dyno.exitCode, all.then(() => dyno.exitCode)])
  await Promise.race([all, delay(lastOutputMs, undefined, { ref: false })])
  return code
}

async function sendStream(client: AttachClient, kind: 'stdout' | 'stderr', output: Readable): Promise<void> {
  for await (const chunk of output) {
    if (client.isGone()) return
    await client.send(kind, chunk as Buffer)
  }
}
