/** What a request meets on its way through a real HAProxy: whose app answers, what it is told, what comes back. */
import http from 'node:http'
import net from 'node:net'
import t from 'tap'
import { ask, askRaw, httpApp, mirror, publish, rawApp, routes } from './backends.js'
import { routerUnderTest } from './haproxy-container.js'

t.setTimeout(180_000)

const u = await routerUnderTest(t, { firstByteTimeoutMs: 1000, idleTimeoutMs: 1500, headersTimeoutMs: 1000 })
await u.start()
const { router, httpPort: port } = u
const one = await httpApp(t, mirror('one'))
const two = await httpApp(t, mirror('two'))

t.test('a host reaches its own app and nobody else', async (t) => {
  const wild = await httpApp(t, mirror('wild'))
  await publish(
    router,
    routes('one', [one], 'up', ['one.localhost', 'www.example.com', '*.example.net']),
    routes('two', [two], 'up', ['two.localhost', 'two.example.net']),
    routes('three', [wild], 'up', ['*.deep.example.net']),
  )
  const cases: [string, string | number][] = [
    ['one.localhost', 'one'],
    ['ONE.LocalHost', 'one'],
    ['one.localhost.', 'one'],
    [`one.localhost:${port}`, 'one'],
    ['one.localhost.:8080', 'one'],
    ['www.example.com', 'one'],
    ['two.localhost', 'two'],
    ['two.example.net', 'two'],
    ['any.example.net', 'one'],
    ['a.b.example.net', 404],
    ['x.deep.example.net', 'wild'],
    ['deep.example.net', 'one'],
    ['example.com', 404],
    ['one.localhost.evil.com', 404],
    ['nobody.localhost', 404],
    ['localhost', 404],
    ['127.0.0.1', 404],
    ['slot_0', 404],
    ['', 404],
  ]
  for (const [host, want] of cases) {
    const answer = await ask({ port, host })
    const got = answer.status === 200 ? JSON.parse(answer.body).name : answer.status
    t.equal(got, want, `${host || 'an empty host'} → ${want}`)
  }
  t.match((await ask({ port, host: 'nobody.localhost' })).body, /There is no app at this address/)
  const health = await ask({ port, host: '127.0.0.1', path: '/.well-known/router-health' })
  t.match(health, { status: 200, body: 'ok' })
  t.match(JSON.parse((await ask({ port, host: 'one.localhost', path: '/.well-known/router-health' })).body), {
    name: 'one',
  })
})

