/**
 * Brings what dynos print from the engine into the hub, every line once.
 *
 * For each container one loop reads the engine's log as it grows. When the stream breaks (the engine restarts) the loop
 * reads on from the last line it has; when the container has ended, it reads once more, without following, for what the
 * stream may have left out, and stops. A control plane that starts finds its place by the hub's cursor. The engine keeps a
 * dyno's lines while nobody reads, within the size of its own log.
 *
 * What a dyno prints too fast is left out before it reaches the engine (`limited-output.ts`). A container that floods its
 * log all the same, past that, is not followed meanwhile: passing on its lines one by one takes the engine and us a
 * processor and more, outside of any limit of the container's, only to drop them. Its newest lines are read now and then.
 */
import { type Container, type ContainerDetail, type ContainerLine, type Engine, EngineError } from '../engine/engine.js'
import type { LogHub } from './hub.js'
import { linesLeftOut } from './limited-output.js'
import type { LogLine, LogSource } from './log-line.js'
import { compareTimestamps, engineTimestamp, timestampOf } from './timestamp.js'

const firstRetryMs = 100
const lastRetryMs = 2_000
const endedRemembered = 1_000
/** Read again after a break, for lines of two outputs that were stamped in one order and written in the other. */
const overlapSeconds = 1
/** Our clock tells milliseconds, the engine's nanoseconds. */
const clockSlackMs = 2
const firstFloodPauseMs = 1_000
const lastFloodPauseMs = 4_000
/** Only what is printed now is a flood; a backlog may have been written at any pace. */
const floodRecentMs = 5_000

export interface FollowedContainer {
  /** The engine's full id. */
  readonly id: string
  readonly appId: string
  readonly dyno: string
  readonly source: LogSource
}

export interface LogFollowerOptions {
  readonly engine: Pick<Engine, 'followLogs' | 'findContainer'>
  readonly hub: Pick<LogHub, 'append' | 'cursor' | 'skip'>
  /** A container that prints twice as many within a second floods. */
  readonly linesPerSecond: number
  /** Sees each line as it goes to the hub. */
  readonly onLine?: (container: FollowedContainer, line: LogLine) => void
  readonly log: { warn(details: object, message: string): void }
  /** How long `drained` waits; 5 s unless told. */
  readonly drainDeadlineMs?: number
}

export interface LogFollower {
  /** Reads the container's log from now on. Again for the same id is fine; one that ended is read on if it runs again. */
  follow(container: FollowedContainer): void
  /** Resolves when an ended container's log is in the hub to its end, at once for one not followed, at the deadline at the latest. */
  drained(containerId: string): Promise<void>
  /** For a container that has been removed: stops reading and forgets it. */
  forget(containerId: string): void
  /** Stops reading; the engine keeps what comes until the next control plane reads on. */
  stopAll(): Promise<void>
}

/** Where a container's outputs have been read to. Each is in order by itself; one may be ahead of the other. */
type Position = Record<ContainerLine['stream'], string | undefined>

interface Followed {
  readonly container: FollowedContainer
  readonly stop: AbortController
  /** Cuts a pause short: the container has ended. */
  hurry: AbortController
  /** Settles when the container has ended and all of it is read. */
  done: Promise<void>
  hasEnded: boolean
  position: Position | undefined
  /** How often in a row it was found to flood; 0 when it doesn't. */
  floods: number
  /** Start of the run that has been read to its end. */
  endedRun: number | undefined
}

export function createLogFollower(options: LogFollowerOptions): LogFollower {
  const followed = new Map<string, Followed>()
  const { drainDeadlineMs = 5_000 } = options
  let stopped = false

  const start = (entry: Followed) => {
    entry.hasEnded = false
    entry.done = readToEnd(options, entry)
      .catch((error: unknown) => options.log.warn({ err: error, container: entry.container.id }, 'a log reader failed'))
      .finally(() => {
        entry.hasEnded = true
      })
  }
  const forgetOldestEnded = () => {
    if (followed.size <= endedRemembered) return
    for (const [id, entry] of followed) {
      if (entry.hasEnded) followed.delete(id)
      if (followed.size <= endedRemembered) return
    }
  }
  return {
    follow(container) {
      if (stopped) return
      const known = followed.get(container.id)
      if (known) {
        if (known.hasEnded) start(known)
        return
      }
      forgetOldestEnded()
      const stop = new AbortController()
      const entry = {
        container,
        stop,
        hurry: new AbortController(),
        done: Promise.resolve(),
        hasEnded: false,
        position: undefined,
        floods: 0,
        endedRun: undefined,
      }
      followed.set(container.id, entry)
      start(entry)
    },
    async drained(containerId) {
      const entry = followed.get(containerId)
      if (!entry) return
      entry.hurry.abort()
      entry.hurry = new AbortController()
      const deadline = new AbortController()
      await Promise.race([entry.done, pause(drainDeadlineMs, deadline.signal)])
      deadline.abort()
    },
    forget(containerId) {
      followed.get(containerId)?.stop.abort()
      followed.delete(containerId)
    },
    async stopAll() {
      stopped = true
      for (const entry of followed.values()) entry.stop.abort()
      const deadline = new AbortController()
      const allDone = Promise.all([...followed.values()].map((entry) => entry.done))
      await Promise.race([allDone, pause(drainDeadlineMs, deadline.signal)])
      deadline.abort()
      followed.clear()
    },
  }
}

