/** Reads what every dyno of a platform wrote about the orders it got, straight from the engine. */
import { setMaxListeners } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { labelNames } from '../../../server/model/labels.js'
import { until, type World } from '../world.js'

export interface OrderBook {
  /** Says of each expected order how often it arrived where that isn't once; waits a while for late ones. */
  close(expected: readonly string[]): Promise<string[]>
}

export function keepOrderBook(world: World): OrderBook {
  /** By container, so that one that is read anew counts once. */
  const arrived = new Map<string, string[]>()
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const follow = async (id: string) => {
    if (arrived.has(id)) return
    arrived.set(id, [])
    while (!stop.signal.aborted) {
      // A container that goes while it is read anew takes nothing back of what was read before.
      const orders: string[] = []
      const onLine = ({ text }: { text: string }) => {
        const order = /^order (\S+) 2000$/.exec(text)?.[1]
        if (order) orders.push(order)
        if (orders.length > (arrived.get(id)?.length ?? 0)) arrived.set(id, orders)
      }
      try {
        await world.engine.followLogs(id, { follow: true }, onLine, stop.signal)
      } catch {
        // Read anew below, as long as there is anything to read.
      }
      const container = await world.engine.findContainer(id).catch(() => null)
      if (container === undefined) return
      await wait(500)
    }
  }
  const labels = { [labelNames.instance]: world.config.instance, [labelNames.kind]: 'dyno' }
  void world.engine.followEvents(
    labels,
    (event) => {
      if (event.action === 'start') void follow(event.containerId)
    },
    stop.signal,
  )
  void world.engine.listContainers(labels).then((all) => {
    for (const { id } of all) void follow(id)
  })
  const times = () => {
    const counts = new Map<string, number>()
    for (const id of [...arrived.values()].flat()) counts.set(id, (counts.get(id) ?? 0) + 1)
    return counts
  }
  return {
    async close(expected) {
      await until('every answered order to be in the book', async () => {
        const counts = times()
        return expected.every((id) => counts.has(id))
      }).catch(() => {})
      stop.abort()
      const counts = times()
      return expected.filter((id) => counts.get(id) !== 1).map((id) => `${id} arrived ${counts.get(id) ?? 0} times`)
    },
  }
}