t.test("an app's state decides the page when it can't be reached", async (t) => {
  await publish(
    router,
    routes('empty', [], 'no-release'),
    routes('off', [], 'no-web'),
    routes('broken', [], 'crashed'),
    routes('early', [], 'booting'),
    routes('closed', [one], 'maintenance'),
  )
  const cases: [string, number, RegExp][] = [
    ['empty', 404, /no code has been pushed/],
    ['off', 503, /no web dynos[\s\S]*Code H14/],
    ['broken', 503, /has crashed[\s\S]*Code H10/],
    ['early', 503, /still starting[\s\S]*Code H20/],
    ['closed', 503, /maintenance[\s\S]*Code H80/],
  ]
  for (const [app, status, body] of cases) {
    const answer = await ask({ port, host: `${app}.localhost` })
    t.equal(answer.status, status, app)
    t.match(answer.body, body, app)
    t.match(answer.body, /Request [0-9a-f-]{36}/)
    t.match(answer.headers, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
  }
  t.match(await ask({ port, host: 'off.localhost', method: 'HEAD' }), { status: 503, body: '' })
})

t.test('what the app is told about the client is the router’s word', async (t) => {
  await publish(router, routes('one', [one]))
  const seen = async (headers: http.OutgoingHttpHeaders, method = 'GET') =>
    JSON.parse((await ask({ port, host: 'one.localhost', headers, method })).body)
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

  const plain = (await seen({})).headers
  t.match(plain, {
    host: 'one.localhost',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-port': String(port),
    via: '1.1 paas',
    'x-request-id': uuid,
  })
  t.ok(Math.abs(Number(plain['x-request-start']) - Date.now()) < 5000, 'x-request-start is now, in milliseconds')

  const spoofed = await seen({
    'X-Forwarded-For': '1.1.1.1',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Port': '443',
    'X-Forwarded-Host': 'bank.example',
    'X-Forwarded-Ssl': 'on',
    'X-Forwarded-Prefix': '/admin',
    X_Forwarded_For: '2.2.2.2',
    'X-Forwarded_Proto': 'https',
    X_Request_Id: 'mine-mine-mine-mine-mine',
    Forwarded: 'for=3.3.3.3;proto=https',
    'X-Request-Id': 'mine-mine-mine-mine-mine',
    'X-Request-Start': '1',
    Via: '1.1 me',
    Proxy: 'http://evil.example/',
    'X-Other': 'kept',
    My_Header: 'kept',
  })
  const kept = [
    'x-forwarded-for',
    'x-forwarded-proto',
    'x-forwarded-port',
    'x-request-id',
    'x-request-start',
    'via',
    'x-other',
    'my_header',
    'host',
    'connection',
  ]
  t.strictSame(
    Object.keys(spoofed.headers).filter((name) => !kept.includes(name)),
    [],
    'nothing else gets through',
  )
  t.match(spoofed.headers, {
    'x-forwarded-for': '1.1.1.1, 127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-port': String(port),
    via: '1.1 paas',
    'x-other': 'kept',
    my_header: 'kept',
    'x-request-id': uuid,
  })
  t.not(spoofed.headers['x-request-start'], '1')

  const hop = (await seen({ Connection: 'x-forwarded-for, x-forwarded-proto, keep-alive', 'Keep-Alive': 'timeout=5' }))
    .headers
  t.match(hop, { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' })
  t.notMatch(String(hop.connection), /forwarded/, 'no header of ours is named hop-by-hop')
  t.notOk(hop['keep-alive'])
})

t.test('malformed and ambiguous requests are refused or made plain, and never let two requests through', async (t) => {
  const heads: string[] = []
  const recorder = await rawApp(t, (socket, head) => {
    heads.push(head)
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  await publish(router, routes('one', [recorder]))
  const host = 'Host: one.localhost\r\n'
  const refused: [string, string][] = [
    ['two hosts', `GET / HTTP/1.1\r\n${host}Host: two.localhost\r\n\r\n`],
    ['another host in the request line', `GET http://two.localhost/ HTTP/1.1\r\n${host}\r\n`],
    ['two lengths', `POST / HTTP/1.1\r\n${host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`],
    ['a length that is no number', `POST / HTTP/1.1\r\n${host}Content-Length: +3\r\n\r\nabc`],
    ['an unknown transfer coding', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['chunked not last', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : one.localhost\r\n\r\n'],
    ['a NUL in a value', `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`],
    ['a fragment', `GET /a#b HTTP/1.1\r\n${host}\r\n`],
    ['user info in the host', 'GET / HTTP/1.1\r\nHost: me@one.localhost\r\n\r\n'],
    ['CONNECT', `CONNECT one.localhost:80 HTTP/1.1\r\n${host}\r\n`],
    ['a line of nine thousand characters', `GET /${'a'.repeat(9000)} HTTP/1.1\r\n${host}\r\n`],
    ['headers of forty thousand characters', `GET / HTTP/1.1\r\n${host}X: ${'a'.repeat(40_000)}\r\n\r\n`],
    ['a hundred and fifty headers', `GET / HTTP/1.1\r\n${host}${'X-A: b\r\n'.repeat(150)}\r\n`],
  ]
  for (const [name, bytes] of refused) {
    const { reply } = await askRaw(port, bytes)
    t.match(reply, /^HTTP\/1\.1 4\d\d /, `${name} is refused`)
  }
  t.strictSame(heads, [], 'none of them reached the app')

  const both = `POST / HTTP/1.1\r\n${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
  const { reply, closed } = await askRaw(port, `${both}GET /smuggled HTTP/1.1\r\n${host}\r\n`)
  t.match(reply, /^HTTP\/1\.1 200/)
  t.ok(closed, 'length and chunks together: the connection is not used again')
  t.equal(heads.length, 1)
  t.notMatch(heads[0] ?? '', /content-length|smuggled/i, 'the app sees chunks only')

  heads.length = 0
  await askRaw(port, `GET / HTTP/1.1\r\n${host}X-A: b\r\n c\r\n\r\n`)
  await askRaw(port, `GET / HTTP/1.1\n${host.replace('\r', '')}\n`)
  await askRaw(port, `GET http://one.localhost/plain?x=1 HTTP/1.1\r\n${host}\r\n`)
  t.match(heads[0], /x-a: b {3}c\r\n/, 'a folded header is one line')
  t.match(heads[1], /^GET \/ HTTP\/1\.1\r\nhost: one\.localhost\r\n/, 'bare line feeds are made whole')
  t.match(heads[2], /^GET \/plain\?x=1 HTTP\/1\.1\r\n/, 'an absolute request line becomes a path')
})

t.test('API and git are reached by their own names, unbuffered, and say when the platform is away', async (t) => {
  await publish(router, routes('one', [one]))
  t.match(await ask({ port, host: 'api.localhost' }), { status: 503, body: /"id":"unavailable"/ })
  const platform = http.createServer((request, response) => {
    if (request.url === '/held') {
      response.write('building\n')
      setTimeout(() => response.end('done\n'), 2000)
    } else mirror('platform')(request, response)
  })
  await new Promise<void>((resolve) => platform.listen(u.options.apiPort, '127.0.0.1', resolve))
  t.teardown(() => platform.close())
  for (const host of ['api.localhost', 'git.localhost']) {
    const answer = JSON.parse((await ask({ port, host, headers: { 'X-Forwarded-Host': 'x' } })).body)
    t.match(answer, { name: 'platform', headers: { host, 'x-forwarded-proto': 'http' } })
    t.notOk(answer.headers['x-forwarded-host'])
  }
  const held = await ask({ port, host: 'git.localhost', path: '/held', method: 'POST', body: 'x' })
  t.equal(held.body, 'building\ndone\n', 'longer than an app may be silent')
})

t.test('a client that never finishes its headers is ended', async (t) => {
  const started = Date.now()
  const socket = net.connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: one.localhost\r\nX-'))
  socket.on('error', () => {})
  let reply = ''
  socket.on('data', (part: Buffer) => {
    reply += part
  })
  await new Promise((resolve) => socket.on('close', resolve))
  t.match(reply, /^HTTP\/1\.1 408/)
  t.ok(Date.now() - started < 3000)
})

t.test('five hundred clients that never finish their headers leave everybody else served', async (t) => {
  await publish(router, routes('one', [one]))
  const ended: string[] = []
  const slow = Array.from({ length: 500 }, (_, n) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nHost: one.localhost\r\nX-'))
    const drip = setInterval(() => socket.write('a'), 100 + (n % 50))
    socket.on('error', () => {})
    socket.once('data', (part: Buffer) => ended.push(String(part).slice(0, 12)))
    socket.once('close', () => clearInterval(drip))
    return { socket, closed: new Promise<void>((resolve) => socket.once('close', () => resolve())) }
  })
  const statuses = new Set<number>()
  let left = slow.length
  const all = Promise.all(slow.map(({ closed }) => closed.then(() => left--)))
  let meanwhile = 0
  while (left > 0) {
    statuses.add((await ask({ port, host: 'one.localhost' })).status)
    if (left > 0) meanwhile++
  }
  await all
  t.strictSame([...statuses], [200], 'others are answered')
  t.ok(meanwhile > 0, `${meanwhile} of them while slow ones were there`)
  t.strictSame([...new Set(ended)], ['HTTP/1.1 408'], 'a header a second at a time gains nobody more time')
  t.equal(ended.length, 500)
})
