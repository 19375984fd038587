/** Runs at most `width` pieces of work at once, in order of arrival. */
export interface Queue {
  /** `onWait` is told once how many are ahead when it can't start at once. An aborted wait throws. */
  run<T>(work: () => Promise<T>, onWait?: (ahead: number) => void, signal?: AbortSignal): Promise<T>
}

export function createQueue(width: number): Queue {
  let running = 0
  const waiting: (() => void)[] = []
  const next = () => {
    // A waiting one takes the place over, so that nobody slips in between.
    const waiter = waiting.shift()
    if (waiter) waiter()
    else running--
  }
  return {
    async run(work, onWait, signal) {
      if (running >= width) {
        if (signal?.aborted) throw new Error('cancelled while waiting')
        onWait?.(waiting.length + running - width + 1)
        await new Promise<void>((resolve, reject) => {
          const start = () => {
            signal?.removeEventListener('abort', leave)
            resolve()
          }
          const leave = () => {
            const at = waiting.indexOf(start)
            if (at >= 0) waiting.splice(at, 1)
            reject(new Error('cancelled while waiting'))
          }
          waiting.push(start)
          signal?.addEventListener('abort', leave, { once: true })
        })
      } else running++
      try {
        return await work()
      } finally {
        next()
      }
    },
  }
}
