/** Notes when the steps of one piece of work ended, for finding out where its time went. */
export interface Timeline {
  mark(step: string): void
  /** Milliseconds each step took, in order. */
  steps(): Readonly<Record<string, number>>
}

export function createTimeline(): Timeline {
  let last = performance.now()
  const taken: Record<string, number> = {}
  return {
    mark(step) {
      const now = performance.now()
      taken[step] = Math.round(((taken[step] ?? 0) + now - last) * 10) / 10
      last = now
    },
    steps: () => ({ ...taken }),
  }
}
