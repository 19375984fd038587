/**
 * The body of a git request: unpacked, counted, and ended when its client falls silent. The clock runs only while we wait
 * for the client, so a git that is slow to take what it is given costs the client nothing.
 */
import type { IncomingMessage } from 'node:http'
import type { Readable, Writable } from 'node:stream'
import { createGunzip } from 'node:zlib'

export type BodyFault = 'gone' | 'idle' | 'not-gzip' | 'too-large'

export class BodyError extends Error {
  constructor(readonly fault: BodyFault) {
    super(`the request body is ${fault}`)
    this.name = 'BodyError'
  }
}

export interface BodyLimits {
  /** Unpacked bytes at most. */
  readonly maxBytes: number
  readonly idleTimeoutMs: number
  /** For the whole body: a byte now and then doesn't keep a request alive. */
  readonly timeoutMs: number
}

export class RequestBody {
  readonly #chunks: AsyncIterator<Buffer>
  readonly #limits: BodyLimits
  readonly #deadline: number
  readonly #abandoned: Promise<never>
  #abandon = () => {}
  #size = 0

  constructor(request: IncomingMessage, limits: BodyLimits) {
    this.#limits = limits
    this.#deadline = Date.now() + limits.timeoutMs
    this.#chunks = unpacked(request).iterator({ destroyOnReturn: false })
    this.#abandoned = new Promise((_, reject) => {
      this.#abandon = () => reject(new BodyError('gone'))
    })
    this.#abandoned.catch(() => {})
  }

  /** The next piece; undefined at the end. Throws `BodyError`. */
  async next(): Promise<Buffer | undefined> {
    let timer: NodeJS.Timeout | undefined
    const waitMs = Math.min(this.#limits.idleTimeoutMs, this.#deadline - Date.now())
    const idle = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new BodyError('idle')), Math.max(0, waitMs))
    })
    try {
      const { value, done } = await Promise.race([this.#chunks.next(), idle, this.#abandoned])
      if (done) return undefined
      this.#size += value.length
      if (this.#size > this.#limits.maxBytes) throw new BodyError('too-large')
      return value
    } catch (error) {
      if (error instanceof BodyError) throw error
      throw new BodyError((error as NodeJS.ErrnoException).code?.startsWith('Z_') ? 'not-gzip' : 'gone')
    } finally {
      clearTimeout(timer)
    }
  }

  /** Its request was answered or broken off: who waits for more need not. A request that was answered never says so itself. */
  abandon(): void {
    this.#abandon()
  }

  /**
   * Gives the rest of the body to `sink` and ends it. A sink that closes early doesn't stop the reading: a client that is
   * still sending wouldn't look at an answer. Throws `BodyError`, and leaves the sink open then.
   */
  async sendTo(sink: Writable): Promise<void> {
    for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next())
      if (!sink.destroyed && !sink.write(chunk)) await drained(sink)
    if (!sink.destroyed) sink.end()
  }
}

function unpacked(request: IncomingMessage): Readable {
  if (request.headers['content-encoding'] === undefined) return request
  const gunzip = createGunzip()
  gunzip.on('error', () => {})
  request.once('error', () => gunzip.destroy(new Error('the client left')))
  request.once('close', () => {
    if (!request.complete) gunzip.destroy(new Error('the client left'))
  })
  return request.pipe(gunzip)
}

/** Waits until the stream takes more or has closed; false when neither happens within `deadlineMs`. */
export function drained(stream: Writable, deadlineMs?: number): Promise<boolean> {
  if (stream.destroyed || !stream.writableNeedDrain) return Promise.resolve(true)
  return new Promise((resolve) => {
    const settle = (isDrained: boolean) => {
      stream.off('drain', onDrain)
      stream.off('close', onDrain)
      clearTimeout(timer)
      resolve(isDrained)
    }
    const onDrain = () => settle(true)
    const timer = deadlineMs === undefined ? undefined : setTimeout(() => settle(false), deadlineMs)
    stream.on('drain', onDrain)
    stream.on('close', onDrain)
  })
}
