/** Reads a byte stream piece by piece: a line, then so many bytes, then the next. */
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export interface ByteReader {
  /** The next line without its end, or undefined at the end of the stream. Throws `LineTooLong` beyond `maxBytes`. */
  line(maxBytes: number): Promise<string | undefined>
  /** The next `length` bytes as they come; throws when the stream ends early. Read it whole before asking for more. */
  bytes(length: number): AsyncGenerator<Buffer>
  /** Reads and forgets the rest. */
  drain(): Promise<void>
}

export class LineTooLong extends Error {}

export function readBytes(source: Readable): ByteReader {
  // A PassThrough of our own makes errors of the source errors of the iteration.
  const passed = new PassThrough()
  pipeline(source, passed).catch(() => {})
  const chunks = passed[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let pending: Buffer = Buffer.alloc(0)
  const more = async () => {
    const next = await chunks.next()
    if (next.done) return false
    pending = next.value
    return true
  }
  return {
    async line(maxBytes) {
      // Grows by doubling: whoever writes letter by letter costs no more than one who writes a line at once.
      let line = Buffer.alloc(0)
      let length = 0
      for (;;) {
        const at = pending.indexOf(10)
        const part = at < 0 ? pending : pending.subarray(0, at)
        if (length + part.length > maxBytes) throw new LineTooLong(`a line is longer than ${maxBytes} bytes`)
        if (length + part.length > line.length) {
          const larger = Buffer.alloc(2 * (length + part.length))
          line.copy(larger)
          line = larger
        }
        part.copy(line, length)
        length += part.length
        pending = at < 0 ? Buffer.alloc(0) : pending.subarray(at + 1)
        if (at >= 0) return line.toString('utf8', 0, length)
        if (!(await more())) return undefined
      }
    },
    async *bytes(length) {
      let left = length
      while (left > 0) {
        if (pending.length === 0 && !(await more())) throw new Error(`the stream ended ${left} bytes early`)
        const part = pending.subarray(0, left)
        pending = pending.subarray(part.length)
        left -= part.length
        if (part.length > 0) yield part
      }
    },
    async drain() {
      pending = Buffer.alloc(0)
      for (;;) {
        const next = await chunks.next()
        if (next.done) return
      }
    },
  }
}
