/**
 * Every app's log: what its dynos print, what the router, the builds and the platform say about it, kept over restarts of
 * all of them and within a size per app.
 *
 * An app's files are opened when it is first spoken of, so apps that are silent cost nothing. `append` never waits and never
 * throws; lines are on disk within a twentieth of a second. The parts: `app-log.ts` (one app), `segment-files.ts` (its
 * files), `log-line.ts` (a line), `container-follower.ts` (where dynos' lines come from), `tail-buffer.ts` (slow readers).
 */
import path from 'node:path'
import { AppLog, type AppLogContext } from './app-log.js'
import type { LogFilter, LogLine } from './log-line.js'

const writeDelayMs = 40
const idleMs = 5_000
const linesMax = 10_000
const warnEveryMs = 10_000
const removedRemembered = 10_000

export interface ReadOptions extends LogFilter {
  /** The newest so many that match; 10 000 at most. */
  readonly lines: number
}

export interface LogHubOptions {
  /** Folder of one folder per app; made when first needed. */
  readonly dir: string
  /** Size of one app's files together; the oldest lines go first. */
  readonly appBytes: number
  /** Lines of one app's dynos and router within one second; the platform's own remarks have a tenth more. */
  readonly linesPerSecond: number
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  /** Where a disk that can't be written is reported, every ten seconds at most. */
  readonly log?: { warn(details: object, message: string): void }
}

/** An app id that isn't a lower-case UUID is a `RangeError`, but for `append`, which drops the line. */
export interface LogHub {
  /** Takes a line. Keeps the order of calls, whatever the timestamps say. */
  append(appId: string, line: LogLine): void
  /** Takes note that lines of an app's dynos were left out: so many, or nobody knows how many. */
  skip(appId: string, lines: number | 'some'): void
  /** The newest lines that match, oldest first. */
  read(appId: string, options: ReadOptions): Promise<LogLine[]>
  /** Calls back each matching line as it is appended, until the returned function is called. */
  tail(appId: string, filter: LogFilter, onLine: (line: LogLine) => void): () => void
  /** `read`, then `tail`, with no line missing or twice in between. Resolves when the read lines have been given. */
  follow(appId: string, options: ReadOptions, onLine: (line: LogLine) => void): Promise<() => void>
  /** Timestamp of the newest line kept of a container (12 hexadecimal digits), also of one kept by an earlier process. */
  cursor(appId: string, container: string): Promise<string | undefined>
  /** Resolves when everything appended is in the files, or dropped because it can't be. */
  flush(): Promise<void>
  /** Flushes and closes; lines that come later are dropped. */
  close(): Promise<void>
  /** Destroys an app's log; lines of it that come later are dropped. */
  remove(appId: string): Promise<void>
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Opens no file yet. */
export function openLogHub(options: LogHubOptions): LogHub {
  const logs = new Map<string, AppLog>()
  const removed = new Set<string>()
  const open = new Set<AppLog>()
  const writer = createWriter(open)
  const clock = options.clock ?? Date.now
  const context: AppLogContext = {
    appBytes: options.appBytes,
    linesPerSecond: options.linesPerSecond,
    clock,
    onPending: writer.add,
    onWriteFailed: throttled(clock, (error) =>
      options.log?.warn({ err: error, dir: options.dir }, 'log lines are dropped: the log folder cannot be written'),
    ),
    memory: { pendingBytes: 0 },
  }
  let closed = false

  const logOf = (appId: string): AppLog => {
    const known = logs.get(appId)
    if (known) return known
    if (!uuidPattern.test(appId)) throw new RangeError(`'${appId}' is not an app id`)
    const log = new AppLog(path.join(options.dir, appId), context)
    if (!removed.has(appId)) logs.set(appId, log)
    return log
  }
  const lineCount = (lines: number) => Math.max(0, Math.min(linesMax, Math.floor(lines) || 0))

  return {
    append(appId, line) {
      const known = logs.get(appId)
      if (known) known.append(line)
      else if (!closed && !removed.has(appId) && uuidPattern.test(appId)) logOf(appId).append(line)
    },
    skip(appId, lines) {
      if (!closed && !removed.has(appId) && uuidPattern.test(appId)) logOf(appId).skip(lines)
    },
    read: async (appId, { lines, ...filter }) => logOf(appId).read(lineCount(lines), filter),
    tail: (appId, filter, onLine) => logOf(appId).tail(filter, onLine),
    follow: async (appId, { lines, ...filter }, onLine) => logOf(appId).follow(lineCount(lines), filter, onLine),
    cursor: async (appId, container) => logOf(appId).cursor(container),
    flush: async () => {
      await Promise.all([...logs.values()].map((log) => log.flush()))
    },
    async close() {
      closed = true
      writer.stop()
      await Promise.all([...logs.values()].map((log) => log.close()))
    },
    async remove(appId) {
      const log = logOf(appId)
      removed.add(appId)
      for (const oldest of removed) {
        if (removed.size <= removedRemembered) break
        removed.delete(oldest)
      }
      await log.remove()
      logs.delete(appId)
      open.delete(log)
    },
  }
}

/** Writes logs a moment after their first waiting line, and closes the files of those that have fallen silent. */
function createWriter(open: Set<AppLog>) {
  let due = new Set<AppLog>()
  let writeTimer: NodeJS.Timeout | undefined
  let idleTimer: NodeJS.Timeout | undefined

  const writeDue = () => {
    writeTimer = undefined
    const logs = due
    due = new Set()
    for (const log of logs) {
      open.add(log)
      void log.write()
    }
    idleTimer ??= setInterval(releaseIdle, idleMs).unref()
  }
  const releaseIdle = async () => {
    for (const log of open) if (await log.releaseIdle(idleMs)) open.delete(log)
    if (open.size > 0) return
    clearInterval(idleTimer)
    idleTimer = undefined
  }
  return {
    add(log: AppLog) {
      due.add(log)
      writeTimer ??= setTimeout(writeDue, writeDelayMs)
    },
    stop() {
      clearTimeout(writeTimer)
      clearInterval(idleTimer)
    },
  }
}

function throttled(clock: () => number, call: (error: unknown) => void): (error: unknown) => void {
  let last = Number.NEGATIVE_INFINITY
  return (error) => {
    if (clock() - last < warnEveryMs) return
    last = clock()
    call(error)
  }
}
