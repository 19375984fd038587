/** From HAProxy's line to Heroku's. */
import fc from 'fast-check'
import t from 'tap'
import { cleanLines } from '../../../server/logs/log-line.js'
import { appIdOfRecord, formatAccessLine, isRecord, parseAccessLine } from '../../../server/router/access-log.js'
import { createFrameReader, parseClientless } from '../../../server/router/log-socket.js'

const line = {
  at: 1795417322825,
  app: 'up:0b5c:hello',
  code: '',
  server: 'web.1_3f2a9c',
  method: 'GET',
  path: '/a',
  query: '?b=#22c#22',
  host: 'hello.localhost',
  id: 'cce03622-51dc-43e9-98cf-ad05dca264eb',
  fwd: '1.2.3.4, 127.0.0.1',
  tls: '-',
  receive: 1,
  wait: 2,
  connect: 3,
  data: 10,
  total: 56,
  status: 200,
  bytes: 123,
  end: '--',
}
const parse = (change: object) => parseAccessLine(JSON.stringify({ ...line, ...change }), 55_000)

t.test('a line becomes an entry, and the entry Heroku’s line', (t) => {
  const entry = parse({})
  t.strictSame(entry, {
    at: new Date(1795417322825),
    appId: '0b5c',
    appName: 'hello',
    method: 'GET',
    path: '/a?b=#22c#22',
    host: 'hello.localhost',
    requestId: 'cce03622-51dc-43e9-98cf-ad05dca264eb',
    fwd: '1.2.3.4, 127.0.0.1',
    dyno: 'web.1',
    connectMs: 3,
    serviceMs: 50,
    status: 200,
    bytes: 123,
    protocol: 'http',
    tlsVersion: '',
    isSample: false,
  })
  if (entry === undefined) return t.end()
  t.equal(
    formatAccessLine(entry),
    'at=info method=GET path="/a?b=#22c#22" host=hello.localhost request_id=cce03622-51dc-43e9-98cf-ad05dca264eb fwd="1.2.3.4, 127.0.0.1" dyno=web.1 connect=3ms service=50ms status=200 bytes=123 protocol=http',
  )
  t.equal(
    formatAccessLine({
      ...entry,
      path: '/"\nat=error',
      fwd: '"x"',
      connectMs: undefined,
      serviceMs: undefined,
      dyno: '',
    }),
    'at=info method=GET path="/#22#0Aat=error" host=hello.localhost request_id=cce03622-51dc-43e9-98cf-ad05dca264eb fwd="#22x#22" dyno= connect= service= status=200 bytes=123 protocol=http',
  )
  t.match(parse({ tls: 'TLSv1.3' }), { protocol: 'https', tlsVersion: 'TLSv1.3' })
  t.match(
    parse({ app: 'up:-:-', server: 'control_plane' }),
    { appId: '', appName: '', dyno: '' },
    'the platform is no app',
  )
  t.match(parse({ app: '' }), { appId: '' })
  t.match(parse({ sample: 1 }), { isSample: true })
  t.equal(parseAccessLine('public/1: SSL handshake failure', 55_000), undefined)
  t.equal(parseAccessLine('', 55_000), undefined)
  t.end()
})

t.test('control characters, which HAProxy writes as they are, cost no line', (t) => {
  const record = JSON.stringify({ ...line, fwd: 'FWD' })
  for (const odd of ['a\tb', 'a\x1b[2Jb', 'a\x07', '\x01\x02\x7f\x80\x9b'])
    t.equal(parseAccessLine(record.replace('FWD', odd), 55_000)?.fwd, odd, JSON.stringify(odd))
  t.end()
})

t.test('of a long X-Forwarded-For the address that the router saw is kept', (t) => {
  const long = 'a'.repeat(2048)
  t.equal(parse({ fwd: long, client: '10.0.0.7' })?.fwd, `${long}…, 10.0.0.7`)
  t.equal(parse({ fwd: '1.2.3.4, 10.0.0.7', client: '10.0.0.7' })?.fwd, '1.2.3.4, 10.0.0.7')
  t.equal(parse({ fwd: '', client: '::1' })?.fwd, '::1')
  t.equal(parse({ fwd: long, client: 'unix:1' })?.fwd, long)
  const entry = parse({ fwd: '"'.repeat(2048), client: '10.0.0.7' })
  t.match(entry && formatAccessLine(entry), /fwd="(#22)+#?2?….{0,60}, 10\.0\.0\.7" dyno=/)
  t.end()
})

