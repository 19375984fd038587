/**
 * Looks at things by key: one look at a key at a time, a bounded number at once. Asking for a key that is being looked at
 * makes it be looked at once more afterwards. A key whose look failed is left alone for a time that doubles with each
 * failure; a look that succeeds forgets that.
 */
export interface Looks {
  /** Resolves when the key has been looked at after this call, or is left alone for now. Never rejects. */
  look(key: string): Promise<void>
  /** No retries any more. */
  stop(): void
}

export interface LooksOptions {
  readonly concurrency: number
  readonly backoffMs: number
  readonly backoffMaxMs: number
  look(key: string): Promise<void>
  onFailure(key: string, error: unknown): Promise<void>
  /** Called when a key that was left alone may be looked at again. */
  retry(): void
}

/** A timer may come a little before the clock says so. */
const timerEarlyMs = 5

interface UnderWay {
  again: boolean
  done: Promise<void>
}

export function createLooks(options: LooksOptions): Looks {
  const underWay = new Map<string, UnderWay>()
  const failures = new Map<string, { count: number; until: number }>()
  const timers = new Set<NodeJS.Timeout>()
  const waiting: (() => void)[] = []
  let free = options.concurrency
  let stopped = false

  const turn = async () => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const passOn = () => {
    const next = waiting.shift()
    if (next) next()
    else free++
  }

  const failed = async (key: string, error: unknown) => {
    const count = (failures.get(key)?.count ?? 0) + 1
    const waitMs = Math.min(options.backoffMs * 2 ** (count - 1), options.backoffMaxMs)
    failures.set(key, { count, until: Date.now() + waitMs })
    await options.onFailure(key, error)
    if (stopped) return
    const timer = setTimeout(() => {
      timers.delete(timer)
      options.retry()
    }, waitMs + timerEarlyMs)
    timers.add(timer)
  }

  const lookOnce = async (key: string) => {
    if (Date.now() < (failures.get(key)?.until ?? 0)) return
    await turn()
    try {
      await options.look(key)
      failures.delete(key)
    } catch (error) {
      await failed(key, error).catch(() => {})
    } finally {
      passOn()
    }
  }

  return {
    look(key) {
      const current = underWay.get(key)
      if (current) {
        current.again = true
        return current.done
      }
      const entry: UnderWay = { again: true, done: Promise.resolve() }
      const work = async () => {
        while (entry.again) {
          entry.again = false
          await lookOnce(key)
        }
        underWay.delete(key)
      }
      underWay.set(key, entry)
      entry.done = work()
      return entry.done
    },
    stop() {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}
