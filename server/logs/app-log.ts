/**
 * The log of one app: lines wait in memory for a moment, go to the files in batches, and are shown to whoever tails.
 *
 * A line is in exactly one place, which is what makes a read exact: in the files up to the length their snapshot says, in
 * `#writing` from `#written` on, or in `#pending`. Nothing here throws at the writer: what can't be kept is counted, and one
 * line (L10) says how many are missing, or how many at least, as soon as there is room for it.
 */
import { type Cursors, createCursors } from './cursors.js'
import { createLineBudget } from './line-budget.js'
import {
  cleanLines,
  decodeLine,
  isClean,
  type LogFilter,
  type LogLine,
  logplexLine,
  matchesFilter,
} from './log-line.js'
import { readNewestFirst, SegmentFiles, type SegmentView } from './segment-files.js'
import { createTailBuffer } from './tail-buffer.js'
import { compareTimestamps, renderSecond, timestampOf } from './timestamp.js'

const markerDelayMs = 1000
const lineOverheadBytes = 100
const pendingBytesMax = 8 * 1024 * 1024
const allPendingBytesMax = 64 * 1024 * 1024

/** What all app logs of a hub share. */
export interface AppLogContext {
  readonly appBytes: number
  readonly linesPerSecond: number
  readonly clock: () => number
  /** Called when lines begin to wait; answered with `write` a moment later. */
  readonly onPending: (log: AppLog) => void
  readonly onWriteFailed: (error: unknown) => void
  /** Bytes that wait in all logs together. */
  readonly memory: { pendingBytes: number }
}

/** What a reader sees at one moment. */
interface Snapshot {
  readonly segments: readonly SegmentView[]
  readonly waiting: readonly LogLine[]
}

interface Tail {
  readonly filter: LogFilter
  readonly onLine: (line: LogLine) => void
}

export class AppLog {
  readonly #context: AppLogContext
  readonly #cursors: Cursors = createCursors()
  readonly #files: SegmentFiles
  readonly #appBudget
  readonly #platformBudget
  readonly #tails = new Set<Tail>()
  #pending: LogLine[] = []
  #pendingBytes = 0
  #writing: readonly LogLine[] = []
  #written = 0
  #writingDone: Promise<void> | undefined
  #failing = false
  #dropped: { count: number; readonly since: string; isLeast: boolean } | undefined
  #markerTimer: NodeJS.Timeout | undefined
  #closed = false
  #lastWriteAt = 0

  constructor(dir: string, context: AppLogContext) {
    this.#context = context
    this.#files = new SegmentFiles(dir, context.appBytes, this.#cursors)
    this.#appBudget = createLineBudget(context.linesPerSecond)
    // The platform's own remarks have a share of their own: a flood must not hide that the dyno crashed of it.
    this.#platformBudget = createLineBudget(Math.max(10, Math.ceil(context.linesPerSecond / 10)))
  }