t.test('a record that is cut is told from what is no record, and names its app as far as it goes', (t) => {
  const record = JSON.stringify(line)
  for (const cut of [80, 200, record.length - 1]) {
    t.equal(parseAccessLine(record.slice(0, cut), 55_000), undefined)
    t.ok(isRecord(record.slice(0, cut)))
    t.equal(appIdOfRecord(record.slice(0, cut)), '0b5c')
  }
  t.equal(appIdOfRecord('{"at": 1795749786512, "app": "up:0b5c:hello", "code": ""'), '0b5c', "with HAProxy's spaces")
  t.equal(appIdOfRecord('{"at":1,"app":"","fwd":"app\\": \\"up:0b5c:hello'), undefined)
  t.notOk(isRecord('public/1: SSL handshake failure'))
  t.end()
})

t.test('whatever a client sends, its request is one line, whose values end where they end', (t) => {
  const odd = fc.string({
    unit: fc.oneof(
      fc.constantFrom('"', '\\', '\n', '\r', '\t', '\x1b', '\x9b', '\u202e', '\u2028', ' at=error code=H12'),
      fc.string({ unit: 'binary', maxLength: 1 }),
    ),
  })
  const value = fc.oneof(
    odd,
    fc.tuple(odd, fc.integer({ min: 0, max: 12_000 })).map(([text, count]) => text.repeat(200).slice(0, count)),
  )
  const form =
    /^at=info method=[^ "\\]{0,64} path="([^"\\]*)" host=[^ "\\]{0,255} request_id=\S+ fwd="([^"\\]*)" dyno=web\.1 connect=3ms service=50ms status=200 bytes=123 protocol=http$/
  const entry = parse({})
  if (entry === undefined) return t.fail('the plain line')
  fc.assert(
    fc.property(value, value, value, value, (method, path, host, fwd) => {
      const text = formatAccessLine({ ...entry, method, path, host, fwd })
      const kept = cleanLines({ at: entry.at.toISOString(), source: 'heroku', dyno: 'router', text }, () => '')
      return form.test(text) && kept.length === 1 && !/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u.test(text)
    }),
    { numRuns: 500 },
  )
  const forged = `${'a'.repeat(9_800)} at=error code=H12 desc="Request timeout" status=503`
  t.ok(Buffer.byteLength(formatAccessLine({ ...entry, fwd: forged, path: forged })) < 9_000)
  t.equal(
    /fwd="[^"]*"/.exec(formatAccessLine({ ...entry, fwd: '\x9b2J\u202eevil\u2066 שלום 👩‍💻 é' }))?.[0],
    'fwd="#9B2J#202Eevil#2066 שלום 👩‍💻 é"',
    'what a terminal obeys is written out; letters and emoji stay',
  )
  t.end()
})

t.test('how a request ended decides its code', (t) => {
  const cases: [change: object, code: string | undefined, status: number, at: string][] = [
    [{ end: '--' }, undefined, 200, 'at=info method'],
    [{ end: '--', status: 504 }, undefined, 504, 'at=info method'],
    [{ end: 'LR', status: 404 }, undefined, 404, 'at=info method'],
    [{ end: 'LR', code: 'H10', status: 503 }, 'H10', 503, 'at=error code=H10 desc="App crashed"'],
    [{ end: 'SC', server: '<NOSRV>', status: 503 }, 'H10', 503, 'at=error code=H10'],
    [{ end: 'sH', status: 504 }, 'H12', 503, 'at=error code=H12 desc="Request timeout"'],
    [{ end: 'SH', status: 502 }, 'H13', 503, 'at=error code=H13 desc="Connection closed without response"'],
    [{ end: 'LR', code: 'H14', status: 503 }, 'H14', 503, 'at=error code=H14 desc="No web processes running"'],
    [{ end: 'sD' }, 'H15', 503, 'at=error code=H15 desc="Idle connection"'],
    [{ end: 'CD', data: 55_001 }, 'H15', 503, 'at=error code=H15'],
    [{ end: 'cD', status: 101 }, 'H15', 503, 'at=error code=H15'],
    [{ end: '--', status: 101 }, undefined, 101, 'at=info method'],
    [{ end: 'PH', status: 502 }, 'H17', 503, 'at=error code=H17 desc="Poorly formatted HTTP response"'],
    [{ end: 'SD' }, 'H18', 503, 'sock=backend at=error code=H18 desc="Server Request Interrupted"'],
    [{ end: 'sC', status: 503 }, 'H19', 503, 'at=error code=H19 desc="Backend connection timeout"'],
    [{ end: 'LR', code: 'H20', status: 503 }, 'H20', 503, 'at=error code=H20 desc="App boot timeout"'],
    [{ end: 'SC', status: 503 }, 'H21', 503, 'at=error code=H21 desc="Backend connection refused"'],
    [{ end: 'CH', status: 400 }, 'H27', 499, 'sock=client at=warning code=H27 desc="Client Request Interrupted"'],
    [{ end: 'CD', data: 10_000 }, 'H27', 499, 'sock=client at=warning code=H27'],
    [{ end: 'CD', data: 90_000 }, 'H27', 499, 'sock=client at=warning code=H27'],
    [{ end: 'CC', status: -1 }, 'H27', 499, 'sock=client at=warning code=H27'],
    [{ end: 'cH', status: 400 }, 'H28', 499, 'sock=client at=warning code=H28 desc="Client Connection Idle"'],
    [{ end: 'LR', code: 'H80', status: 503 }, 'H80', 503, 'at=info code=H80 desc="Maintenance mode"'],
    [{ end: 'LR', code: 'H31', app: '', status: 421 }, 'H31', 421, 'at=warning code=H31 desc="Misdirected Request"'],
    [{ end: 'IH', status: 500 }, 'H99', 503, 'at=error code=H99 desc="Platform error"'],
    [{ end: 'RC', status: 503 }, 'H99', 503, 'at=error code=H99'],
    [{ end: 'SC', app: 'up:-:-', status: 503 }, undefined, 503, 'at=info method'],
    [{ end: 'cR', app: '', status: 408 }, undefined, 408, 'at=info method'],
  ]
  for (const [change, code, status, at] of cases) {
    const entry = parse(change)
    t.match(entry, { code, status }, `${JSON.stringify(change)} → ${code ?? 'no code'}`)
    t.ok(entry !== undefined && formatAccessLine(entry).startsWith(at), at)
  }
  t.end()
})

t.test('lines are cut out of the stream wherever it is broken', (t) => {
  const lines = ['{"a":1}', 'é and a space', 'x'.repeat(300), '12 34']
  const stream = Buffer.from(lines.map((text) => `${Buffer.byteLength(text)} ${text}`).join(''))
  for (let cut = 0; cut <= stream.length; cut++) {
    const heard: string[] = []
    const read = createFrameReader((text) => heard.push(text))
    read(stream.subarray(0, cut))
    read(stream.subarray(cut))
    if (heard.join('|') !== lines.join('|')) t.fail(`cut at ${cut}: ${heard.join('|')}`)
  }
  const bytewise: string[] = []
  const read = createFrameReader((text) => bytewise.push(text))
  for (const byte of stream) read(Buffer.from([byte]))
  t.strictSame(bytewise, lines)
  for (const wrong of ['hello world', '-1 x', '99999999 x', ' x', 'aaaaaaaaaa'])
    t.throws(() => createFrameReader(() => {})(Buffer.from(wrong)), /out of frame/, wrong)
  t.end()
})

t.test('a log connection is told from a client’s', (t) => {
  const reply = `0x7f1: proto=? ts=00 epoch=0 age=2s calls=1
0x7f2: proto=tcpv4 src=127.0.0.1:4 fe=public be=slot_0
0x7f3: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE>
`
  t.strictSame(parseClientless(reply), ['0x7f1'])
  t.end()
})
