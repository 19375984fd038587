/**
 * Counts lines per second and says which are over the limit.
 *
 * A line counts in the second it was written in, not in the one it arrives in: after the control plane was away it reads
 * many minutes of lines at once, and an app that never spoke too fast must not lose any of them.
 */

const secondsRemembered = 64

export interface LineBudget {
  /** Counts a line with this timestamp; false when its second is used up. */
  admit(at: string): boolean
}

export function createLineBudget(linesPerSecond: number): LineBudget {
  // Containers are caught up side by side, each at a second of its own, so more than one count is kept.
  const counts = new Map<string, number>()
  let second = ''
  let count = 0
  const enter = (next: string) => {
    counts.set(second, count)
    second = next
    count = counts.get(next) ?? 0
    counts.delete(next)
    for (const oldest of counts.keys()) {
      if (counts.size <= secondsRemembered) break
      counts.delete(oldest)
    }
  }
  return {
    admit(at) {
      const of = at.slice(0, 19)
      if (of !== second) enter(of)
      count += 1
      return count <= linesPerSecond
    },
  }
}
