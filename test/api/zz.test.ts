import t from 'tap'
import { startTestApi } from '../support/api.js'
t.setTimeout(100000)
t.test('x', async (t) => {
  const world = await startTestApi(t, { timings: { heartbeatMs: 50 } })
  await world.api.listen({ host: '127.0.0.1', port: 0 })
  const port = (world.api.server.address() as any).port
  world.api.server.on('connection', (s) => { console.error('conn', s.remotePort); s.on('close', () => console.error('closed', s.remotePort)) })
  world.api.server.on('request', (r) => console.error('req', r.socket.remotePort, r.url?.slice(0, 30)))
  const ann = await world.person('ann@example.com')
  await world.call(ann, 'POST /apps', { name: 'demo' })
  const url = (await world.call(ann, 'POST /apps/demo/log-sessions', { tail: true }, { host: `127.0.0.1:${port}` })).body.logplex_url
  const r = await fetch(url)
  const reader = r.body!.getReader()
  await reader.read()
  await reader.cancel()
  console.error('cancelled', Date.now())
  setTimeout(() => console.error((world.api.server as any)._connections), 2000).unref()
  await world.api.close()
  console.error('closed', Date.now())
})
