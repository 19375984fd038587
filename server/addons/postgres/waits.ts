/** Waiting with an end, and what a container said last. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Engine } from '../../engine/engine.js'

/** Rejects with a sentence when `work` takes longer; `work` itself goes on. */
export async function withinTime<T>(timeoutMs: number, doing: string, work: Promise<T>): Promise<T> {
  const stop = new AbortController()
  const late = delay(timeoutMs, undefined, { signal: stop.signal }).then(
    () => {
      throw new Error(`${doing} took longer than ${Math.round(timeoutMs / 1000)} s`)
    },
    () => new Promise<never>(() => {}),
  )
  try {
    return await Promise.race([work, late])
  } finally {
    stop.abort()
  }
}

/** The last lines of a container's output in one line, 500 characters at most; what can't be read is left out. */
export async function lastLines(engine: Engine, containerId: string): Promise<string> {
  const lines: string[] = []
  try {
    await engine.followLogs(containerId, { tail: 5 }, (line) => lines.push(line.text.trim()))
  } catch {
    // The container is gone, and its words with it.
  }
  return lines.join(' | ').slice(-500) || 'it said nothing'
}
