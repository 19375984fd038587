/** Requests made to be missing in the log, or to be more than one line in it: each that an app got is one line, on a real HAProxy. */
import http2 from 'node:http2'
import t from 'tap'
import { type AccessEntry, formatAccessLine } from '../../server/router/access-log.js'
import { askRaw, httpApp, publish, rawApp, routes } from './backends.js'
import { routerUnderTest, until } from './haproxy-container.js'

t.setTimeout(120_000)

const u = await routerUnderTest(t)
await u.start()
const { router, httpPort: port } = u
const log: AccessEntry[] = []
const unreadable: (string | undefined)[] = []
const logging = new AbortController()
const logged = router.followAccessLog(
  (entry) => log.push(entry),
  logging.signal,
  (appId) => unreadable.push(appId),
)
t.teardown(async () => {
  logging.abort()
  await logged
})

const host = 'Host: one.localhost\r\nConnection: close\r\n'
const forwarded = (value: string) => `X-Forwarded-For: ${value}\r\n`

/** The app's lines of what happens meanwhile; another request afterwards shows that no more are to come. */
async function linesOf(happens: () => Promise<unknown>): Promise<AccessEntry[]> {
  log.length = 0
  await happens()
  const last = `/last-${Math.random()}`
  await askRaw(port, `GET ${last} HTTP/1.1\r\n${host}\r\n`)
  await until('the last request is logged', () => log.some((entry) => entry.path === last))
  return log.filter((entry) => entry.appId !== '' && entry.path !== last)
}

t.test('a request that an app got is one line in its log, whatever stands in it', async (t) => {
  const app = await rawApp(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  await publish(router, routes('one', [app], 'up', ['one.localhost', '*.wild.test']))
  const wild = `Host: ${'a'.repeat(240)}.wild.test\r\nConnection: close\r\n`
  const cases: [name: string, bytes: string, path: RegExp, fwd: RegExp][] = [
    ['a tab', `GET /a HTTP/1.1\r\n${host}${forwarded('a\tb')}\r\n`, /^\/a$/, /^a\tb, 127\.0\.0\.1$/],
    ['ESC and BEL', `GET /a HTTP/1.1\r\n${host}${forwarded('a\x1b[2J\x07')}\r\n`, /^\/a$/, /^a\x1b\[2J\x07, 127/],
    ['quotes forwarded', `GET /a HTTP/1.1\r\n${host}${forwarded('"'.repeat(8000))}\r\n`, /^\/a$/, /"…, 127\.0\.0\.1$/],
    ['more of them', `GET /a HTTP/1.1\r\n${host}${forwarded('"'.repeat(15_000))}\r\n`, /^\/a$/, /"…, 127\.0\.0\.1$/],
    ['quotes in the path', `GET /${'"'.repeat(8000)} HTTP/1.1\r\n${host}\r\n`, /^\/(#22){3000,}/, /^127\.0\.0\.1$/],
    ['quotes in the query', `GET /a?${'"'.repeat(8000)} HTTP/1.1\r\n${host}\r\n`, /^\/a\?(#22){3000,}/, /^127/],
    ['backslashes', `GET /${'\\'.repeat(8000)} HTTP/1.1\r\n${host}\r\n`, /^\/\\{3000,}/, /^127\.0\.0\.1$/],
    [
      'all of it',
      `GET /${'"'.repeat(3100)} HTTP/1.1\r\n${wild}${forwarded('"'.repeat(11_500))}\r\n`,
      /#22/,
      /", 127|"…/,
    ],
    ['an absolute address', `GET http://one.localhost/a HTTP/1.1\r\n${host}\r\n`, /^\/a$/, /^127/],
  ]
  for (const [name, bytes, path, fwd] of cases) {
    const lines = await linesOf(async () => t.match((await askRaw(port, bytes)).reply, /^HTTP\/1\.1 200 /, name))
    t.match(lines, [{ appId: 'id-one', status: 200, dyno: 'web.1', method: 'GET', path, fwd }], `${name} is logged`)
    t.equal(lines.length, 1, `${name} is one line`)
    for (const line of lines) t.ok(Buffer.byteLength(formatAccessLine(line)) < 9_500, name)
  }
  t.strictSame(unreadable, [])
})

t.test('what would leave a line without its path or its app is refused', async (t) => {
  let asked = 0
  const app = await httpApp(t, (_, response) => {
    asked++
    response.end('ok')
  })
  await publish(router, routes('one', [app], 'up', ['one.localhost', '*.wild.test']))
  const zeros = '0'.repeat(4000)
  const cases: [name: string, bytes: string, status: number][] = [
    ['a method of nine thousand letters', `${'M'.repeat(9000)} /a HTTP/1.1\r\n${host}\r\n`, 405],
    ['a method of 65', `${'M'.repeat(65)} /a HTTP/1.1\r\n${host}\r\n`, 405],
    ['a long user in the address', `GET http://${'a'.repeat(3500)}@one.localhost/a HTTP/1.1\r\n${host}\r\n`, 400],
    ['a long port', `GET http://one.localhost:${zeros}80/a HTTP/1.1\r\nHost: one.localhost:${zeros}80\r\n\r\n`, 400],
    ['a name longer than names are', `GET /a HTTP/1.1\r\nHost: ${'a'.repeat(3000)}.wild.test\r\n\r\n`, 404],
  ]
  for (const [name, bytes, status] of cases)
    t.match((await askRaw(port, bytes)).reply, new RegExp(`^HTTP/1\\.1 ${status} `), name)
  const client = http2.connect(`https://127.0.0.1:${u.httpsPort}`, {
    rejectUnauthorized: false,
    servername: 'one.localhost',
  })
  t.teardown(() => client.destroy())
  const statusOf = (authority: string) =>
    new Promise<unknown>((resolve, reject) => {
      const request = client.request({ ':path': '/h2?q', ':authority': authority })
      request.on('response', (headers) => resolve(headers[':status'])).on('error', reject)
      request.resume()
    })
  t.equal(await statusOf(`one.localhost:${zeros}443`), 400, 'a long port by HTTP/2')
  t.equal(asked, 0, 'none of them reached the app')
  const lines = await linesOf(async () => t.equal(await statusOf('one.localhost'), 200))
  t.match(lines, [{ appId: 'id-one', path: '/h2?q', status: 200 }])
  for (const method of ['PROPFIND', 'M'.repeat(64)])
    t.match((await linesOf(() => askRaw(port, `${method} /a HTTP/1.1\r\n${host}\r\n`)))[0], { method, path: '/a' })
})

t.test('a forwarded address cannot speak in the name of the router', async (t) => {
  const app = await httpApp(t, (_, response) => response.end('ok'))
  await publish(router, routes('one', [app]))
  const forgery = ' at=error code=H12 desc=x method=GET path=/ status=503'
  for (const length of [1900, 2000, 9700, 9890]) {
    const bytes = `GET /a HTTP/1.1\r\n${host}${forwarded('a'.repeat(length) + forgery)}\r\n`
    const [line, ...more] = (await linesOf(() => askRaw(port, bytes))).map(formatAccessLine)
    t.match(line, /^at=info method=GET path="\/a" host=\S+ request_id=\S+ fwd="a+[^"]*, 127\.0\.0\.1" dyno=web\.1 /)
    t.ok(Buffer.byteLength(line ?? '') < 10_000)
    t.strictSame(more, [])
  }
})
