/**
 * A client of a one-off dyno's terminal over a WebSocket, which is what `paas` opens. Messages are binary and begin with one
 * byte that says what they are.
 */
import { PassThrough } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import { type AttachClient, bufferedBytesMax } from './attach-session.js'

/** First byte of a message. */
export const frames = { stdin: 0x00, stdout: 0x01, stderr: 0x02, resize: 0x03, stdinEnd: 0x04, exit: 0x05 } as const

/** Largest message a client may send, in bytes. */
export const maxMessageBytes = 1024 * 1024
const closeCodes = { done: 1000, unsupported: 1003, failed: 1011 } as const

interface Size {
  readonly columns: number
  readonly rows: number
}

export function websocketClient(socket: WebSocket, pingMs: number): AttachClient {
  const stdin = new PassThrough({ highWaterMark: bufferedBytesMax })
  let size: Size | undefined
  let resize = () => {}
  const stopPings = keepAlive(socket, pingMs)
  const left = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  left.then(stopPings).catch(() => {})
  readMessages(socket, stdin, (wanted) => {
    size = wanted
    resize()
  })
  const close = (code: number, reason?: string) => {
    socket.close(code, reason)
    // A held client could not answer that we close.
    socket.resume()
  }
  return {
    stdin,
    left,
    isGone: () => socket.readyState !== socket.OPEN,
    async joined(dyno) {
      resize = () => {
        if (size) dyno.resize(size.columns, size.rows).catch(() => {})
      }
      resize()
    },
    send: (output, chunk) => send(socket, frames[output], chunk),
    async finish(code) {
      await send(socket, frames.exit, Buffer.from(JSON.stringify({ code })))
      close(closeCodes.done)
    },
    async fail(reason) {
      close(closeCodes.failed, cutToBytes(reason, 120))
    },
  }
}

/** Everything a client sends, kept in order, and its sender held while it isn't taken. */
function readMessages(socket: WebSocket, stdin: PassThrough, onSize: (size: Size) => void): void {
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
      if (wanted) onSize(wanted)
    } else if (message[0] === frames.stdin && body.length > 0 && !stdin.writableEnded && !stdin.write(body))
      socket.pause()
  })
}

/** Undefined for what is no size. */
function sizeOf(body: Buffer): Size | undefined {
  try {
    const { columns, rows } = JSON.parse(body.toString('utf8')) as { columns?: unknown; rows?: unknown }
    const isSide = (side: unknown): side is number =>
      Number.isInteger(side) && Number(side) >= 1 && Number(side) <= 10_000
    return isSide(columns) && isSide(rows) ? { columns, rows } : undefined
  } catch {
    return undefined
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
