/**
 * Between a log that never waits and a reader that may: holds a bounded number of lines while the reader is slow, and
 * beyond that loses lines, never memory. Where lines are missing stands one line that says how many (L11).
 */
import { type LogLine, logplexLine } from './log-line.js'
import { renderSecond, timestampOf } from './timestamp.js'

const overheadBytes = 200

export interface TailBufferOptions {
  /** Hands a line on. False means: taken, but wait for `resume` before the next, as a stream's `write` says it. */
  readonly deliver: (line: LogLine) => boolean
  /** Memory for waiting lines, counted roughly; 2 MB unless told. */
  readonly bytesMax?: number
  /** Milliseconds since 1970. */
  readonly clock?: () => number
}

export interface TailBuffer {
  push(line: LogLine): void
  /** The reader has room again. */
  resume(): void
  /** Holds lines back until `resume`, as after a false from `deliver`. */
  pause(): void
  /** Drops what waits; nothing is delivered any more. */
  close(): void
}

export function createTailBuffer(options: TailBufferOptions): TailBuffer {
  const { deliver, bytesMax = 2 * 1024 * 1024, clock = Date.now } = options
  let waiting: LogLine[] = []
  let bytes = 0
  let dropped: { count: number; readonly since: string } | undefined
  let paused = false
  let closed = false

  const drain = () => {
    let sent = 0
    while (sent < waiting.length && !paused && !closed) {
      const line = waiting[sent++]
      if (!line) continue
      bytes -= line.text.length + overheadBytes
      paused = !deliver(line)
    }
    waiting = waiting.slice(sent)
    if (dropped && waiting.length === 0 && !paused && !closed) {
      const { count, since } = dropped
      dropped = undefined
      const text = `Error L11 (tail buffer overflow): ${count} messages dropped since ${renderSecond(since)}`
      paused = !deliver(logplexLine(timestampOf(clock()), text))
    }
  }
  return {
    push(line) {
      if (closed) return
      if (!paused && waiting.length === 0 && !dropped) {
        paused = !deliver(line)
        return
      }
      const size = line.text.length + overheadBytes
      // Once lines are missing, those that follow wait for the line that says so.
      if (dropped || bytes + size > bytesMax) {
        dropped ??= { count: 0, since: line.at }
        dropped.count += 1
        return
      }
      bytes += size
      waiting.push(line)
    },
    pause() {
      paused = true
    },
    resume() {
      paused = false
      drain()
    },
    close() {
      closed = true
      waiting = []
    },
  }
}
