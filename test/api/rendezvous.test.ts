// Goal: Heroku's command line attaches to one-off dynos by its own protocol, and a client that doesn't keep to it gets nothing.
// Method: raw TLS connections to a real listener with a certificate of a real development CA; dynos are processes of this
// machine.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import tls, { type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import type { AttachedDyno, AttachGate } from '../../server/api/deps.js'
import { loadConfig } from '../../server/config.js'
import { PlatformError } from '../../server/model/errors.js'
import { prepareRendezvous } from '../../server/rendezvous-options.js'
import { findOneOff, listLiveOneOffs } from '../../server/store/dynos.js'
import { waitFor } from '../support/database.js'
import { type ListeningApi, listen } from '../support/listening-api.js'

t.setTimeout(120_000)

const mark = '\uFFFF heroku-command-exit-status: '

let dataDir: string
let ca: string
let options: NonNullable<Awaited<ReturnType<typeof prepareRendezvous>>>

t.before(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'rendezvous-test-'))
  const config = loadConfig({ PAAS_DATA_DIR: dataDir, PAAS_DOMAIN: 'apps.example.com' })
  const prepared = await prepareRendezvous(config)
  if (!prepared) throw new Error('the default settings want a rendezvous')
  options = { ...prepared, port: 0 }
  ca = await readFile(path.join(dataDir, 'ca', 'ca.pem'), 'utf8')
})
t.teardown(() => rm(dataDir, { recursive: true, force: true }))

