// Attached one-off dynos over real WebSockets; their dynos are processes of this machine.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { WebSocket } from 'ws'
import { frames } from '../../server/api/attach-websocket.js'
import type { AttachedDyno, AttachGate } from '../../server/api/deps.js'
import { PlatformError } from '../../server/model/errors.js'
import { findOneOff, listLiveOneOffs } from '../../server/store/dynos.js'
import { waitFor } from '../support/database.js'
import { type ListeningApi, listen } from '../support/listening-api.js'

t.setTimeout(120_000)

/** As `paas` asks. */
const asWebSocket = { 'paas-attach': 'websocket' }

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

async function attach(world: ListeningApi, wish: object = {}): Promise<Session> {
  const dyno = await world.ask('POST /apps/demo/dynos', { command: 'bash', attach: true, ...wish }, asWebSocket)
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
  const dyno = (await world.ask('POST /apps/demo/dynos', { command: 'bash', attach: true }, asWebSocket)).body
  t.match(dyno.attach_url, new RegExp(`^ws://127\\.0\\.0\\.1:${world.port}/attach/[\\w-]{43}$`))
  const plain = await fetch(dyno.attach_url.replace(/^ws/, 'http'))
  t.equal(plain.status, 404, 'asked for without a WebSocket')
  const socket = new WebSocket(dyno.attach_url)
  await once(socket, 'open')
  t.equal(await refusal(dyno.attach_url), 404, 'a second time')
  t.equal(await refusal(`ws://127.0.0.1:${world.port}/attach/invented`), 404)
  socket.terminate()

  const late = (await world.ask('POST /apps/demo/dynos', { command: 'bash', attach: true }, asWebSocket)).body
  await waitFor('the dyno that nobody attached to', async () =>
    (await findOneOff(world.db, late.id))?.state === 'stopping' ? true : undefined,
  )
  t.equal(await refusal(late.attach_url), 404, 'too late')
  const behindRouter = await world.call(
    world.ann,
    'POST /apps/demo/dynos',
    { command: 'ls', attach: true },
    {
      ...asWebSocket,
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
  const dyno = (await world.ask('POST /apps/demo/dynos', { command: 'bash', attach: true }, asWebSocket)).body
  const alive = new WebSocket(
    (await world.ask('POST /apps/demo/dynos', { command: 'bash', attach: true }, asWebSocket)).body.attach_url,
  )
  await once(alive, 'open')
  const deaf = new WebSocket(dyno.attach_url, { autoPong: false })
  await once(deaf, 'close')
  t.equal(alive.readyState, WebSocket.OPEN)
  alive.terminate()
})
