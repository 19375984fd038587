/** Every way a request can end badly: one code, one line in the log, the right status and page for the client. */
import { type ChildProcess, spawn } from 'node:child_process'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { RouteState } from '../../server/model/route-table.js'
import { type AccessEntry, formatAccessLine } from '../../server/router/access-log.js'
import { type Answer, type Ask, type Backend, ask, httpApp, publish, rawApp, routes } from './backends.js'
import { freePorts, routerUnderTest, until } from './haproxy-container.js'

t.setTimeout(180_000)

const u = await routerUnderTest(t, {
  connectTimeoutMs: 500,
  firstByteTimeoutMs: 700,
  idleTimeoutMs: 900,
  headersTimeoutMs: 700,
})
await u.start()
const { router, httpPort: port } = u

const log: AccessEntry[] = []
const logging = new AbortController()
const logged = router.followAccessLog((entry) => log.push(entry), logging.signal)
t.teardown(async () => {
  logging.abort()
  await logged
})

/** The one line that a request left. */
async function lineOf(path: string): Promise<AccessEntry> {
  const lines = () => log.filter((entry) => entry.path === path)
  await until(`${path} is logged`, () => lines().length > 0)
  const [line, ...more] = lines()
  if (line === undefined || more.length > 0) throw new Error(`${path} has ${lines().length} lines`)
  return line
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const partial = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart'
const switching =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'
const app = await rawApp(t, (socket, head) => {
  const path = head.split(' ')[1] ?? ''
  if (path.startsWith('/hang')) return
  if (path.startsWith('/close')) socket.end()
  else if (path.startsWith('/reset')) socket.resetAndDestroy()
  else if (path.startsWith('/junk')) socket.end('once upon a time\r\n\r\n')
  else if (path.startsWith('/stall')) socket.write(partial)
  else if (path.startsWith('/cut')) socket.write(partial, () => setTimeout(() => socket.resetAndDestroy(), 50))
  else if (path.startsWith('/socket')) socket.write(switching)
  else if (path.startsWith('/own-504')) socket.write(ok.replace('200 OK', '504 Mine'))
  else socket.write(ok)
})

/** Asks and forgives a broken answer. */
async function attempt(path: string, more: Partial<Ask> = {}): Promise<Answer | undefined> {
  return ask({ port, host: 'one.localhost', path, ...more }).catch(() => undefined)
}

t.test('a request that went well is logged as Heroku logs it', async (t) => {
  await publish(router, routes('one', [app]))
  t.match(await attempt('/fine?a=1'), { status: 200 })
  const entry = await lineOf('/fine?a=1')
  t.match(entry, {
    appId: 'id-one',
    appName: 'one',
    dyno: 'web.1',
    status: 200,
    protocol: 'http',
    tlsVersion: '',
    host: 'one.localhost',
  })
  t.equal(entry.code, undefined)
  t.ok(Math.abs(entry.at.getTime() - Date.now()) < 5000)
  t.match(
    formatAccessLine(entry),
    /^at=info method=GET path="\/fine\?a=1" host=one\.localhost request_id=[0-9a-f-]{36} fwd="127\.0\.0\.1" dyno=web\.1 connect=\d+ms service=\d+ms status=200 bytes=\d+ protocol=http$/,
  )
  t.match(await attempt('/own-504'), { status: 504, body: 'ok' }, "an app's own 504 passes")
  t.match(await lineOf('/own-504'), { status: 504, code: undefined })
})

t.test('each failure between router and dyno has its code', async (t) => {
  await publish(router, routes('one', [app]))
  const cases: [path: string, code: string, status: number | undefined, more?: Partial<Ask>][] = [
    ['/hang', 'H12', 503],
    ['/hang-post', 'H12', 503, { method: 'POST', body: 'x' }],
    ['/close', 'H13', 503],
    ['/close-post', 'H13', 503, { method: 'POST', body: 'x' }],
    ['/reset', 'H13', 503],
    ['/junk', 'H17', 503],
    ['/cut', 'H18', undefined],
    ['/stall', 'H15', undefined],
  ]
  await Promise.all(
    cases.map(async ([path, code, status, more]) => {
      const answer = await attempt(path, more)
      t.equal(answer?.status, status, `${path} → ${status ?? 'cut off'}`)
      if (answer) t.match(answer.body, new RegExp(`Code ${code} `), `${path} says ${code}`)
      t.match(await lineOf(path), { code, status: 503, dyno: 'web.1', appId: 'id-one' }, `${path} is logged as ${code}`)
    }),
  )
})

t.test('each state without a dyno has its code', async (t) => {
  const states: [RouteState, string | undefined, number][] = [
    ['crashed', 'H10', 503],
    ['no-web', 'H14', 503],
    ['booting', 'H20', 503],
    ['maintenance', 'H80', 503],
    ['no-release', undefined, 404],
  ]
  await publish(router, ...states.map(([state]) => routes(state, [], state)))
  for (const [state, code, status] of states) {
    await ask({ port, host: `${state}.localhost`, path: `/${state}` })
    t.match(await lineOf(`/${state}`), {
      code,
      status,
      dyno: '',
      appId: `id-${state}`,
      connectMs: undefined,
      serviceMs: undefined,
    })
  }
  t.match(formatAccessLine(await lineOf('/maintenance')), /^at=info code=H80 desc="Maintenance mode" method=GET path=/)
  await ask({ port, host: 'nobody.localhost', path: '/nobody' })
  t.match(
    await lineOf('/nobody'),
    { code: undefined, status: 404, appId: '' },
    'an unknown host is in no log of an app',
  )
})

t.test('a dyno that refuses is H21 at first, then known to be down: H10, at once', async (t) => {
  const [closed = 0] = await freePorts(1)
  await publish(router, routes('one', [{ address: '127.0.0.1', port: closed } as Backend]))
  t.match(await attempt('/refused'), { status: 503, body: /Code H21 / })
  t.match(await lineOf('/refused'), { code: 'H21', status: 503, dyno: 'web.1' })
  let n = 0
  const last = async () => (await attempt(`/down-${++n}`))?.body ?? ''
  await until('the router knows by itself', async () => /Code H10 /.test(await last()), 8000)
  const started = Date.now()
  t.match(await attempt('/known-down'), { status: 503, body: /has crashed/ })
  t.ok(Date.now() - started < 1000, 'nobody waits for a dyno that is down')
  t.match(await lineOf('/known-down'), { code: 'H10', dyno: '' })
  const back = await httpApp(t, (_, response) => response.end('back'))
  await publish(router, routes('one', [back]))
  t.match(await attempt('/back'), { status: 200, body: 'back' })
})

t.test('a dyno that does not take the connection is H19', async (t) => {
  const { port: full, stop } = await deafServer()
  t.teardown(stop)
  await publish(router, routes('one', [{ address: '127.0.0.1', port: full } as Backend]))
  t.match(await attempt('/deaf'), { status: 503, body: /Code H19 / })
  t.match(await lineOf('/deaf'), { code: 'H19', status: 503, dyno: 'web.1' })
})

t.test('a client that leaves is H27, one that says nothing more is H28', async (t) => {
  await publish(router, routes('one', [app]))
  for (const path of ['/hang-27', '/stall-27']) {
    const leaving = new AbortController()
    const asked = attempt(path, { signal: leaving.signal })
    await delay(200)
    leaving.abort()
    await asked
    const entry = await lineOf(path)
    t.match(entry, { code: 'H27', status: 499, dyno: 'web.1' }, path)
    t.match(formatAccessLine(entry), /^sock=client at=warning code=H27 desc="Client Request Interrupted" method=GET/)
  }
  const socket = net
    .connect(port, '127.0.0.1', () => {
      socket.write('POST /hang-28 HTTP/1.1\r\nHost: one.localhost\r\nContent-Length: 10\r\n\r\nabc')
    })
    .on('error', () => {})
  let reply = ''
  socket.on('data', (part: Buffer) => {
    reply += part
  })
  t.match(await lineOf('/hang-28'), { code: 'H28', status: 499 })
  t.match(reply, /^HTTP\/1\.1 408 /)
  socket.destroy()
})

t.test('a websocket that idles out is H15, one that ends is fine', async (t) => {
  await publish(router, routes('one', [app]))
  const upgrade = (path: string) =>
    `GET ${path} HTTP/1.1\r\nHost: one.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`
  const idle = net.connect(port, '127.0.0.1', () => idle.write(upgrade('/socket-idle'))).on('error', () => {})
  t.match(await lineOf('/socket-idle'), { code: 'H15', status: 503 })
  idle.destroy()
  const brief = net.connect(port, '127.0.0.1', () => brief.write(upgrade('/socket-brief'))).on('error', () => {})
  brief.once('data', () => brief.end())
  t.match(await lineOf('/socket-brief'), { code: undefined, status: 101 })
  brief.destroy()
})

t.test('no line is lost while nobody listens', async (t) => {
  const quick = await httpApp(t, (_, response) => response.end('ok'))
  await publish(router, routes('one', [quick]))
  logging.abort()
  await logged
  for (let i = 0; i < 300; i++) await attempt(`/unheard-${i}`)
  const heard: string[] = []
  const again = new AbortController()
  const following = u.another().followAccessLog((entry) => heard.push(entry.path), again.signal)
  await until('all lines have come', () => heard.length >= 300).catch(() => {})
  again.abort()
  await following
  const number = (path: string) => Number(path.split('-')[1])
  t.strictSame(
    heard.sort((a, b) => number(a) - number(b)),
    Array.from({ length: 300 }, (_, i) => `/unheard-${i}`),
  )
})

/** A server whose queue of connections is full and stays so: what it is sent, it never answers. */
async function deafServer(): Promise<{ port: number; stop: () => void }> {
  const script = `const s = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('fs').writeSync(1, s.address().port + '\\n'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) })`
  const child: ChildProcess = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<number>((resolve) =>
    child.stdout?.once('data', (text: Buffer) => resolve(Number(text))),
  )
  const fillers = Array.from({ length: 6 }, () => net.connect(port, '127.0.0.1').on('error', () => {}))
  await delay(100)
  return {
    port,
    stop: () => {
      for (const filler of fillers) filler.destroy()
      child.kill('SIGKILL')
    },
  }
}
