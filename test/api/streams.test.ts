// What stays open: log sessions, output streams and attached dynos, over real connections.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { WebSocket } from 'ws'
import { frames } from '../../server/api/attach-session.js'
import type { AttachGate, AttachedDyno } from '../../server/api/deps.js'
import { PlatformError } from '../../server/model/errors.js'
import { revokeAuthorization } from '../../server/store/accounts.js'
import { finishBuild, insertBuild } from '../../server/store/builds.js'
import { findOneOff, listLiveOneOffs } from '../../server/store/dynos.js'
import { moveReleaseCommand, settleRelease } from '../../server/store/releases.js'
import { type Person, startTestApi, type TestApi } from '../support/api.js'
import { waitFor } from '../support/database.js'

t.setTimeout(120_000)

type Overrides = Parameters<typeof startTestApi>[1]

interface World extends TestApi {
  readonly ann: Person
  readonly appId: string
  readonly port: number
  /** As over a network, with the port in the Host header. */
  ask(line: string, body?: unknown): ReturnType<TestApi['call']>
}

async function listen(t: { teardown(fn: () => unknown): unknown }, overrides: Overrides = {}): Promise<World> {
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
    ask: (line, body) => world.call(ann, line, body, { host: `127.0.0.1:${port}` }),
  }
}

/** Reads a streamed response until `enough` of its text says so, or to its end. */
async function readUntil(
  url: string,
  enough: (text: string) => boolean,
): Promise<{ text: string; ended: boolean; response: Response }> {
  const response = await fetch(url, { headers: { accept: 'text/event-stream' } })
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  while (reader) {
    const { done, value } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
    if (!enough(text)) continue
    await reader.cancel()
    return { text, ended: false, response }
  }
  return { text, ended: true, response }
}

const linesOf = (text: string) =>
  text.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice('data: '.length)] : []))

function say(world: World, text: string, dyno = 'web.1', source: 'app' | 'heroku' = 'app'): void {
  world.hub.append(world.appId, { at: new Date().toISOString(), source, dyno, text })
}

t.test('a log session gives the newest lines as events and ends', async (t) => {
  const world = await listen(t)
  for (let line = 1; line <= 5; line++) say(world, `line ${line}`)
  say(world, 'Listening on 1234', 'worker.1')
  say(world, 'State changed from starting to up', 'web.1', 'heroku')
  await world.hub.flush()
  const read = async (wish: object) => {
    const session = await world.ask('POST /apps/demo/log-sessions', wish)
    t.equal(session.status, 201)
    const { text, ended, response } = await readUntil(session.body.logplex_url, () => false)
    t.ok(ended)
    t.match(response.headers.get('content-type'), /^text\/event-stream/)
    return linesOf(text)
  }
  const all = await read({})
  t.equal(all.length, 8)
  t.match(all[1], /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00 app\[web\.1\]: line 1$/)
  t.equal((await read({ lines: 2, tail: false })).length, 2)
  t.strictSame((await read({ lines: 0 })).length, 0)
  t.equal((await read({ dyno: 'web' })).length, 6)
  t.equal((await read({ dyno: 'worker.1', source: null })).length, 1)
  t.match(await read({ source: 'heroku', lines: 99_999 }), [/heroku\[web\.1\]: State changed/])
})

t.test('a tail goes on with what comes, without gap or double, and ends with its client', async (t) => {
  const world = await listen(t)
  say(world, 'before')
  const session = await world.ask('POST /apps/demo/log-sessions', { lines: 1, tail: true })
  let said = 0
  const timer = setInterval(() => say(world, `tick ${++said}`), 2)
  t.teardown(() => clearInterval(timer))
  const { text } = await readUntil(session.body.logplex_url, (soFar) => soFar.includes('tick 40'))
  const ticks = linesOf(text)
    .map((line) => Number(/tick (\d+)$/.exec(line)?.[1] ?? 0))
    .filter((tick) => tick > 0)
  const [first = 0] = ticks
  t.strictSame(
    ticks,
    ticks.map((_, index) => first + index),
    'each tick once, in order',
  )
  clearInterval(timer)
  const quiet = await readUntil(session.body.logplex_url, (soFar) => soFar.includes(': \n\n'))
  t.ok(quiet.text.includes(': \n\n'), 'a comment keeps a quiet tail alive')
})

