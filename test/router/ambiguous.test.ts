/** Requests that two parsers could read in two ways: refused, or handed on as one plain request, never as two. */
import t from 'tap'
import { ask, askRaw, publish, routes } from './backends.js'
import { routerUnderTest } from './haproxy-container.js'
import { strictBackend } from './strict-backend.js'

t.setTimeout(180_000)

const host = 'Host: one.localhost\r\n'
/** What must never arrive as a request of its own. */
const inner = `GET /smuggled HTTP/1.1\r\n${host}\r\n`
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`

/** Another header altogether: what follows a short length is another request. */
const otherName = 'Transfer_Encoding: chunked'

const codings = [
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: CHUNKED',
  'Transfer-Encoding:chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding:  chunked  ',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding: chunked;q=1',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: chunked,',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding: chunked\x0b',
  'Transfer-Encoding: chunked\0',
  'Transfer-Encoding: ch\xc3\xbcnked',
  'Transfer-Encoding:\r\n chunked',
  'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Transfer-Encoding : chunked',
  ' Transfer-Encoding: chunked',
  otherName,
  'X: y\nTransfer-Encoding: chunked',
  'X: y\rTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nConnection: transfer-encoding',
]
const lengths = [
  '+3',
  '-3',
  '0x3',
  '3.0',
  '3,3',
  '3, 4',
  '3;',
  '3 3',
  '',
  '1e1',
  '٣',
  '99999999999999999999',
  '3\r\nContent-Length: 3',
  '3\r\nContent-Length: 4',
  '3\r\n ',
]
const sizes = ['0x3', '+3', '-3', ' 3', '3 ', '3\t', 'g', '', '3;a=b', '3;a="\n"', '3;\0', 'fffffffffffffffff']
const heads: Readonly<Record<string, string>> = {
  'no host': 'GET /at HTTP/1.1\r\n\r\n',
  'an empty host': 'GET /at HTTP/1.1\r\nHost:\r\n\r\n',
  'two hosts': `GET /at HTTP/1.1\r\n${host}Host: two.localhost\r\n\r\n`,
  'the same host twice': `GET /at HTTP/1.1\r\n${host}${host}\r\n`,
  'two hosts in one line': 'GET /at HTTP/1.1\r\nHost: one.localhost, two.localhost\r\n\r\n',
  'a host with a path': 'GET /at HTTP/1.1\r\nHost: one.localhost/two\r\n\r\n',
  'a host with a user': 'GET /at HTTP/1.1\r\nHost: me@one.localhost\r\n\r\n',
  'a host with two ports': 'GET /at HTTP/1.1\r\nHost: one.localhost:80:80\r\n\r\n',
  'a host with a space': 'GET /at HTTP/1.1\r\nHost: one.localhost two.localhost\r\n\r\n',
  'a folded host': 'GET /at HTTP/1.1\r\nHost: one.localhost\r\n two.localhost\r\n\r\n',
  'another host in the target': `GET http://two.localhost/at HTTP/1.1\r\n${host}\r\n`,
  'a user in the target': `GET http://two.localhost@one.localhost/at HTTP/1.1\r\n${host}\r\n`,
  'a target in capitals': `GET HTTP://ONE.LOCALHOST/at HTTP/1.1\r\n${host}\r\n`,
  'a whole address by HTTP/1.0': `GET http://one.localhost/at HTTP/1.0\r\n${host}\r\n`,
  'another scheme': `GET ftp://one.localhost/at HTTP/1.1\r\n${host}\r\n`,
  'a target without a slash': `GET at HTTP/1.1\r\n${host}\r\n`,
  'a fragment': `GET /at#b HTTP/1.1\r\n${host}\r\n`,
  'a NUL in the target': `GET /a\0t HTTP/1.1\r\n${host}\r\n`,
  'a space in the target': `GET /a t HTTP/1.1\r\n${host}\r\n`,
  'bare line feeds': `GET /at HTTP/1.1\n${host.replace('\r', '')}\n`,
  'bare carriage returns': 'GET /at HTTP/1.1\rHost: one.localhost\r\r',
  'a carriage return in a value': `GET /at HTTP/1.1\r\n${host}X: a\rY: b\r\n\r\n`,
  'a NUL in a value': `GET /at HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`,
  'a NUL in a name': `GET /at HTTP/1.1\r\n${host}X\0: a\r\n\r\n`,
  'a folded value': `GET /at HTTP/1.1\r\n${host}X: a\r\n\tb\r\n\r\n`,
  'a folded first line': `GET /at HTTP/1.1\r\n X: a\r\n${host}\r\n`,
  'a space before the colon': `GET /at HTTP/1.1\r\nHost : one.localhost\r\n\r\n`,
  'a space in a name': `GET /at HTTP/1.1\r\n${host}X Y: b\r\n\r\n`,
  'a line without a colon': `GET /at HTTP/1.1\r\n${host}nothing\r\n\r\n`,
  'an empty name': `GET /at HTTP/1.1\r\n${host}: a\r\n\r\n`,
  'no version': 'GET /at\r\n\r\n',
  'HTTP/1.0 with chunks': `POST /at HTTP/1.0\r\n${host}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
  'HTTP/1.2': `GET /at HTTP/1.2\r\n${host}\r\n`,
  'HTTP/2.0': `GET /at HTTP/2.0\r\n${host}\r\n`,
  'HTTP/11.1': `GET /at HTTP/11.1\r\n${host}\r\n`,
  'http/1.1': `GET /at http/1.1\r\n${host}\r\n`,
  'two spaces in the first line': `GET  /at HTTP/1.1\r\n${host}\r\n`,
  'a tab in the first line': `GET\t/at HTTP/1.1\r\n${host}\r\n`,
  'an odd method': `G(T /at HTTP/1.1\r\n${host}\r\n`,
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'an upgrade to h2c': `GET /at HTTP/1.1\r\n${host}Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
  CONNECT: `CONNECT one.localhost:80 HTTP/1.1\r\n${host}\r\n`,
  'a length that hop-by-hop takes away': `POST /at HTTP/1.1\r\n${host}Connection: content-length\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
  'a host that hop-by-hop takes away': `GET /at HTTP/1.1\r\n${host}Connection: host\r\n\r\n`,
  'a body that is a request': `GET /at HTTP/1.1\r\n${host}Content-Length: ${inner.length}\r\n\r\n${inner}`,
  'a HEAD with a body': `HEAD /at HTTP/1.1\r\n${host}Content-Length: ${inner.length}\r\n\r\n${inner}`,
  'an expectation and a body': `POST /at HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
  'an expectation that nobody knows': `POST /at HTTP/1.1\r\n${host}Expect: x\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
  'a length in a trailer': `POST /at HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 50\r\nHost: two.localhost\r\n\r\n`,
  'a chunk ended by a line feed': `POST /at HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n`,
  'a chunk without an end': `POST /at HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1\r\nab0\r\n\r\n`,
  'chunk sizes ended by line feeds': `POST /at HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\n\r\n`,
}

const cases: readonly (readonly [string, string])[] = [
  ...Object.entries(heads),
  // The length says that all of it is one body, the chunks that they end before.
  ...codings.map((coding): [string, string] => {
    const body = `0\r\n\r\n${inner}`
    return [
      `${coding} and a length`,
      `POST /at HTTP/1.1\r\n${host}Content-Length: ${body.length}\r\n${coding}\r\n\r\n${body}`,
    ]
  }),
  // The chunks say that all of it is one body, the length that it ends before.
  ...codings
    .filter((coding) => coding !== otherName)
    .map((coding): [string, string] => {
      const body = `${chunk(inner)}0\r\n\r\n`
      return [
        `a short length and ${coding}`,
        `POST /at HTTP/1.1\r\n${host}${coding}\r\nContent-Length: 4\r\n\r\n${body}`,
      ]
    }),
  ...lengths.map((length): [string, string] => [
    `the length ${length}`,
    `POST /at HTTP/1.1\r\n${host}Content-Length: ${length}\r\n\r\nabc`,
  ]),
  ...sizes.map((size): [string, string] => [
    `the chunk size ${size}`,
    `POST /at HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${size}\r\nabc\r\n0\r\n\r\n`,
  ]),
]

t.test('whatever a client writes, an app gets one plain request or none', async (t) => {
  const u = await routerUnderTest(t, { headersTimeoutMs: 1_000, idleTimeoutMs: 1_500 })
  await u.start()
  const app = await strictBackend(t, 'one.localhost')
  const other = await strictBackend(t, 'two.localhost')
  await publish(u.router, routes('one', [app]), routes('two', [other]))
  const wrong: string[] = []
  let refused = 0
  const send = async ([name, bytes]: readonly [string, string]) => {
    const { reply } = await askRaw(u.httpPort, bytes, 1_500)
    const statuses = [...reply.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
    const [status] = statuses.filter((s) => s >= 200)
    if (reply.includes('/smuggled')) wrong.push(`${name}: the second request was answered`)
    if (status === undefined) wrong.push(`${name}: no answer`)
    else if (status >= 500) wrong.push(`${name}: ${status}`)
    else if (status >= 400) refused++
  }
  t.ok(cases.length >= 90, `${cases.length} cases`)
  for (let at = 0; at < cases.length; at += 24) {
    const good = Array.from({ length: 8 }, (_, n) => `/good-${at}-${n}`)
    const answers = good.map(async (path) => (await ask({ port: u.httpPort, host: 'one.localhost', path })).body)
    await Promise.all(cases.slice(at, at + 24).map(send))
    t.strictSame(await Promise.all(answers), good, 'everybody else gets their own answers')
  }
  t.strictSame(wrong, [])
  t.strictSame(app.faults, [], 'the app got plain requests only')
  t.ok(!app.targets.includes('/smuggled'), 'and no second one')
  t.strictSame(other.targets, [], 'nothing went to the app of another host')
  t.comment(`${refused} of ${cases.length} refused`)
  t.ok(refused > cases.length / 2)
})
