/**
 * One app's lines on disk: a few numbered files, of which the newest grows and the oldest goes when all together would pass
 * the limit. One writer at a time; readers work from a snapshot of names and lengths and need no lock.
 *
 * Nothing is synced: a machine that loses power may lose its last lines, and the engine still has those. What a crash or a
 * full disk leaves half written is cut off when the file is next opened or written to.
 */
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Cursors } from './cursors.js'
import { encodeLine, type LogLine } from './log-line.js'
import { endOfLastLine, readBackwards } from './read-backwards.js'

const segmentsPerApp = 8
const chunkBytesMax = 256 * 1024
const namePattern = /^\d{10}\.log$/

interface Segment {
  readonly path: string
  bytes: number
}

export type SegmentView = Readonly<Segment>

export class SegmentFiles {
  readonly #dir: string
  readonly #bytesMax: number
  readonly #segmentBytes: number
  readonly #cursors: Cursors
  #segments: Segment[] = []
  #nextNumber = 1
  #handle: FileHandle | undefined
  #bytesSinceCursors = Number.POSITIVE_INFINITY
  #opened: Promise<void> | undefined

  constructor(dir: string, bytesMax: number, cursors: Cursors) {
    this.#dir = dir
    this.#bytesMax = bytesMax
    this.#segmentBytes = Math.max(1, Math.floor(bytesMax / segmentsPerApp))
    this.#cursors = cursors
  }

  /** Learns what is there, the cursors too. After a failure the next call tries again. */
  open(): Promise<void> {
    this.#opened ??= this.#open().catch((error: unknown) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  async #open(): Promise<void> {
    const names = await readdir(this.#dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    const segments: Segment[] = []
    for (const name of names.filter((each) => namePattern.test(each)).sort()) {
      const file = path.join(this.#dir, name)
      segments.push({ path: file, bytes: (await stat(file)).size })
      this.#nextNumber = Number.parseInt(name, 10) + 1
    }
    const newest = segments.at(-1)
    // A torn line behind the end is cut off when the file is opened for writing.
    if (newest) newest.bytes = await endOfLastLine(newest.path, newest.bytes)
    await this.#recoverCursors(segments)
    this.#segments = segments
  }

  async #recoverCursors(segments: readonly SegmentView[]): Promise<void> {
    await readNewestFirst(segments, (encoded) => {
      if (this.#cursors.merge(encoded)) return false
      const [at = '', , , container = ''] = encoded.split('\t', 4)
      if (container !== '') this.#cursors.note(container, at)
      return true
    })
  }

  /** What readers may read: whole lines only, oldest file first. */
  snapshot(): SegmentView[] {
    return this.#segments.map((segment) => ({ ...segment }))
  }

  /**
   * Writes a piece of `lines` that begins at index `from`, and says where the next begins in the very moment in which
   * `snapshot` begins to include it. Throws with nothing written.
   */
  async write(lines: readonly LogLine[], from: number, onWritten: (next: number) => void): Promise<void> {
    await this.open()
    const newest = this.#segments.at(-1)
    if (newest && newest.bytes >= this.#segmentBytes) await this.#endSegment()
    const { bytes, next, hasCursors } = this.#encode(lines, from)
    await this.#makeRoom(bytes.length)
    const { segment, handle } = await this.#writable()
    await this.#writeBytes(segment, handle, bytes)
    this.#bytesSinceCursors = (hasCursors ? 0 : this.#bytesSinceCursors) + bytes.length
    segment.bytes += bytes.length
    onWritten(next)
  }

  #encode(lines: readonly LogLine[], from: number) {
    const limit = Math.min(chunkBytesMax, this.#segmentBytes)
    const hasCursors = this.#bytesSinceCursors >= chunkBytesMax
    // The table tells what is in the files before it, so it is taken before the lines that follow it are noted.
    let text = hasCursors ? this.#cursors.encode() : ''
    let next = from
    for (let line = lines[next]; line && (next === from || text.length < limit); line = lines[++next]) {
      text += encodeLine(line)
      if (line.container) this.#cursors.note(line.container, line.at)
    }
    return { bytes: Buffer.from(text), next, hasCursors }
  }

  async #makeRoom(bytes: number): Promise<void> {
    let total = this.#segments.reduce((sum, segment) => sum + segment.bytes, bytes)
    while (total > this.#bytesMax && this.#segments.length > 1) {
      const oldest = this.#segments.shift()
      if (!oldest) return
      total -= oldest.bytes
      await rm(oldest.path, { force: true })
    }
  }

  /** The newest file, open; a first one where there is none, or where it has been taken away. */
  async #writable(): Promise<{ segment: Segment; handle: FileHandle }> {
    const newest = this.#segments.at(-1)
    if (newest && this.#handle) return { segment: newest, handle: this.#handle }
    const reopened = newest && newest.bytes < this.#segmentBytes ? await this.#reopen(newest) : undefined
    if (newest && reopened) {
      this.#handle = reopened
      return { segment: newest, handle: reopened }
    }
    const file = path.join(this.#dir, `${String(this.#nextNumber).padStart(10, '0')}.log`)
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
    const handle = await open(file, 'w', 0o600)
    const segment = { path: file, bytes: 0 }
    this.#nextNumber += 1
    this.#handle = handle
    this.#segments.push(segment)
    return { segment, handle }
  }

  async #reopen(segment: Segment): Promise<FileHandle | undefined> {
    const handle = await open(segment.path, 'r+').catch(() => undefined)
    try {
      await handle?.truncate(segment.bytes)
      return handle
    } catch {
      await handle?.close().catch(() => undefined)
      return undefined
    }
  }

  async #writeBytes(segment: Segment, handle: FileHandle, bytes: Buffer): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, segment.bytes + done)
        done += bytesWritten
      }
    } catch (error) {
      // Half a chunk left behind the end would outlive a shorter chunk written over it.
      await handle.truncate(segment.bytes).catch(() => this.#endSegment())
      throw error
    }
  }

  async #endSegment(): Promise<void> {
    this.#bytesSinceCursors = Number.POSITIVE_INFINITY
    await this.release()
  }

  /** Lets go of the open file; not while a write is under way. */
  async release(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  /** Removes the files for good; not while a write is under way. */
  async remove(): Promise<void> {
    await this.release().catch(() => undefined)
    this.#segments = []
    await rm(this.#dir, { recursive: true, force: true })
  }
}

/** Calls back every line of the files, newest first, until the callback returns false. */
export async function readNewestFirst(
  segments: readonly SegmentView[],
  onLine: (encoded: string) => boolean,
): Promise<void> {
  for (const segment of segments.toReversed()) if (!(await readBackwards(segment.path, segment.bytes, onLine))) return
}