t.test('a reader who is slow loses lines, and is told how many', async (t) => {
  const world = await listen(t, { env: { PAAS_LOG_LINES_PER_SECOND: '1000000' } })
  const session = await world.ask('POST /apps/demo/log-sessions', { lines: 1, tail: true })
  const { pathname } = new URL(session.body.logplex_url)
  const socket = connect(world.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  await once(socket, 'readable')
  for (let line = 0; line < 3_000; line++) say(world, `${line} ${'x'.repeat(8_000)}`)
  await world.hub.flush()
  let text = ''
  socket.on('data', (chunk) => {
    text = (text + chunk.toString('latin1')).slice(-20_000)
  })
  await waitFor('the line that says what is missing', async () =>
    /Error L1[01] .* messages dropped/.test(text) ? true : undefined,
  )
  t.pass('told')
})

t.test('a tail ends when its token is revoked, and when its app is destroyed', async (t) => {
  const world = await listen(t)
  const bob = await world.person('bob@example.com')
  await world.call(bob, 'POST /apps', { name: 'bobs-app' })
  const host = { host: `127.0.0.1:${world.port}` }
  const bobs = (await world.call(bob, 'POST /apps/bobs-app/log-sessions', { tail: true }, host)).body.logplex_url
  const anns = (await world.ask('POST /apps/demo/log-sessions', { tail: true })).body.logplex_url
  const both = Promise.all([readUntil(bobs, () => false), readUntil(anns, () => false)])
  await waitFor('both tails', async () => ((await connections(world)) >= 2 ? true : undefined))
  await revokeAuthorization(world.db, bob.account.id, bob.authorizationId)
  await world.ask('DELETE /apps/demo')
  t.strictSame(
    (await both).map((r) => r.ended),
    [true, true],
  )
})

function connections(world: World): Promise<number> {
  return new Promise((resolve, reject) =>
    world.api.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )
}

t.test('an account has so many tails, and no more', async (t) => {
  const world = await listen(t, { env: { PAAS_LOG_TAILS_PER_ACCOUNT: '2' } })
  const urls: string[] = []
  for (let tail = 0; tail < 3; tail++)
    urls.push((await world.ask('POST /apps/demo/log-sessions', { tail: true })).body.logplex_url)
  const gone = new AbortController()
  const [first, second] = await Promise.all(urls.slice(0, 2).map((url) => fetch(url, { signal: gone.signal })))
  t.strictSame([first?.status, second?.status], [200, 200])
  const third = await fetch(urls[2] ?? '')
  t.match([third.status, await third.json()], [429, { id: 'rate_limit' }])
  t.equal((await world.ask('POST /apps/demo/log-sessions', { tail: true })).status, 429)
  t.equal((await world.ask('POST /apps/demo/log-sessions', { tail: false })).status, 201, 'a read is no tail')
  gone.abort()
  await waitFor('room for another', async () =>
    (await world.ask('POST /apps/demo/log-sessions', { tail: true })).status === 201 ? true : undefined,
  )
})

t.test('a log session is over after its time, and nobody invents one', async (t) => {
  const world = await listen(t, { timings: { logSessionMs: 0 } })
  const session = await world.ask('POST /apps/demo/log-sessions', {})
  for (const url of [session.body.logplex_url, session.body.logplex_url.replace(/\/[^/]+$/, '/invented.secret')]) {
    const response = await fetch(url)
    t.match([response.status, await response.json()], [404, { id: 'not_found', resource: 'session' }])
  }
})

t.test('closing the API ends tails at once', async (t) => {
  const world = await listen(t)
  const session = await world.ask('POST /apps/demo/log-sessions', { tail: true })
  const reading = readUntil(session.body.logplex_url, () => false).catch(() => 'cut')
  await waitFor('the tail', async () => ((await connections(world)) >= 1 ? true : undefined))
  const before = Date.now()
  await world.api.close()
  await reading
  t.ok(Date.now() - before < 5_000)
})

t.test("a build's output is read live from its start, and from its row afterwards", async (t) => {
  const world = await listen(t)
  const build = await insertBuild(world.db, {
    appId: world.appId,
    accountId: world.ann.account.id,
    commit: '',
    commitDescription: '',
  })
  const running = world.buildOutput.begin(world.appId)
  running.write('-----> Python\n')
  const url = (await world.ask(`GET /apps/demo/builds/${build.id}`)).body.output_stream_url
  const live = readUntil(url, () => false)
  const first = await readUntil(url, (text) => text.includes('Python'))
  t.notOk(first.ended, 'the first text comes while it is under way')
  running.write('       Installing\n')
  await finishBuild(world.db, build.id, {
    status: 'succeeded',
    output: '-----> Python\n       Installing\n-----> Done\n',
  })
  running.end()
  t.equal((await live).text, '-----> Python\n       Installing\n-----> Done\n')
  t.equal((await readUntil(url, () => false)).text, '-----> Python\n       Installing\n-----> Done\n')
})

t.test("a release command's output is read live, and from its row afterwards", async (t) => {
  const world = await listen(t)
  const release = await world.deploy(world.appId, {
    status: 'pending',
    processTypes: { web: 'serve', release: 'migrate' },
  })
  const url = (await world.ask(`GET /apps/demo/releases/${release.version}`)).body.output_stream_url
  const live = readUntil(url, () => false)
  await waitFor('the reader', async () => ((await connections(world)) >= 1 ? true : undefined))
  await waitFor('its first line', async () => {
    world.platform.releaseNews.publish(release.id, { kind: 'line', text: 'Applying 0001' })
    return true as const
  })
  await moveReleaseCommand(world.db, release.id, 'waiting', 'succeeded', 'Applying 0001\nApplying 0002\n')
  await settleRelease(world.db, release.id, { status: 'succeeded' })
  t.match((await live).text, /Applying 0002\n$/)
  t.equal((await readUntil(url, () => false)).text, 'Applying 0001\nApplying 0002\n')
})

/** A gate whose dynos are processes of this machine. */
function processGate(argv: readonly string[], sizes: string[] = []): AttachGate {
  return {
    open: async (): Promise<AttachedDyno> => {
      const [command = '', ...rest] = argv
      const child = spawn(command, rest)
      return {
        stdin: child.stdin,
        stdout: child.stdout,
        stderr: child.stderr,
        resize: async (columns, rows) => {
          sizes.push(`${columns}x${rows}`)
        },
        exitCode: once(child, 'exit').then(([code]) => Number(code ?? 137)),
        close: () => child.kill('SIGKILL'),
      }
    },
  }
}

interface Session {
  readonly socket: WebSocket
  readonly output: { stdout: Buffer; stderr: Buffer; exit: number | undefined; closeCode: number; reason: string }
  readonly closed: Promise<unknown>
  send(kind: number, body?: string | Buffer): void
}

async function attach(world: World, wish: object = {}): Promise<Session> {
  const dyno = await world.ask('POST /apps/demo/dynos', { command: 'bash', attach: true, ...wish })
  if (dyno.status !== 201) throw new Error(dyno.text)
  const socket = new WebSocket(dyno.body.attach_url)
  const output: Session['output'] = {
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
    exit: undefined,
    closeCode: 0,
    reason: '',
  }
  socket.on('message', (data: Buffer) => {
    const body = data.subarray(1)
    if (data[0] === frames.stdout) output.stdout = Buffer.concat([output.stdout, body])
    else if (data[0] === frames.stderr) output.stderr = Buffer.concat([output.stderr, body])
    else if (data[0] === frames.exit) output.exit = JSON.parse(body.toString()).code
  })
  const closed = once(socket, 'close').then(([code, reason]) => {
    output.closeCode = code
    output.reason = String(reason)
  })
  await once(socket, 'open')
  const send = (kind: number, body: string | Buffer = '') =>
    socket.send(Buffer.concat([Buffer.of(kind), Buffer.from(body)]))
  return { socket, output, closed, send }
}

t.test('an attached dyno has its input, both outputs, its size and its exit code', async (t) => {
  const sizes: string[] = []
  const world = await listen(t, {
    attach: processGate(['sh', '-c', 'read name; echo "hei $name"; echo oops >&2; exit 3'], sizes),
  })
  await world.deploy(world.appId)
  const session = await attach(world, { force_no_tty: true })
  session.send(frames.resize, '{"columns":120,"rows":40}')
  session.send(frames.resize, '{"columns":"wide"}')
  session.send(frames.resize, 'not json')
  session.send(frames.stdin, 'Ann\n')
  await session.closed
  t.match(session.output, { exit: 3, closeCode: 1000 })
  t.equal(session.output.stdout.toString(), 'hei Ann\n')
  t.equal(session.output.stderr.toString(), 'oops\n')
  t.strictSame(sizes, ['120x40'], 'what is no size is not passed on')
  t.match(await listLiveOneOffs(world.db, world.appId), [{ attached: true, tty: false, state: 'starting' }])
})

t.test('what is piped in comes out whole, and its end is told', async (t) => {
  const world = await listen(t, { attach: processGate(['cat']) })
  await world.deploy(world.appId)
  const session = await attach(world, { force_no_tty: true })
  const data = randomBytes(3_000_000)
  for (let at = 0; at < data.length; at += 500_000) session.send(frames.stdin, data.subarray(at, at + 500_000))
  session.send(frames.stdinEnd)
  await session.closed
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  t.equal(session.output.exit, 0)
  t.equal(digest(session.output.stdout), digest(data))
})

t.test('a client that goes takes its dyno with it', async (t) => {
  const world = await listen(t, { attach: processGate(['cat']) })
  await world.deploy(world.appId)
  const session = await attach(world)
  const [oneOff] = await listLiveOneOffs(world.db, world.appId)
  t.match(oneOff, { tty: true, state: 'starting' })
  session.socket.terminate()
  await waitFor('the one-off to be stopped', async () =>
    (await findOneOff(world.db, oneOff?.id ?? ''))?.state === 'stopping' ? true : undefined,
  )
  t.pass('stopped')
})

t.test('an attach URL is used once and in time', async (t) => {
  const world = await listen(t, { attach: processGate(['cat']), timings: { attachMs: 150 } })
  await world.deploy(world.appId)
  const refusal = async (url: string) => {
    const socket = new WebSocket(url)
    const [, response] = await once(socket, 'unexpected-response')
    return response.statusCode
  }
  const dyno = (await world.ask('POST /apps/demo/dynos', { command: 'bash', attach: true })).body
  t.match(dyno.attach_url, new RegExp(`^ws://127\\.0\\.0\\.1:${world.port}/attach/[\\w-]{43}$`))
  const plain = await fetch(dyno.attach_url.replace(/^ws/, 'http'))
  t.equal(plain.status, 404, 'asked for without a WebSocket')
  const socket = new WebSocket(dyno.attach_url)
  await once(socket, 'open')
  t.equal(await refusal(dyno.attach_url), 404, 'a second time')
  t.equal(await refusal(`ws://127.0.0.1:${world.port}/attach/invented`), 404)
  socket.terminate()

  const late = (await world.ask('POST /apps/demo/dynos', { command: 'bash', attach: true })).body
  await waitFor('the dyno that nobody attached to', async () =>
    (await findOneOff(world.db, late.id))?.state === 'stopping' ? true : undefined,
  )
  t.equal(await refusal(late.attach_url), 404, 'too late')
  const behindRouter = await world.call(
    world.ann,
    'POST /apps/demo/dynos',
    { command: 'ls', attach: true },
    {
      host: '127.0.0.1:5000',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'api.example.com',
    },
  )
  t.match(behindRouter.body.attach_url, /^wss:\/\/api\.example\.com\/attach\//)
})

t.test('a dyno that does not start says why', async (t) => {
  const world = await listen(t, {
    attach: { open: () => Promise.reject(new PlatformError('unavailable', 'run.1 did not start: no memory.')) },
  })
  await world.deploy(world.appId)
  const session = await attach(world)
  await session.closed
  t.match(session.output, { exit: undefined, closeCode: 1011, reason: 'run.1 did not start: no memory.' })
  t.match(await listLiveOneOffs(world.db, world.appId), [{ state: 'stopping' }])
})

t.test('a client that does not read holds its dyno instead of filling memory', async (t) => {
  let written = 0
  const stdout = new PassThrough()
  const world = await listen(t, {
    attach: {
      open: async () => ({
        stdin: new PassThrough(),
        stdout,
        stderr: new PassThrough().end(),
        resize: async () => {},
        exitCode: new Promise<number>(() => {}),
        close: () => stdout.destroy(),
      }),
    },
  })
  await world.deploy(world.appId)
  const session = await attach(world)
  session.socket.pause()
  const chunk = Buffer.alloc(64 * 1024, 120)
  const limit = 64 * 1024 * 1024
  // Writes as long as it is taken at once; what is held stays held for a whole second.
  let heldSince = 0
  await waitFor('the dyno to be held', async () => {
    while (!stdout.writableNeedDrain && written < limit) {
      stdout.write(chunk)
      written += chunk.length
      heldSince = Date.now()
    }
    return written >= limit || Date.now() - heldSince > 1_000 ? true : undefined
  })
  t.ok(written < limit, `held after ${Math.round(written / 1024 / 1024)} MB`)
  session.socket.terminate()
})

t.test('messages that are too large or not binary end the session', async (t) => {
  const world = await listen(t, { attach: processGate(['cat']) })
  await world.deploy(world.appId)
  const large = await attach(world)
  large.send(frames.stdin, Buffer.alloc(1024 * 1024 + 1))
  await large.closed
  t.equal(large.output.closeCode, 1009)
  const text = await attach(world)
  text.socket.send('hello')
  await text.closed
  t.equal(text.output.closeCode, 1003)
})

t.test('a client that answers no ping is let go', async (t) => {
  const world = await listen(t, { attach: processGate(['cat']), timings: { pingMs: 30 } })
  await world.deploy(world.appId)
  const dyno = (await world.ask('POST /apps/demo/dynos', { command: 'bash', attach: true })).body
  const alive = new WebSocket(
    (await world.ask('POST /apps/demo/dynos', { command: 'bash', attach: true })).body.attach_url,
  )
  await once(alive, 'open')
  const deaf = new WebSocket(dyno.attach_url, { autoPong: false })
  await once(deaf, 'close')
  t.equal(alive.readyState, WebSocket.OPEN)
  alive.terminate()
})

t.test('a body that does not come is not waited for', async (t) => {
  const world = await listen(t, { timings: { bodyMs: 50 } })
  const socket = connect(world.port, '127.0.0.1')
  const head = ['POST /apps HTTP/1.1', 'Host: 127.0.0.1', `Authorization: Bearer ${world.ann.token}`]
  socket.write(`${[...head, 'Content-Type: application/json', 'Content-Length: 20'].join('\r\n')}\r\n\r\n{`)
  socket.on('error', () => {})
  await once(socket, 'close')
  t.pass('the connection is cut')
})
