/**
 * Passes a tar stream of `git archive` through unchanged and reads only its headers: it counts, and ends the stream with a
 * sentence at a limit or at a name that must not be unpacked.
 */
import { Transform, type TransformCallback } from 'node:stream'
import { PlatformError } from '../model/errors.js'

const blockBytes = 512
/** A path's own limit on Linux is 4,096; pax adds its frame. */
const maxPaxBytes = 64 * 1024

const isEntry = (type: string) => type === '0' || type === '2' || type === '5'

export class TarMeter extends Transform {
  contentBytes = 0
  entries = 0
  readonly #limits: { readonly maxBytes: number; readonly maxFiles: number }
  readonly #writerEnded: Promise<void>
  readonly #header = Buffer.alloc(blockBytes)
  #headerAt = 0
  /** Bytes of content and padding before the next header. */
  #skip = 0
  #pax: Buffer[] | undefined
  #paxName: string | undefined

  /** The stream ends only after `writerEnded`, and fails with it: a cut archive never looks like a whole one. */
  constructor(limits: { readonly maxBytes: number; readonly maxFiles: number }, writerEnded: Promise<void>) {
    super({ highWaterMark: 256 * 1024 })
    this.#limits = limits
    this.#writerEnded = writerEnded
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    try {
      this.#read(chunk)
      callback(null, chunk)
    } catch (error) {
      callback(error as Error)
    }
  }

  override _flush(callback: TransformCallback): void {
    const isWhole = this.#headerAt === 0 && this.#skip === 0
    this.#writerEnded.then(
      () => callback(isWhole ? null : new Error('the source archive ended in the middle')),
      (error) => callback(error),
    )
  }

  #read(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const taken = Math.min(this.#skip, chunk.length - at)
        this.#pax?.push(chunk.subarray(at, at + taken))
        this.#skip -= taken
        at += taken
        if (this.#skip === 0) this.#endPax()
      } else {
        const taken = chunk.copy(this.#header, this.#headerAt, at, at + blockBytes - this.#headerAt)
        this.#headerAt += taken
        at += taken
        if (this.#headerAt === blockBytes) {
          this.#headerAt = 0
          this.#readHeader()
        }
      }
    }
  }

  #readHeader(): void {
    const header = this.#header
    if (header[0] === 0) return
    const type = header.toString('latin1', 156, 157)
    const size = Number.parseInt(header.toString('latin1', 124, 136), 8)
    if (header.toString('latin1', 257, 262) !== 'ustar' || !Number.isSafeInteger(size))
      throw new Error('the source archive has a header that git does not write')
    this.#skip = Math.ceil(size / blockBytes) * blockBytes
    if (type === 'x' || type === 'g') {
      if (size > maxPaxBytes) throw refusal('The source has a path that is too long.')
      this.#pax = type === 'x' ? [] : undefined
      return
    }
    if (!isEntry(type)) throw new Error(`the source archive has an entry of type '${type}'`)
    this.#count(size)
    this.#checkName(this.#paxName ?? headerName(header))
    this.#paxName = undefined
  }

  #count(size: number): void {
    this.contentBytes += size
    this.entries += 1
    const { maxBytes, maxFiles } = this.#limits
    const advice = 'Keep what a build makes, such as node_modules, out of git.'
    if (this.entries > maxFiles) throw refusal(`The source has more than ${maxFiles} files. ${advice}`)
    if (this.contentBytes > maxBytes) throw refusal(`The source is larger than ${maxBytes} bytes. ${advice}`)
  }

  /** Git's own checks refuse these names in a push; here they hold for objects from before those checks, too. */
  #checkName(name: string): void {
    const segments = name.replace(/\/$/, '').split('/')
    const isBad = (segment: string) => segment === '' || segment === '.' || segment === '..' || /^\.git$/i.test(segment)
    if (segments.some(isBad)) throw refusal(`The source has a path that can't be unpacked: ${name.slice(0, 200)}`)
  }

  #endPax(): void {
    if (this.#pax === undefined) return
    this.#paxName = paxPath(Buffer.concat(this.#pax)) ?? this.#paxName
    this.#pax = undefined
  }
}

function refusal(sentence: string): PlatformError {
  return new PlatformError('too_large', sentence)
}

/** The path in a pax header: records of their own length in decimal, a space, `key=value` and a newline. */
function paxPath(records: Buffer): string | undefined {
  let found: string | undefined
  for (let at = 0; at < records.length && records[at] !== 0; ) {
    const length = Number.parseInt(records.toString('latin1', at, at + 8), 10)
    if (!(length > 0)) throw new Error('the source archive has a header that git does not write')
    const [, path] = /^\d+ path=(.*)\n$/s.exec(records.toString('utf8', at, at + length)) ?? []
    found = path ?? found
    at += length
  }
  return found
}

function headerName(header: Buffer): string {
  const field = (start: number, end: number) => {
    const zero = header.indexOf(0, start)
    return header.toString('utf8', start, zero >= 0 && zero < end ? zero : end)
  }
  const prefix = field(345, 500)
  return prefix === '' ? field(0, 100) : `${prefix}/${field(0, 100)}`
}
