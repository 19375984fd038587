/** What connections carry through a real HAProxy: websockets, streams, slow uploads, TLS and HTTP/2. */
import { createHash } from 'node:crypto'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import tls from 'node:tls'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { httpApp, mirror, publish, routes } from './backends.js'
import { routerUnderTest, until } from './haproxy-container.js'

t.setTimeout(180_000)

const u = await routerUnderTest(t, { firstByteTimeoutMs: 1000, idleTimeoutMs: 1500, headersTimeoutMs: 1000 })
await u.start()
const { router, httpPort: port, httpsPort } = u
const ca = await router.caCertificatePem()
const one = await httpApp(t, mirror('one'))
const two = await httpApp(t, mirror('two'))

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
    mirror('one')(request, response)
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
