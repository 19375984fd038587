/** The control plane's end of one hook's connection: what the hook says, once, and what the pusher is told. */
import type { Socket } from 'node:net'
import { isOid } from './git-process.js'
import { helloTag } from './pre-receive-hook.js'
import type { RefUpdate } from './ref-rules.js'

export interface HookHello {
  /** Process id of the `git receive-pack` that runs the hook. */
  readonly parentPid: number
  readonly objectDirectory: string
  readonly updates: readonly RefUpdate[]
}

const maxHelloBytes = 8 * 1024 ** 2
const helloDeadlineMs = 10_000
/** What a pusher who doesn't read may leave waiting in memory. */
const maxBacklogBytes = 8 * 1024 ** 2

/** Reads the hook's whole message; undefined when it isn't one, is too large or takes too long. */
export async function readHello(socket: Socket): Promise<HookHello | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  const whole = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), helloDeadlineMs)
    const settle = (value: boolean) => {
      clearTimeout(timer)
      resolve(value)
    }
    socket.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxHelloBytes) settle(false)
      else chunks.push(chunk)
    })
    socket.once('end', () => settle(true))
    socket.once('close', () => settle(false))
  })
  return whole ? parseHello(Buffer.concat(chunks).toString('utf8')) : undefined
}

function parseHello(text: string): HookHello | undefined {
  const [tag, pid, objectDirectory, ...rest] = text.split('\0')
  if (tag !== helloTag || !/^\d{1,10}$/.test(pid ?? '') || objectDirectory === undefined || rest.length !== 1)
    return undefined
  const updates: RefUpdate[] = []
  for (const line of (rest[0] ?? '').split('\n')) {
    if (line === '') continue
    const [oldOid, newOid, ref, ...more] = line.split(' ')
    if (!oldOid || !newOid || !ref || more.length > 0 || !isOid(oldOid) || !isOid(newOid)) return undefined
    updates.push({ ref, oldOid, newOid })
  }
  return { parentPid: Number(pid), objectDirectory, updates }
}

function frame(kind: 'o' | 'x', number: number, payload?: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(kind, 'latin1')
  head.writeUInt32BE(number, 1)
  return payload ? Buffer.concat([head, payload]) : head
}

/** Speaks to the pusher through the hook; whatever is said after `exit` or to a hook that is gone is dropped. */
export class PushOutput {
  readonly #socket: Socket
  readonly #beat: NodeJS.Timeout
  #quiet: () => string = () => ''
  #atLineStart = true
  #dropped = 0
  #ended = false

  constructor(socket: Socket, heartbeatMs: number) {
    this.#socket = socket
    this.#beat = setInterval(() => this.#heartbeat(), heartbeatMs)
    this.#beat.unref()
    socket.on('drain', () => this.#tellDropped())
    socket.once('close', () => this.#stop())
  }

  /** Text of any length as it is, but for NULs, which would end a line at the pusher's git. */
  write(text: string): void {
    if (this.#ended || text === '') return
    this.#beat.refresh()
    const payload = Buffer.from(text.replaceAll('\0', ''), 'utf8')
    if (this.#socket.writableLength + payload.length > maxBacklogBytes) this.#dropped += payload.length
    else this.#send(payload, text.endsWith('\n') || text.endsWith('\r'))
  }

  /** A sentence on a line of its own. */
  note(sentence: string): void {
    this.write(`${this.#newLine()}       ${sentence}\n`)
  }

  /** A sentence that refuses, marked as Heroku marks it. */
  refuse(sentence: string): void {
    this.write(`${this.#newLine()} !     ${sentence}\n`)
  }

  /** What is said after each stretch of silence. */
  whenQuiet(sentence: () => string): void {
    this.#quiet = sentence
  }

  exit(code: 0 | 1): void {
    if (this.#ended) return
    this.#tellDropped()
    this.#stop()
    const socket = this.#socket
    socket.end(frame('x', code), () => socket.destroy())
  }

  #newLine(): string {
    return this.#atLineStart ? '' : '\n'
  }

  #send(payload: Buffer, endsLine: boolean): void {
    this.#atLineStart = endsLine
    this.#socket.write(frame('o', payload.length, payload))
  }

  #heartbeat(): void {
    const sentence = this.#quiet()
    if (sentence !== '') this.note(sentence)
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return
    const text = `${this.#newLine()} !     ${this.#dropped} bytes of output were left out: this connection is too slow.\n`
    this.#dropped = 0
    this.#send(Buffer.from(text), true)
  }

  #stop(): void {
    this.#ended = true
    clearInterval(this.#beat)
  }
}