/** A gate whose dynos run their command with this machine's shell. */
function shells(sizes: string[] = []): AttachGate {
  return {
    open: async (oneOff): Promise<AttachedDyno> => {
      const child = spawn('bash', ['-c', oneOff.command])
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

async function start(t: Test, attach: AttachGate = shells(), rendezvousLineMs = 10_000): Promise<ListeningApi> {
  const world = await listen(t, { attach, rendezvous: options, timings: { attachMs: 20_000, rendezvousLineMs } })
  await world.deploy(world.appId)
  return world
}

/** An attached dyno's id and address. */
async function create(world: ListeningApi, command: string, wish: object = {}): Promise<{ id: string; url: URL }> {
  const dyno = await world.ask('POST /apps/demo/dynos', { command, attach: true, ...wish })
  if (dyno.status !== 201) throw new Error(dyno.text)
  return { id: dyno.body.id, url: new URL(dyno.body.attach_url) }
}

interface Client {
  readonly socket: TLSSocket
  /** Each piece as it came. */
  readonly pieces: Buffer[]
  readonly closed: Promise<unknown>
  /** All after the greeting. */
  output(): string
}

/** However it ends. */
function closeOf(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** As Heroku's client connects. */
function connect(url: URL, firstLine = `${url.pathname.slice(1)}\r\n`): Client {
  const socket = tls.connect(Number(url.port), url.hostname, { ca })
  const pieces: Buffer[] = []
  socket.on('error', () => {})
  socket.on('connect', () => socket.write(firstLine))
  socket.on('data', (piece: Buffer) => pieces.push(piece))
  return {
    socket,
    pieces,
    closed: closeOf(socket),
    output: () => Buffer.concat(pieces.slice(1)).toString('utf8'),
  }
}

async function run(world: ListeningApi, command: string, wish: object = {}, input?: string): Promise<Client> {
  const client = connect((await create(world, command, wish)).url)
  if (input !== undefined) {
    await once(client.socket, 'data')
    client.socket.write(input)
    client.socket.write('\x04')
  }
  await client.closed
  return client
}

const isStopping = (world: ListeningApi, id: string) =>
  waitFor('the one-off to be stopped', async () =>
    (await findOneOff(world.db, id))?.state === 'stopping' ? true : undefined,
  )

t.test('a greeting comes first and alone, then output and input as they are', async (t) => {
  const world = await start(t)
  const { url } = await create(world, 'echo; read name; echo "hei $name"; echo oops >&2', { force_no_tty: true })
  t.match(url.href, /^rendezvous:\/\/localhost:\d+\/[\w-]{43}$/)
  const client = connect(url)
  await once(client.socket, 'secureConnect')
  t.ok(client.socket.authorized, 'its certificate is trusted with the CA')
  await once(client.socket, 'data')
  t.equal(client.pieces[0]?.toString(), 'rendezvous\r\n')
  client.socket.write('Ann\n')
  await client.closed
  t.match(client.output(), /^\n/)
  t.match(client.output(), 'hei Ann\n')
  t.match(client.output(), 'oops\n')
  t.notMatch(client.output(), mark, 'an exit status that nobody asked for')
})

t.test('what follows the first line at once is input, and a byte for the end of it ends it', async (t) => {
  const world = await start(t)
  const { url } = await create(world, 'cat; echo end', { force_no_tty: true })
  const client = connect(url, `${url.pathname.slice(1)}\nearly\n`)
  await once(client.socket, 'data')
  client.socket.write('late\n')
  client.socket.write('\x04')
  await client.closed
  t.equal(client.output(), 'early\nlate\nend\n')
})

t.test('a terminal has the size of its environment and makes its own end of the input', async (t) => {
  const sizes: string[] = []
  const world = await start(t, shells(sizes))
  const client = await run(
    world,
    'head -c 4 | od -An -tx1',
    { env: { COLUMNS: 120, LINES: '40', TERM: 'xterm' } },
    'abc',
  )
  t.equal(client.output().trim(), '61 62 63 04')
  t.strictSame(sizes, ['120x40'])
  await run(world, 'true', { env: { COLUMNS: 'wide', LINES: '0' } })
  t.equal(sizes.length, 1, 'what is no size is left')
})

t.test('much that is piped in comes out whole', async (t) => {
  const world = await start(t)
  const data = randomBytes(3_000_000).toString('hex')
  const client = await run(world, 'cat', { force_no_tty: true }, data)
  const digest = (text: string) => createHash('sha256').update(text).digest('hex')
  t.equal(digest(client.output()), digest(data))
})

t.test('the exit status comes in one piece, whatever is around it, and always', async (t) => {
  const world = await start(t)
  const statusOf = async (command: string) => {
    const client = await run(world, `${command}; echo "${mark}$?"`)
    const lines = client.pieces.filter((piece) => piece.toString('utf8').includes(mark))
    t.equal(lines.length, 1, `one status of ${command}`)
    t.match(lines[0]?.toString('utf8'), /^\uFFFF heroku-command-exit-status: \d+\n$/, 'alone in its piece')
    return { status: Number(/(\d+)\n$/.exec(lines[0]?.toString('utf8') ?? '')?.[1]), client }
  }
  t.equal((await statusOf('true')).status, 0)
  t.equal((await statusOf('(exit 7)')).status, 7)
  t.equal((await statusOf('exit 5')).status, 5, 'the shell has ended before it could say so')
  t.equal((await statusOf('kill -9 $$')).status, 137)
  const long = await statusOf('head -c 40000 /dev/zero | tr "\\0" x; (exit 3)')
  t.equal(long.status, 3)
  t.match(long.client.output(), /^x{40000}\uFFFF/)
})

t.test('a secret is used once, at either transport, and an unknown one is cut without a word', async (t) => {
  const world = await start(t)
  const { url } = await create(world, 'cat')
  const first = connect(url)
  await once(first.socket, 'data')
  const websocket = new WebSocket(`ws://127.0.0.1:${world.port}/attach${url.pathname}`)
  const [, response] = await once(websocket, 'unexpected-response')
  t.equal(response.statusCode, 404)
  for (const line of [undefined, 'invented\r\n', '\r\n', 'GET / HTTP/1.1\r\n']) {
    const other = connect(url, line)
    await other.closed
    t.strictSame(other.pieces, [], JSON.stringify(line ?? 'a second time'))
  }
  t.notOk(first.socket.destroyed, 'the first goes on')
  first.socket.destroy()
})

t.test('a first line that is late or too long ends the connection', async (t) => {
  const world = await start(t, shells(), 200)
  const { url, id } = await create(world, 'cat')
  const silent = connect(url, '')
  const slow = connect(url, url.pathname.slice(1, 20))
  const plain = net.connect(Number(url.port), '127.0.0.1')
  plain.on('error', () => {})
  await Promise.all([silent.closed, slow.closed, closeOf(plain)])
  const long = connect(url, `${'a'.repeat(300)}\r\n`)
  const endless = connect(url, 'a'.repeat(100_000))
  await Promise.all([long.closed, endless.closed])
  t.strictSame(
    [silent, slow, long, endless].flatMap((client) => client.pieces),
    [],
  )
  t.equal((await findOneOff(world.db, id))?.state, 'starting', 'the ticket is still good')
  const last = connect(url)
  await once(last.socket, 'data')
  await new Promise((resolve) => setTimeout(resolve, 400))
  t.notOk(last.socket.destroyed, 'the deadline was for the first line')
  last.socket.destroy()
})

t.test('a client that goes takes its dyno with it', async (t) => {
  const world = await start(t)
  for (const leave of ['destroy', 'end'] as const) {
    const { url, id } = await create(world, 'cat')
    const client = connect(url)
    await once(client.socket, 'data')
    client.socket[leave]()
    await isStopping(world, id)
  }
  t.pass('stopped')
})

t.test('a dyno that does not start says why, with a status for who asked for one', async (t) => {
  const world = await start(t, {
    open: () => Promise.reject(new PlatformError('unavailable', 'run.1 did not start: no memory.')),
  })
  const client = await run(world, `ls; echo "${mark}$?"`)
  t.equal(client.output(), `run.1 did not start: no memory.\r\n${mark}1\n`)
  t.match(await listLiveOneOffs(world.db, world.appId), [{ state: 'stopping' }])
})

t.test('a client that does not read holds its dyno instead of filling memory', async (t) => {
  let written = 0
  const stdout = new PassThrough()
  const world = await start(t, {
    open: async () => ({
      stdin: new PassThrough(),
      stdout,
      stderr: new PassThrough().end(),
      resize: async () => {},
      exitCode: new Promise<number>(() => {}),
      close: () => stdout.destroy(),
    }),
  })
  const client = connect((await create(world, 'cat')).url)
  await once(client.socket, 'data')
  client.socket.pause()
  const chunk = Buffer.alloc(64 * 1024, 120)
  const limit = 64 * 1024 * 1024
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
  client.socket.destroy()
})

t.test('the address is at the host that was asked, with a certificate for it', async (t) => {
  const world = await start(t)
  const headers = { host: '127.0.0.1:5000', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'api.apps.example.com' }
  const wish = { command: 'ls', attach: true }
  const dyno = await world.call(world.ann, 'POST /apps/demo/dynos', wish, headers)
  t.match(dyno.body.attach_url, /^rendezvous:\/\/api\.apps\.example\.com:\d+\//)
  const { port } = new URL(dyno.body.attach_url)
  for (const servername of ['api.apps.example.com', 'localhost']) {
    const socket = tls.connect({ port: Number(port), host: '127.0.0.1', servername, ca })
    await once(socket, 'secureConnect')
    t.ok(socket.authorized, servername)
    socket.destroy()
  }
  const other = tls.connect({ port: Number(port), host: '127.0.0.1', servername: 'git.apps.example.com', ca })
  const [error] = await once(other, 'error')
  t.equal(error.code, 'ERR_TLS_CERT_ALTNAME_INVALID')
})

t.test('a port that is taken costs the rendezvous and nothing else', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const world = await listen(t, { attach: shells(), rendezvous: { ...options, port } })
  await world.deploy(world.appId)
  t.match(world.logged, [{ level: 'error', message: /^no rendezvous/ }])
  const refused = await world.ask('POST /apps/demo/dynos', { command: 'ls', attach: true })
  t.match(refused, { status: 422, body: { id: 'invalid_params', message: /PAAS_RENDEZVOUS_PORT/ } })
  t.strictSame(await listLiveOneOffs(world.db, world.appId), [], 'no dyno was made')
  const detached = await world.ask('POST /apps/demo/dynos', { command: 'ls' })
  t.equal(detached.status, 201)
})

t.test('closing the API ends sessions and the listener', async (t) => {
  const world = await start(t)
  const { url } = await create(world, 'cat')
  const client = connect(url)
  await once(client.socket, 'data')
  await world.api.close()
  await client.closed
  const again = connect(url)
  await again.closed
  t.notOk(again.socket.authorized, 'nobody listens')
})
