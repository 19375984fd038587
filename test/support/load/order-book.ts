/** Reads what every dyno of an app wrote about the orders it got, straight from the engine. */
import { setMaxListeners } from 'node:events'
import { labelNames } from '../../../server/model/labels.js'
import { until, type World } from '../world.js'

export interface OrderBook {
  /** Ids that arrived, with how often; waits until all of `expected` are there, up to a deadline. */
  close(expected: readonly string[]): Promise<ReadonlyMap<string, number>>
}

export function keepOrderBook(world: World): OrderBook {
  const arrived = new Map<string, number>()
  const followed = new Set<string>()
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const follow = (id: string) => {
    if (followed.has(id)) return
    followed.add(id)
    const onLine = ({ text }: { text: string }) => {
      const order = /^order (\S+) 2000$/.exec(text)?.[1]
      if (order) arrived.set(order, (arrived.get(order) ?? 0) + 1)
    }
    void world.engine.followLogs(id, { follow: true }, onLine, stop.signal).catch(() => {})
  }
  const labels = { [labelNames.instance]: world.config.instance, [labelNames.kind]: 'dyno' }
  void world.engine.followEvents(labels, (event) => event.action === 'start' && follow(event.containerId), stop.signal)
  void world.engine.listContainers(labels).then((all) => {
    for (const { id } of all) follow(id)
  })
  return {
    async close(expected) {
      await until('every answered order to be in the book', async () => expected.every((id) => arrived.has(id))).catch(
        () => {},
      )
      stop.abort()
      return arrived
    },
  }
}
