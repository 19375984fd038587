/** What a load generator counted. Everything it began is either served or a failure; there is no third. */

export const kinds = [
  'new connections',
  'pooled connections',
  'kept connections',
  'https',
  'http/2',
  'orders',
  'slow requests',
  'streams',
  'websockets',
] as const
export type Kind = (typeof kinds)[number]

export interface Failure {
  readonly kind: Kind
  readonly at: number
  readonly what: string
}

export interface Tally {
  readonly begun: Record<Kind, number>
  readonly served: Record<Kind, number>
  readonly failures: Failure[]
  /** Releases that answered, with the number of answers. */
  readonly releases: Record<string, number>
  /** Requests that went down a connection which had carried one before. */
  reused: number
  /** Streams of HTTP/2 that the router refused and that were sent again. */
  refusedStreams: number
  /** How websockets that the client didn't end were ended: close code → how often. */
  readonly socketEnds: Record<string, number>
  /** Ids of the orders that were answered. */
  readonly orders: string[]
  /** Milliseconds from when a request was due to its answer, of quick requests in an open loop. */
  readonly latencies: number[]
}

export function emptyTally(): Tally {
  const zeros = () => Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<Kind, number>
  return {
    begun: zeros(),
    served: zeros(),
    failures: [],
    releases: {},
    reused: 0,
    refusedStreams: 0,
    socketEnds: {},
    orders: [],
    latencies: [],
  }
}

/** Failures counted by kind and cause, most frequent first. */
export function failureCounts(tally: Tally): string[] {
  const counts = new Map<string, number>()
  for (const { kind, what } of tally.failures) {
    const name = `${kind}: ${what}`
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${count} × ${name}`)
}

/** One line a kind. */
export function printTally(tally: Tally): string[] {
  const sorted = [...tally.latencies].sort((a, b) => a - b)
  const quantile = (q: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0)
  return [
    ...kinds.map((kind) => {
      const failed = tally.failures.filter((f) => f.kind === kind).length
      return `${kind}: ${tally.begun[kind]} begun, ${tally.served[kind]} served, ${failed} failed`
    }),
    `requests on a connection used before: ${tally.reused}`,
    `streams of HTTP/2 refused, then served: ${tally.refusedStreams}`,
    `websockets ended by the platform or the app: ${JSON.stringify(tally.socketEnds)}`,
    `quick requests, from when each was due: p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, longest ${quantile(1)} ms`,
    `releases that answered: ${Object.keys(tally.releases).length}`,
  ]
}
