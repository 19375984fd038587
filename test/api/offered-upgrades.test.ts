// Offers to change the protocol: a WebSocket is one where there is one, and every other offer is answered as if it weren't.
import net from 'node:net'
import t from 'tap'
import { type ListeningApi, listen } from '../support/listening-api.js'

t.setTimeout(120_000)

const http2 = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA']

function head(world: ListeningApi, line: string, headers: readonly string[]): string {
  const own = [`Host: 127.0.0.1:${world.port}`, `Authorization: Bearer ${world.ann.token}`]
  return `${[`${line} HTTP/1.1`, ...own, ...headers].join('\r\n')}\r\n\r\n`
}

/** Sends the parts one by one, and resolves with all that comes until the server ends the connection. */
async function exchange(world: ListeningApi, parts: readonly string[]): Promise<string> {
  const socket = net.connect(world.port, '127.0.0.1')
  socket.setNoDelay(true).setTimeout(20_000, () => socket.destroy(new Error('no end')))
  for (const part of parts) await new Promise<void>((resolve) => socket.write(part, () => setImmediate(resolve)))
  let answer = ''
  for await (const chunk of socket.setEncoding('utf8')) answer += chunk
  return answer
}

t.test('a request that offers HTTP/2 is answered over HTTP/1.1, with its body', async (t) => {
  const world = await listen(t)
  const account = await exchange(world, [head(world, 'GET /account', http2)])
  t.match(account, /^HTTP\/1\.1 200 OK\r\n/)
  t.match(account, /"email":"ann@example\.com"/)
  const body = JSON.stringify({ GREETING: 'hei'.repeat(1_000) })
  const json = [...http2, 'Content-Type: application/json']
  const patch = (more: string) => head(world, 'PATCH /apps/demo/config-vars', [...json, more])
  for (const [name, parts] of Object.entries({
    'body in the same packet': [`${patch(`Content-Length: ${body.length}`)}${body}`],
    'body in parts': [patch(`Content-Length: ${body.length}`), body.slice(0, 7), body.slice(7)],
    'body in chunks': [patch('Transfer-Encoding: chunked'), `${body.length.toString(16)}\r\n${body}\r\n`, '0\r\n\r\n'],
  })) {
    const answer = await exchange(world, parts)
    t.match(answer, /^HTTP\/1\.1 200 OK\r\n/, name)
    t.match(answer, /"GREETING":"heihei/, name)
  }
  const created = `${head(world, 'POST /apps', [...json, 'Content-Length: 16'])}{"name":"other"}`
  t.match(await exchange(world, [created]), /^HTTP\/1\.1 201 Created\r\n/)
  t.equal((await world.ask('GET /apps/other')).status, 200)
  t.match(await exchange(world, [head(world, 'GET /nothing', http2)]), /^HTTP\/1\.1 404 Not Found\r\n/)
})

t.test('who pipelines behind an offer is told that nothing more was read', async (t) => {
  const world = await listen(t)
  const answer = await exchange(world, [`${head(world, 'GET /account', http2)}${head(world, 'GET /apps', [])}`])
  t.equal(answer.match(/HTTP\/1\.1 \d+/g)?.length, 1)
  t.match(answer, /\r\nconnection: close\r\n/i)
})

t.test('an offer of WebSocket is taken where there is one, whatever else is offered elsewhere', async (t) => {
  const world = await listen(t)
  const webSocket = ['Connection: Upgrade', 'Upgrade: WebSocket', 'Sec-WebSocket-Version: 13']
  const unknown = await exchange(world, [
    head(world, 'GET /attach/no-such-ticket', [...webSocket, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']),
  ])
  t.match(unknown, /^HTTP\/1\.1 404 Not Found\r\n/)
  const posted = head(world, 'POST /apps', [...webSocket, 'Content-Type: application/json', 'Content-Length: 16'])
  t.match(await exchange(world, [`${posted}{"name":"other"}`]), /^HTTP\/1\.1 201 Created\r\n/)
})
