/** Requests over HTTP/1.1 in all the ways clients send them. */
import { randomUUID } from 'node:crypto'
import http from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import type { Client } from './client.js'

/** Begins something at fixed times whatever became of what was begun before. */
export async function openLoop(
  client: Client,
  perSecond: number,
  begin: () => Promise<void>,
  latencies: number[] = [],
): Promise<void> {
  const started = Date.now()
  for (let n = 0; !client.isStopped; n++) {
    const due = started + (n * 1000) / perSecond
    const early = due - Date.now()
    if (early > 0) await wait(early)
    void begin().then(() => latencies.push(Date.now() - due))
  }
}

export function newConnections(client: Client): Promise<void> {
  const begin = () => client.count('new connections', async () => void (await client.ask({ path: '/' })))
  return openLoop(client, client.rates.perSecond, begin, client.tally.latencies)
}

/** As many connections as are needed at once, each kept as long as the router keeps it. */
export async function pooledConnections(client: Client): Promise<void> {
  const agent = new http.Agent({ keepAlive: true })
  const begin = () => client.count('pooled connections', async () => void (await client.ask({ path: '/', agent })))
  await openLoop(client, client.rates.perSecond, begin, client.tally.latencies)
  await client.settled()
  agent.destroy()
}

/** Idle times about those after which servers close their side: gunicorn's two seconds, Node's five. */
const idleMs = [0, 0, 0, 0, 20, 20, 100, 1_990, 2_005, 4_985, 5_005, 5_020]

/** One connection a client, used again and again with pauses between. */
export async function keptConnections(client: Client): Promise<void> {
  const one = async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    while (!client.isStopped) {
      await client.count('kept connections', async () => void (await client.ask({ path: '/', agent })))
      const pause = idleMs[Math.floor(Math.random() * idleMs.length)] ?? 0
      await wait(pause === 0 ? 5 : pause + Math.random() * 10)
    }
    agent.destroy()
  }
  await Promise.all(Array.from({ length: client.rates.clients }, one))
}

export function secureConnections(client: Client): Promise<void> {
  return openLoop(client, client.rates.perSecond / 4, () =>
    client.count('https', async () => void (await client.ask({ path: '/', secure: true }))),
  )
}

/** POSTs that must arrive exactly once; the app writes down each id it gets. */
export async function orders(client: Client): Promise<void> {
  const agent = new http.Agent({ keepAlive: true })
  await openLoop(client, client.rates.perSecond / 3, () => {
    // When it was placed, for whoever looks for it.
    const id = `${new Date().toISOString()}-${randomUUID()}`
    const ms = Math.random() < 0.1 ? 2_000 : Math.floor(Math.random() * 200)
    return client.count('orders', async () => {
      await client.ask({
        path: `/order?id=${id}&ms=${ms}`,
        method: 'POST',
        body: 'x'.repeat(2_000),
        agent,
        status: 201,
      })
      client.tally.orders.push(id)
    })
  })
  await client.settled()
  agent.destroy()
}

/** One begun every second; most are in flight during any change. */
export async function slowRequests(client: Client): Promise<void> {
  while (!client.isStopped) {
    void client.count('slow requests', async () => void (await client.ask({ path: `/slow?ms=${client.rates.slowMs}` })))
    await wait(1_000)
  }
}

/** Responses that take seconds to be written, each of which must be whole. */
export async function streams(client: Client): Promise<void> {
  const one = async () => {
    while (!client.isStopped) {
      const lines = 10 + Math.floor(Math.random() * 90)
      await client.count('streams', async () => {
        const body = await client.ask({ path: `/stream?lines=${lines}&ms=100` })
        const want = `${Array.from({ length: lines }, (_, line) => `${line}\n`).join('')}end`
        if (body !== want) throw new Error(`a stream of ${body.length} bytes instead of ${want.length}`)
      })
    }
  }
  await Promise.all(Array.from({ length: client.rates.open }, one))
}
