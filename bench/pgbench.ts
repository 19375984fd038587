/** What pgbench prints. */

export interface PgbenchResult {
  readonly tps: number
  readonly latencyMs: number
  readonly transactions: number
}

/** Of the output of one timed run; throws when there is no result in it, or when transactions failed. */
export function parsePgbench(output: string): PgbenchResult {
  const number = (pattern: RegExp) => {
    const match = pattern.exec(output)
    if (!match) throw new Error(`pgbench printed no result:\n${output}`)
    return Number(match[1])
  }
  if (/^number of transactions actually processed: 0$/m.test(output))
    throw new Error('pgbench: no transaction ended in time; give it more seconds')
  const failed = /^number of failed transactions: (\d+)/m.exec(output)
  if (failed && failed[1] !== '0') throw new Error(`pgbench: ${failed[1]} transactions failed`)
  return {
    tps: number(/^tps = ([\d.]+) \((?:without initial connection time|including reconnection times)\)$/m),
    latencyMs: number(/^latency average = ([\d.]+) ms$/m),
    transactions: number(/^number of transactions actually processed: (\d+)/m),
  }
}
