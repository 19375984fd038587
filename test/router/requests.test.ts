/** What a request meets on its way through a real HAProxy: whose app answers, what it is told, what comes back. */
import { createHash } from 'node:crypto'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import tls from 'node:tls'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { ask, askRaw, httpApp, publish, rawApp, routes } from './backends.js'
import { routerUnderTest, until } from './haproxy-container.js'

t.setTimeout(180_000)

const u = await routerUnderTest(t, { firstByteTimeoutMs: 1000, idleTimeoutMs: 1500, headersTimeoutMs: 1000 })
await u.start()
const { router, httpPort: port, httpsPort } = u
const ca = await router.caCertificatePem()

const shows =
  (name: string): http.RequestListener =>
  (request, response) => {
    response.end(
      JSON.stringify({
        name,
        method: request.method,
        url: request.url,
        headers: request.headers,
        raw: request.rawHeaders,
      }),
    )
  }
const one = await httpApp(t, shows('one'))
const two = await httpApp(t, shows('two'))

t.test('a host reaches its own app and nobody else', async (t) => {
  const wild = await httpApp(t, shows('wild'))
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

t.test('a websocket is passed through, and idles out only when nothing is said', async (t) => {
  const app = await httpApp(t, (_, response) => response.end())
  const server = new WebSocketServer({ server: app.server, maxPayload: 32 * 1024 * 1024 })
  t.teardown(() => server.close())
  server.on('connection', (socket, request) => {
    socket.send(String(request.headers['x-forwarded-for']))
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  await publish(router, routes('one', [app]))
  const converse = async (url: string, options: WebSocket.ClientOptions & { servername?: string }) => {
    const socket = new WebSocket(url, { ...options, headers: { host: 'one.localhost' }, perMessageDeflate: false })
    const messages: Buffer[] = []
    socket.on('message', (data) => messages.push(data as Buffer))
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
    await until('the app greets', () => messages.length === 1)
    t.equal(String(messages[0]), '127.0.0.1')
    const big = Buffer.alloc(10 * 1024 * 1024, 'x')
    socket.send(big)
    await until('ten megabytes come back', () => messages.length === 2)
    t.ok(messages[1]?.equals(big))
    const started = Date.now()
    const pings = setInterval(() => socket.ping(), 500)
    await delay(2500)
    t.equal(socket.readyState, WebSocket.OPEN, 'pings keep it open')
    clearInterval(pings)
    await closed
    t.ok(Date.now() - started > 3500, 'silence ends it')
  }
  await Promise.all([
    converse(`ws://127.0.0.1:${port}/`, {}),
    converse(`wss://127.0.0.1:${httpsPort}/`, { ca, servername: 'one.localhost' }),
  ])
})

t.test('a response comes as the app writes it, and an upload as the client sends it', async (t) => {
  let release = () => {}
  const app = await httpApp(t, (request, response) => {
    if (request.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
      release = () => response.end('data: 2\n\n')
    } else request.pipe(response)
  })
  await publish(router, routes('one', [app]))
  const parts: string[] = []
  const ended = new Promise<void>((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', path: '/events', headers: { host: 'one.localhost' } }, (response) => {
        response.on('data', (part: Buffer) => parts.push(String(part)))
        response.on('end', resolve)
      })
      .on('error', reject)
  })
  await until('the first event is there while the response is open', () => parts.length === 1)
  release()
  await ended
  t.strictSame(parts, ['data: 1\n\n', 'data: 2\n\n'])

  const upload = http.request({
    port,
    host: '127.0.0.1',
    path: '/',
    method: 'POST',
    headers: { host: 'one.localhost' },
  })
  const echo = new Promise<http.IncomingMessage>((resolve, reject) =>
    upload.on('response', resolve).on('error', reject),
  )
  upload.write('first')
  const response = await echo
  const echoed: string[] = []
  response.on('data', (part: Buffer) => echoed.push(String(part)))
  await until('the first part is echoed while the upload is open', () => echoed.length === 1)
  upload.end('second')
  await until('all is echoed', () => response.complete)
  t.strictSame(echoed, ['first', 'second'])
})

t.test('a slow upload is no timeout of the app', async (t) => {
  const app = await httpApp(t, (request, response) => {
    const hash = createHash('sha256')
    request.on('data', (part: Buffer) => hash.update(part)).on('end', () => response.end(hash.digest('hex')))
  })
  await publish(router, routes('one', [app]))
  const started = Date.now()
  const upload = http.request({
    port,
    host: '127.0.0.1',
    path: '/',
    method: 'POST',
    headers: { host: 'one.localhost' },
  })
  const answered = new Promise<number>((resolve, reject) =>
    upload.on('response', (r) => resolve(r.resume().statusCode ?? 0)).on('error', reject),
  )
  for (let i = 0; i < 5; i++) {
    upload.write('part')
    await delay(250)
  }
  upload.end()
  t.equal(await answered, 200)
  t.ok(Date.now() - started > 1000, 'it took longer than the first byte may')
})

t.test('https has a certificate per host, and none of a tenant for strangers', async (t) => {
  await publish(router, routes('one', [one], 'up', ['one.localhost', '*.example.net']), routes('two', [two]))
  const secure = (servername: string, host = servername, options: https.RequestOptions = {}) =>
    new Promise<{ status: number; body: string; protocol: string | null }>((resolve, reject) => {
      https
        .get(
          { port: httpsPort, host: '127.0.0.1', servername, headers: { host }, ca, agent: false, ...options },
          (response) => {
            let body = ''
            const protocol = (response.socket as tls.TLSSocket).getProtocol()
            response.on('data', (part: Buffer) => {
              body += part
            })
            response.on('end', () => resolve({ status: response.statusCode ?? 0, body, protocol }))
          },
        )
        .on('error', reject)
    })
  const answer = await secure('one.localhost')
  t.match(answer, { status: 200, protocol: 'TLSv1.3' })
  t.match(JSON.parse(answer.body).headers, { 'x-forwarded-proto': 'https', 'x-forwarded-port': String(httpsPort) })
  t.match(await secure('two.localhost'), { status: 200 })
  t.match(await secure('any.example.net'), { status: 200 }, 'a wildcard covers one label')
  t.match(await secure('api.localhost'), { status: 503 }, 'the platform has its own')
  await t.rejects(secure('nobody.localhost'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })

  const strange = await peer('nobody.localhost')
  t.equal(strange.subjectaltname, 'DNS:localhost', "an unknown name is shown the platform's certificate")
  const misdirected = await secure('one.localhost', 'two.localhost')
  t.equal(misdirected.status, 421)
  t.match(misdirected.body, /Code H31/)
  t.match(await secure('nobody.localhost', 'nobody.localhost', { rejectUnauthorized: false }), { status: 404 })
  await t.rejects(secure('one.localhost', 'one.localhost', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }))
  t.match(await secure('one.localhost', 'one.localhost', { maxVersion: 'TLSv1.2' }), {
    status: 200,
    protocol: 'TLSv1.2',
  })
})

function peer(servername: string): Promise<tls.PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port: httpsPort, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate())
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