async function readToEnd(options: LogFollowerOptions, entry: Followed): Promise<void> {
  const { container, stop } = entry
  const isRead = (found: ContainerDetail) => hasEnded(found) && entry.endedRun === runOf(found)
  let hasWarned = false
  for (let attempt = 0; !stop.signal.aborted; attempt++) {
    try {
      if (entry.endedRun !== undefined) {
        const found = await options.engine.findContainer(container.id)
        if (!found || isRead(found)) return
      }
      const reading = await (entry.floods > 0 ? readFlood(options, entry) : readOnce(options, entry, { follow: true }))
      if (reading.lines > 0) attempt = 0
      if (stop.signal.aborted) return
      const found = await options.engine.findContainer(container.id)
      if (!found) return
      if (hasEnded(found)) {
        // The followed stream of a container that ends may lack its last lines.
        if (entry.floods > 0) await readFlood(options, entry)
        else await readOnce(options, entry, { follow: false })
        entry.endedRun = runOf(found)
        return
      }
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'not_found') return
      if (!hasWarned && !stop.signal.aborted)
        options.log.warn({ err: error, container: container.id, dyno: container.dyno }, 'a dyno log cannot be read yet')
      hasWarned = true
    }
    const [first, last, times] =
      entry.floods > 0 ? [firstFloodPauseMs, lastFloodPauseMs, entry.floods - 1] : [firstRetryMs, lastRetryMs, attempt]
    await pause(Math.min(last, first * 2 ** times), AbortSignal.any([stop.signal, entry.hurry.signal]))
  }
}

function runOf(container: ContainerDetail): number {
  return container.startedAt?.getTime() ?? 0
}

function hasEnded(container: Container): boolean {
  return container.state === 'exited' || container.state === 'dead' || container.state === 'removing'
}

/** What one reading brought, and over how much of the container's time. */
interface Reading {
  readonly lines: number
  readonly spanMs: number
}

/** Reads until the stream ends, or until the container is found to flood. */
async function readOnce(
  { engine, hub, onLine, log, linesPerSecond }: LogFollowerOptions,
  entry: Followed,
  wanted: { readonly follow: boolean; readonly tail?: number },
): Promise<Reading> {
  const { container, stop } = entry
  const shortId = container.id.slice(0, 12)
  if (!entry.position) {
    const cursor = await hub.cursor(container.appId, shortId)
    entry.position = { stdout: cursor, stderr: cursor }
  }
  const { position } = entry
  const since = sinceOf(position)
  const flood = new AbortController()
  const isFlood = createFloodGauge(2 * linesPerSecond)
  let lines = 0
  let first = ''
  let last = ''
  const take = (line: ContainerLine) => {
    if (stop.signal.aborted || flood.signal.aborted || isKnown(line, position)) return
    position[line.stream] = line.at
    lines += 1
    last = line.at
    if (first === '') first = last
    const leftOut = line.stream === 'stderr' ? linesLeftOut(line.text) : undefined
    if (leftOut !== undefined) {
      hub.skip(container.appId, leftOut)
      return
    }
    const kept = { at: line.at, source: container.source, dyno: container.dyno, container: shortId, text: line.text }
    hub.append(container.appId, kept)
    try {
      onLine?.(container, kept)
    } catch (error) {
      log.warn({ err: error, container: container.id }, 'a dyno log line was not taken')
    }
    if (wanted.follow && isFlood(line.at)) {
      entry.floods = 1
      flood.abort()
    }
  }
  const ended = AbortSignal.any([stop.signal, flood.signal])
  await engine.followLogs(container.id, { ...wanted, ...(since ? { since } : {}) }, take, ended)
  return { lines, spanMs: lines === 0 ? 0 : Date.parse(last) - Date.parse(first) }
}

/**
 * The newest lines of a container that floods, as many as it may print in a second. When it took longer to print them, or
 * when none are left out, the flood is over.
 */
async function readFlood(options: LogFollowerOptions, entry: Followed): Promise<Reading> {
  const tail = options.linesPerSecond
  const reading = await readOnce(options, entry, { follow: false, tail })
  if (reading.lines >= tail) options.hub.skip(entry.container.appId, 'some')
  const isFlooding = reading.lines >= tail && reading.spanMs < 1_000
  entry.floods = isFlooding ? entry.floods + 1 : 0
  return reading
}

/** Says of each line whether it is one too many of its second, and of a second that has just been. */
function createFloodGauge(linesMax: number): (at: string) => boolean {
  let second = ''
  let lines = 0
  return (at) => {
    const of = at.slice(0, 19)
    if (of !== second) {
      second = of
      lines = 0
    }
    lines += 1
    return lines > linesMax && compareTimestamps(at, timestampOf(Date.now() - floodRecentMs)) > 0
  }
}

/**
 * The engine repeats lines: the last one known when asked to begin there, and some whenever its log file is rotated. An
 * output's lines are in order of time, so what isn't after the last is a repetition, unless the clock has been turned back,
 * which shows in a last line from a time to come.
 */
function isKnown(line: ContainerLine, position: Position): boolean {
  const last = position[line.stream]
  if (last === undefined || compareTimestamps(line.at, last) > 0) return false
  return compareTimestamps(last, timestampOf(Date.now() + clockSlackMs)) <= 0
}

/**
 * Where to ask the engine to begin. Its log is in the order of writing, and a line is written within moments of its
 * timestamp, so what is missing lies behind a point a little before the last line, also of an output silent for long.
 */
function sinceOf({ stdout = '', stderr = '' }: Position): string | undefined {
  const last = stdout === '' || (stderr !== '' && compareTimestamps(stdout, stderr) < 0) ? stderr : stdout
  if (last === '') return undefined
  const now = timestampOf(Date.now())
  // After the clock was turned back, a time to come would hide lines until it is reached.
  return engineTimestamp(compareTimestamps(last, now) < 0 ? last : now, -overlapSeconds)
}

/** Waits; less when aborted. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    signal.addEventListener('abort', done)
  })
}
