/**
 * The terminal of an attached one-off dyno: a WebSocket whose binary messages begin with one byte saying what they are.
 * Loaded only by commands that attach.
 *
 * The terminal is put into raw mode for as long as the connection lasts and restored however it ends, because a
 * terminal left raw is unusable.
 */
import { WebSocket } from 'ws'
import { CliError, exitCodes } from './errors.js'
import { connectionOptions } from './http-transport.js'
import { writeRaw } from './output.js'

/** First byte of a message. */
export const frames = { stdin: 0x00, stdout: 0x01, stderr: 0x02, resize: 0x03, stdinEnd: 0x04, exit: 0x05 } as const

export interface AttachOptions {
  readonly url: string
  /** Whether the dyno has a terminal, and ours is to be raw. */
  readonly tty: boolean
  readonly stdin: AsyncIterable<Buffer | string>
  readonly dynoName: string
  readonly caFile: string
}

/** Unsent input that makes us stop reading more. */
const bufferedBytesMax = 1024 * 1024
const pingIntervalMs = 15_000
/** A connection that is silent through this many pings is taken for dead. */
const missedPingsMax = 4

/** Connects stdin, stdout and stderr to the dyno and resolves with its command's exit code. */
export async function attach(options: AttachOptions): Promise<number> {
  const url = new URL(options.url)
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:')
    throw new CliError(`${options.dynoName} can't be attached to: the platform named ${url.protocol}// for it`)
  // The types of ws leave out options that it hands on to http.request.
  const connection: object = { ...connectionOptions(url, options.caFile), perMessageDeflate: false }
  const socket = new WebSocket(url, { handshakeTimeout: 30_000, ...connection })
  const undo: (() => void)[] = [keepAlive(socket)]
  try {
    const outcome = readOutput(socket, options.dynoName)
    // An early failure is reported below; until then nobody may be listening.
    outcome.catch(() => {})
    await Promise.race([new Promise((resolve) => socket.once('open', resolve)), outcome])
    if (options.tty) undo.push(enterRawMode(), followSize(socket))
    undo.push(endOnSignals(socket))
    sendInput(socket, options.stdin).catch(() => socket.terminate())
    return await outcome
  } finally {
    for (const step of undo.reverse()) step()
    socket.terminate()
  }
}

function readOutput(socket: WebSocket, dynoName: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const lost = (reason: string) =>
      reject(new CliError(`The connection to ${dynoName} was lost${reason}. It may still be running: see paas ps.`))
    let problem = ''
    socket.on('error', (error) => {
      problem = `: ${error.message}`
    })
    socket.on('close', (_code, reason) => lost(problem || (reason.length > 0 ? `: ${reason.toString()}` : '')))
    socket.on('message', (data) => {
      const message = toBuffer(data)
      const body = message.subarray(1)
      if (message[0] === frames.exit) resolve(readExitCode(body))
      else if (message[0] === frames.stdout) show(socket, 'stdout', body)
      else if (message[0] === frames.stderr) show(socket, 'stderr', body)
    })
  })
}

function show(socket: WebSocket, stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
  if (writeRaw(stream, bytes)) return
  socket.pause()
  process[stream].once('drain', () => socket.resume())
}

function readExitCode(body: Buffer): number {
  try {
    const code: unknown = JSON.parse(body.toString('utf8')).code
    if (typeof code === 'number') return code & 0xff
  } catch {
    // An exit message without a readable code is a failure.
  }
  return exitCodes.failed
}

function toBuffer(data: Buffer | ArrayBuffer | Buffer[]): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return Buffer.isBuffer(data) ? data : Buffer.from(data)
}

function frame(kind: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.of(kind), body])
}

async function sendInput(socket: WebSocket, stdin: AsyncIterable<Buffer | string>): Promise<void> {
  for await (const chunk of stdin) {
    if (socket.readyState !== WebSocket.OPEN) return
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    await new Promise<void>((resolve) => {
      const sent = () => resolve()
      socket.send(frame(frames.stdin, bytes), sent)
      if (socket.bufferedAmount < bufferedBytesMax) resolve()
    })
  }
  if (socket.readyState === WebSocket.OPEN) socket.send(frame(frames.stdinEnd))
}

function enterRawMode(): () => void {
  const restore = () => {
    process.stdin.setRawMode(false)
  }
  process.stdin.setRawMode(true)
  process.once('exit', restore)
  return () => {
    process.off('exit', restore)
    restore()
  }
}

function followSize(socket: WebSocket): () => void {
  const send = () => {
    const { columns, rows } = process.stdout
    if (socket.readyState === WebSocket.OPEN && columns > 0 && rows > 0)
      socket.send(frame(frames.resize, Buffer.from(JSON.stringify({ columns, rows }))))
  }
  send()
  process.stdout.on('resize', send)
  return () => {
    process.stdout.off('resize', send)
  }
}

/** In raw mode Ctrl-C is a byte for the dyno; a signal is for us, and closing the connection tells the platform. */
function endOnSignals(socket: WebSocket): () => void {
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
  const steps = Object.entries(signals).map(([signal, code]) => {
    const end = () => {
      socket.terminate()
      process.exit(code)
    }
    process.once(signal, end)
    return () => process.off(signal, end)
  })
  return () => {
    for (const step of steps) step()
  }
}

function keepAlive(socket: WebSocket): () => void {
  let missed = 0
  const heard = () => {
    missed = 0
  }
  for (const event of ['pong', 'ping', 'message'] as const) socket.on(event, heard)
  const timer = setInterval(() => {
    // While our own reader is behind, answers are left unread too.
    if (!socket.isPaused) missed += 1
    if (missed > missedPingsMax) socket.terminate()
    else if (socket.readyState === WebSocket.OPEN) socket.ping()
  }, pingIntervalMs)
  return () => clearInterval(timer)
}
