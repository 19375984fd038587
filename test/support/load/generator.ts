/** The process that makes the load: begins when it is started, counts, and tells its tally when it is told to stop. */
import { Client, type Rates, type Target } from './client.js'
import {
  keptConnections,
  newConnections,
  orders,
  pooledConnections,
  secureConnections,
  slowRequests,
  streams,
} from './http-traffic.js'
import { http2Requests, websockets, within } from './live-traffic.js'
import { emptyTally, type Tally } from './tally.js'

export type ToGenerator = { readonly kind: 'live'; readonly version: number } | { readonly kind: 'stop' }
export interface FromGenerator {
  readonly kind: 'done'
  readonly tally: Tally
  readonly unfinished?: string
}

const { target, rates } = JSON.parse(process.argv[2] ?? '') as { target: Target; rates: Rates }
const client = new Client(target, rates, emptyTally())
const traffic = [
  newConnections,
  pooledConnections,
  keptConnections,
  secureConnections,
  http2Requests,
  orders,
  slowRequests,
  streams,
  ...(!rates.withoutWebsockets ? [websockets] : []),
]
const running = Promise.all(traffic.map((begin) => begin(client))).then(() => client.settled())

process.on('message', (message: ToGenerator) => {
  if (message.kind === 'live') client.live = Math.max(client.live, message.version)
  else void finish()
})
// Its test is gone.
process.on('disconnect', () => process.exit(1))

async function finish(): Promise<void> {
  client.isStopped = true
  const unfinished = await within(rates.slowMs + 30_000, 'what was begun', running).then(
    () => undefined,
    (error: Error) => error.message,
  )
  const done: FromGenerator = { kind: 'done', tally: client.tally, ...(unfinished ? { unfinished } : {}) }
  process.send?.(done, () => process.exit(0))
}