t.test('clients get HTTP/2 over TLS, apps always HTTP/1.1', async (t) => {
  const versions: string[] = []
  const app = await httpApp(t, (request, response) => {
    versions.push(request.httpVersion)
    shows('one')(request, response)
  })
  await publish(router, routes('one', [app]))
  const client = http2.connect(`https://one.localhost:${httpsPort}`, {
    ca,
    createConnection: () =>
      tls.connect({ port: httpsPort, host: '127.0.0.1', servername: 'one.localhost', ALPNProtocols: ['h2'], ca }),
  })
  const get = (path: string, body?: string) =>
    new Promise<string>((resolve, reject) => {
      const stream = client.request({
        ':path': path,
        ':method': body === undefined ? 'GET' : 'POST',
        'x-forwarded-proto': 'http',
      })
      let text = ''
      stream.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      stream.on('end', () => resolve(text)).on('error', reject)
      stream.end(body)
    })
  const answers = await Promise.all([get('/a?b=c'), get('/d'), get('/e', 'body')])
  t.match(JSON.parse(answers[0] ?? ''), {
    url: '/a?b=c',
    headers: { 'x-forwarded-proto': 'https', host: `one.localhost:${httpsPort}` },
  })
  t.match(JSON.parse(answers[2] ?? ''), { method: 'POST', url: '/e' })
  t.strictSame(new Set(versions), new Set(['1.1']))
  await new Promise<void>((resolve) => client.close(resolve))
})

t.test('a websocket over HTTP/2 is a websocket to the app', async (t) => {
  const app = await httpApp(t, (_, response) => response.end())
  const server = new WebSocketServer({ server: app.server })
  t.teardown(() => server.close())
  server.on('connection', (socket) => socket.send('hello'))
  await publish(router, routes('one', [app]))
  const client = http2.connect(`https://one.localhost:${httpsPort}`, {
    ca,
    createConnection: () =>
      tls.connect({ port: httpsPort, host: '127.0.0.1', servername: 'one.localhost', ALPNProtocols: ['h2'], ca }),
  })
  await new Promise((resolve) => client.once('remoteSettings', resolve))
  const stream = client.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/',
    'sec-websocket-version': '13',
  })
  const status = await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])))
  t.equal(status, 200)
  const frame = await new Promise<Buffer>((resolve) => stream.once('data', resolve))
  t.equal(frame.subarray(2).toString(), 'hello')
  stream.close()
  await new Promise<void>((resolve) => client.close(resolve))
})

t.test('API and git are reached by their own names, unbuffered, and say when the platform is away', async (t) => {
  await publish(router, routes('one', [one]))
  t.match(await ask({ port, host: 'api.localhost' }), { status: 503, body: /"id":"unavailable"/ })
  const platform = http.createServer((request, response) => {
    if (request.url === '/held') {
      response.write('building\n')
      setTimeout(() => response.end('done\n'), 2000)
    } else shows('platform')(request, response)
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
  let reply = ''
  socket.on('data', (part: Buffer) => {
    reply += part
  })
  await new Promise((resolve) => socket.on('close', resolve))
  t.match(reply, /^HTTP\/1\.1 408/)
  t.ok(Date.now() - started < 3000)
})
