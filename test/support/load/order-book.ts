/**
 * Reads what apps print about the orders they got, in their logs, which promise every line once: again and again, since a
 * log is shown by its newest lines.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { until, type World } from '../world.js'

export interface OrderBook {
  /** Says of each order of each app how often it arrived where that isn't once; waits a while for late lines. */
  close(expected: Readonly<Record<string, readonly string[]>>): Promise<string[]>
}

const readEveryMs = 5_000

export function keepOrderBook(world: World, apps: readonly string[]): OrderBook {
  /** Per app the lines seen, which their time makes unique, with the order each is about. */
  const seen = new Map(apps.map((app) => [app, new Map<string, string>()]))
  const stop = new AbortController()
  const read = async (app: string) => {
    const { stdout } = await world.paas(['logs', '--app', app, '--source', 'app', '--num', '1500'])
    for (const [line, order = ''] of stdout.matchAll(/^.*: order (\S+) 2000$/gm)) seen.get(app)?.set(line, order)
  }
  const reading = (async () => {
    while (!stop.signal.aborted) {
      // A control plane that is dead at the moment is asked again.
      for (const app of apps) await read(app).catch(() => {})
      await wait(readEveryMs, undefined, { signal: stop.signal }).catch(() => {})
    }
  })()
  const times = (app: string) => {
    const counts = new Map<string, number>()
    for (const order of seen.get(app)?.values() ?? []) counts.set(order, (counts.get(order) ?? 0) + 1)
    return counts
  }
  return {
    async close(expected) {
      stop.abort()
      await reading
      const wrong: string[] = []
      for (const [app, orders] of Object.entries(expected)) {
        await until('every answered order to be in the log', async () => {
          await read(app)
          const counts = times(app)
          return orders.every((order) => counts.has(order))
        }).catch(() => {})
        const counts = times(app)
        for (const order of orders)
          if (counts.get(order) !== 1) wrong.push(`${app}: ${order} arrived ${counts.get(order) ?? 0} times`)
      }
      return wrong
    },
  }
}
