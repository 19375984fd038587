/** The API listening on a port of its own, with an app and its owner: for what stays open, which can't be injected. */
import { type Person, startTestApi, type TestApi } from './api.js'

type Overrides = Parameters<typeof startTestApi>[1]

export interface ListeningApi extends TestApi {
  readonly ann: Person
  readonly appId: string
  readonly port: number
  /** As over a network, with the port in the Host header. */
  ask(line: string, body?: unknown, headers?: Record<string, string>): ReturnType<TestApi['call']>
}

export async function listen(
  t: { teardown(fn: () => unknown): unknown },
  overrides: Overrides = {},
): Promise<ListeningApi> {
  const world = await startTestApi(t, { timings: { heartbeatMs: 50, pollMs: 20 }, ...overrides })
  await world.api.listen({ host: '127.0.0.1', port: 0 })
  const address = world.api.server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const ann = await world.person('ann@example.com')
  const app = (await world.call(ann, 'POST /apps', { name: 'demo' })).body
  await world.hub.flush()
  return {
    ...world,
    ann,
    appId: app.id,
    port,
    ask: (line, body, headers) => world.call(ann, line, body, { host: `127.0.0.1:${port}`, ...headers }),
  }
}

export function connections(world: ListeningApi): Promise<number> {
  return new Promise((resolve, reject) =>
    world.api.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )
}
