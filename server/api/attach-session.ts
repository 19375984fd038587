/**
 * Joins a client's WebSocket to a one-off dyno's terminal. Messages are binary and begin with one byte that says what they
 * are. Each side is held while the other can't keep up. A client that goes takes its dyno with it.
 */
import { PassThrough, type Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { RawData, WebSocket } from 'ws'
import { PlatformError } from '../model/errors.js'
import { type ApiContext, type AttachTicket, stopOneOff } from './context.js'
import type { AttachedDyno } from './deps.js'

/** First byte of a message. */
export const frames = { stdin: 0x00, stdout: 0x01, stderr: 0x02, resize: 0x03, stdinEnd: 0x04, exit: 0x05 } as const

/** Largest message a client may send, in bytes. */
export const maxMessageBytes = 1024 * 1024
/** Unsent output that holds the dyno's side. */
const bufferedBytesMax = 1024 * 1024
/** Output of an ended dyno that has not arrived by then is not waited for. */
const lastOutputMs = 5_000
const closeCodes = { done: 1000, unsupported: 1003, failed: 1011 } as const

/** Resolves when the session is over, whoever ended it. */
export async function runAttachSession(context: ApiContext, socket: WebSocket, ticket: AttachTicket): Promise<void> {
  const { log } = context.platform
  let ended = false
  const input = readClient(socket)
  const stopPings = keepAlive(socket, context.timings.pingMs)
  const left = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  left
    .then(() => {
      stopPings()
      input.stdin.end()
      if (!ended) stopOneOff(context, ticket)
    })
    .catch(() => {})
  let dyno: AttachedDyno | undefined
  try {
    dyno = await context.attach.open(ticket.oneOff)
    if (socket.readyState !== socket.OPEN) return
    input.connect(dyno)
    const code = await Promise.race([sendOutput(socket, dyno), left])
    if (code === undefined) return
    ended = true
    await send(socket, frames.exit, Buffer.from(JSON.stringify({ code })))
    socket.close(closeCodes.done)
  } catch (error) {
    ended = true
    const reason = error instanceof PlatformError ? error.message : 'the dyno could not be attached to'
    if (!(error instanceof PlatformError))
      log.error({ err: error, oneOff: ticket.oneOff.id }, 'attaching to a one-off failed')
    socket.close(closeCodes.failed, cutToBytes(reason, 120))
    stopOneOff(context, ticket)
  } finally {
    dyno?.close()
    // A held client could not answer that we close.
    socket.resume()
  }
}

/** Everything a client sends, kept in order (and its sender held) until there is a dyno to send it to. */
function readClient(socket: WebSocket): { readonly stdin: PassThrough; connect(dyno: AttachedDyno): void } {
  const stdin = new PassThrough({ highWaterMark: bufferedBytesMax })
  let size: { columns: number; rows: number } | undefined
  let resize = () => {}
  stdin.on('drain', () => socket.resume())
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (!isBinary) return socket.close(closeCodes.unsupported, 'messages must be binary')
    const message = toBuffer(data)
    const body = message.subarray(1)
    if (message[0] === frames.stdinEnd) {
      stdin.end()
      // An ended stream tells of no drain.
      socket.resume()
    } else if (message[0] === frames.resize) {
      const wanted = sizeOf(body)
      if (!wanted) return
      size = wanted
      resize()
    } else if (message[0] === frames.stdin && body.length > 0 && !stdin.writableEnded && !stdin.write(body))
      socket.pause()
  })
  return {
    stdin,
    connect(dyno) {
      // The dyno may close its input, or end, at any moment; what comes for it then is thrown away.
      const discard = () => {
        stdin.unpipe(dyno.stdin)
        stdin.resume()
      }
      dyno.stdin.on('error', discard)
      dyno.stdin.on('close', discard)
      stdin.pipe(dyno.stdin)
      resize = () => {
        if (size) dyno.resize(size.columns, size.rows).catch(() => {})
      }
      resize()
    },
  }
}

/** Undefined for what is no size. */
function sizeOf(body: Buffer): { columns: number; rows: number } | undefined {
  try {
    const { columns, rows } = JSON.parse(body.toString('utf8')) as { columns?: unknown; rows?: unknown }
    const isSide = (side: unknown): side is number =>
      Number.isInteger(side) && Number(side) >= 1 && Number(side) <= 10_000
    return isSide(columns) && isSide(rows) ? { columns, rows } : undefined
  } catch {
    return undefined
  }
}

/** Resolves with the exit code when the dyno has ended and all it wrote has been sent. */
async function sendOutput(socket: WebSocket, dyno: AttachedDyno): Promise<number> {
  const all = Promise.all([
    sendStream(socket, frames.stdout, dyno.stdout),
    sendStream(socket, frames.stderr, dyno.stderr),
  ])
  // A failure of theirs is told by the race below, or comes after it and is of no use.
  all.catch(() => {})
  const code = await Promise.race([dyno.exitCode, all.then(() => dyno.exitCode)])
  await Promise.race([all, delay(lastOutputMs, undefined, { ref: false })])
  return code
}

async function sendStream(socket: WebSocket, kind: number, output: Readable): Promise<void> {
  for await (const chunk of output) {
    if (socket.readyState !== socket.OPEN) return
    await send(socket, kind, chunk as Buffer)
  }
}

/** Resolves when there is room for more. */
function send(socket: WebSocket, kind: number, body: Buffer): Promise<void> {
  return new Promise((resolve) => {
    socket.send(Buffer.concat([Buffer.of(kind), body]), { binary: true }, () => resolve())
    if (socket.bufferedAmount < bufferedBytesMax) resolve()
  })
}

/** Ends a connection whose other side has answered no ping for two rounds. */
function keepAlive(socket: WebSocket, pingMs: number): () => void {
  let unanswered = 0
  socket.on('pong', () => {
    unanswered = 0
  })
  const timer = setInterval(() => {
    // While we hold the client, its answers are left unread too.
    if (!socket.isPaused) unanswered += 1
    if (unanswered > 2) socket.terminate()
    else if (socket.readyState === socket.OPEN) socket.ping()
  }, pingMs)
  return () => clearInterval(timer)
}

function toBuffer(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return Buffer.isBuffer(data) ? data : Buffer.from(data)
}

/** A close reason may have 123 bytes. */
function cutToBytes(text: string, bytes: number): string {
  let cut = text
  while (Buffer.byteLength(cut) > bytes) cut = cut.slice(0, -1)
  return cut
}