  append(line: LogLine): void {
    if (this.#closed) return
    if (isClean(line)) this.#admit(line)
    else for (const clean of cleanLines(line, this.#now)) this.#admit(clean)
  }

  #now = (): string => timestampOf(this.#context.clock())

  #admit(line: LogLine): void {
    const chatty = line.source === 'app' || line.dyno === 'router'
    if ((chatty ? this.#appBudget : this.#platformBudget).admit(line.at)) this.#keep(line)
    else this.#drop(1, line.at)
  }

  #keep(line: LogLine): void {
    const bytes = line.text.length + lineOverheadBytes
    const { memory } = this.#context
    if (this.#pendingBytes + bytes > pendingBytesMax || memory.pendingBytes + bytes > allPendingBytesMax) {
      this.#drop(1, line.at)
      return
    }
    this.#pendingBytes += bytes
    memory.pendingBytes += bytes
    if (this.#pending.push(line) === 1) this.#context.onPending(this)
    for (const tail of this.#tails) if (matchesFilter(line, tail.filter)) show(tail, line)
  }

  /** Takes note of lines that never came here. */
  skip(lines: number | 'some'): void {
    if (this.#closed) return
    this.#drop(lines === 'some' ? 1 : lines, this.#now())
    if (this.#dropped && lines === 'some') this.#dropped.isLeast = true
  }

  #drop(count: number, since: string): void {
    if (this.#dropped) this.#dropped.count += count
    else this.#dropped = { count, since, isLeast: false }
    // While the files can't be written, a timer could only add to what is lost; the next good write sets it.
    if (!this.#failing) this.#markerTimer ??= setTimeout(this.#markDropped, markerDelayMs).unref()
  }

  #markDropped = (): void => {
    clearTimeout(this.#markerTimer)
    this.#markerTimer = undefined
    if (!this.#dropped || this.#failing || this.#closed) return
    const { count, since, isLeast } = this.#dropped
    this.#dropped = undefined
    const text = `Error L10 (output buffer overflow): ${count}${isLeast ? ' or more' : ''} messages dropped since ${renderSecond(since)}`
    this.#keep(logplexLine(this.#now(), text))
  }

  /** Writes what waits, and what comes to wait meanwhile. Never rejects. */
  write(): Promise<void> {
    this.#writingDone ??= this.#writePending().finally(() => {
      this.#writingDone = undefined
    })
    return this.#writingDone
  }

  async #writePending(): Promise<void> {
    while (this.#pending.length > 0) {
      const batchBytes = this.#pendingBytes
      this.#writing = this.#pending
      this.#written = 0
      this.#pending = []
      try {
        while (this.#written < this.#writing.length && !this.#closed)
          await this.#files.write(this.#writing, this.#written, (next) => {
            this.#written = next
          })
        if (this.#failing && this.#dropped) this.#markerTimer ??= setTimeout(this.#markDropped, markerDelayMs).unref()
        this.#failing = false
      } catch (error) {
        this.#failing = true
        this.#drop(this.#writing.length - this.#written, this.#writing[this.#written]?.at ?? this.#now())
        this.#context.onWriteFailed(error)
      }
      this.#writing = []
      this.#pendingBytes -= batchBytes
      this.#context.memory.pendingBytes -= batchBytes
    }
    this.#lastWriteAt = this.#context.clock()
  }

  /** Shows each matching line in the moment it comes; returns what ends it. */
  tail(filter: LogFilter, onLine: (line: LogLine) => void): () => void {
    const tail = { filter, onLine }
    this.#tails.add(tail)
    return () => {
      this.#tails.delete(tail)
    }
  }

  async read(count: number, filter: LogFilter): Promise<LogLine[]> {
    await this.#files.open()
    return readLast(this.#snapshot(), count, filter)
  }

  async follow(count: number, filter: LogFilter, onLine: (line: LogLine) => void): Promise<() => void> {
    await this.#files.open()
    const buffer = createTailBuffer({
      deliver: (line) => {
        onLine(line)
        return true
      },
      clock: this.#context.clock,
    })
    buffer.pause()
    // Between these two nothing can be appended or written, so every line is on one side of the moment.
    const snapshot = this.#snapshot()
    const stop = this.tail(filter, buffer.push)
    try {
      for (const line of await readLast(snapshot, count, filter)) show({ filter, onLine }, line)
    } catch (error) {
      stop()
      throw error
    }
    buffer.resume()
    return () => {
      stop()
      buffer.close()
    }
  }

  #snapshot(): Snapshot {
    return {
      segments: this.#files.snapshot(),
      waiting: [...this.#writing.slice(this.#written), ...this.#pending],
    }
  }

  /** Timestamp of the newest line kept of a container. */
  async cursor(container: string): Promise<string | undefined> {
    await this.#files.open()
    const { waiting } = this.#snapshot()
    return waiting
      .filter((line) => line.container === container)
      .map((line) => line.at)
      .reduce((a: string | undefined, b) => (a && compareTimestamps(a, b) > 0 ? a : b), this.#cursors.get(container))
  }

  /** Resolves when all lines so far are in the files, or dropped because they can't be. */
  async flush(): Promise<void> {
    this.#markDropped()
    while (this.#pending.length > 0 || this.#writing.length > 0) await this.write()
  }

  /** Closes the file when nothing was written for this long; true when it is closed. */
  async releaseIdle(idleMs: number): Promise<boolean> {
    if (this.#writingDone || this.#pending.length > 0 || this.#context.clock() - this.#lastWriteAt < idleMs)
      return false
    this.#writingDone = this.#files
      .release()
      .catch(this.#context.onWriteFailed)
      .finally(() => {
        this.#writingDone = undefined
        // A write asked for meanwhile was answered with this promise.
        if (this.#pending.length > 0) this.#context.onPending(this)
      })
    await this.#writingDone
    return true
  }

  /** Keeps what there is and takes nothing more. */
  async close(): Promise<void> {
    await this.flush()
    await this.#end()
    await this.#files.release()
  }

  /** Destroys the log; what waits and what comes after is dropped. */
  async remove(): Promise<void> {
    await this.#end()
    await this.#files.remove()
  }

  async #end(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#markerTimer)
    this.#pending = []
    this.#tails.clear()
    await this.#writingDone
    this.#context.memory.pendingBytes -= this.#pendingBytes
    this.#pendingBytes = 0
  }
}

/** The newest `count` lines that match, oldest first. */
async function readLast(snapshot: Snapshot, count: number, filter: LogFilter): Promise<LogLine[]> {
  const found: LogLine[] = []
  for (let index = snapshot.waiting.length - 1; index >= 0 && found.length < count; index--) {
    const line = snapshot.waiting[index]
    if (line && matchesFilter(line, filter)) found.push(line)
  }
  if (found.length < count)
    await readNewestFirst(snapshot.segments, (encoded) => {
      const line = decodeLine(encoded)
      if (line && matchesFilter(line, filter)) found.push(line)
      return found.length < count
    })
  return found.reverse()
}

function show(tail: Tail, line: LogLine): void {
  try {
    tail.onLine(line)
  } catch {
    // A tail that fails is its owner's affair; the other tails and the files get the line.
  }
}
