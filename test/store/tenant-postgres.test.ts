// Goal: a tenant who owns the process of its database server gets no further than that by what it does to its socket.
// Method: a server of ours that speaks as much of the protocol as it takes, in place of PostgreSQL.
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test as Tap } from 'tap'
import { isStarting, type TenantServer, withTenantServer } from '../../server/store/tenant-postgres.js'
import { maxAnswerBytes, openTenantSocket } from '../../server/store/tenant-socket.js'

const name = '.s.PGSQL.5432'
const ask = (server: TenantServer) => server.query<{ answer: string }>('SELECT 1')

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const int16 = (n: number) => Buffer.from([n >> 8, n & 255])
const int32 = (n: number) => Buffer.from([n >> 24, n >> 16, n >> 8, n].map((byte) => byte & 255))
const welcome = Buffer.concat([message('R', int32(0)), message('Z', Buffer.from('I'))])
const column = [int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)]
const describeRow = message('T', int16(1), Buffer.from('answer\0'), ...column)
const row = (text: string) => message('D', int16(1), int32(text.length), Buffer.from(text))
const done = Buffer.concat([message('C', Buffer.from('SELECT 1\0')), message('Z', Buffer.from('I'))])

/** A short path: an address has room for 107 bytes. */
async function makeFolder(t: Tap): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tenant-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Lets anybody in, and leaves the answer to a query to `answer`. The number of those who came is `visits`. */
async function startServer(t: Tap, folder: string, answer: (socket: Socket) => void, allowHalfOpen = false) {
  const server = { visits: 0 }
  const open = new Set<Socket>()
  const listener = createServer({ allowHalfOpen }, (socket) => {
    server.visits++
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
    socket.once('data', () => {
      socket.write(welcome)
      socket.on('data', (chunk) => {
        if (chunk[0] !== 'X'.charCodeAt(0)) answer(socket)
      })
    })
  })
  await new Promise<void>((resolve) => listener.listen(path.join(folder, name), resolve))
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    return new Promise((resolve) => listener.close(resolve))
  })
  return server
}

const honest = (socket: Socket) => socket.write(Buffer.concat([describeRow, row('kept'), done]))

t.test('a server that answers is heard', async (t) => {
  const folder = await makeFolder(t)
  const server = await startServer(t, folder, honest)
  t.same(await withTenantServer(folder, ask), [{ answer: 'kept' }])
  t.equal(server.visits, 1)
})

t.test('an answer without end costs little memory, and ends', async (t) => {
  const folder = await makeFolder(t)
  let sent = 0
  await startServer(t, folder, (socket) => {
    // A row that says it has 1 GB.
    const head = Buffer.from('D\0\0\0\0')
    head.writeInt32BE(1024 ** 3, 1)
    socket.write(Buffer.concat([describeRow, head]))
    const more = Buffer.alloc(65_536)
    const pump = () => {
      while (!socket.destroyed && socket.write(more)) sent += more.length
    }
    socket.on('drain', pump)
    pump()
  })
  const before = process.memoryUsage().rss
  await t.rejects(withTenantServer(folder, ask, { timeoutMs: 5_000 }), { message: /sent more than 1048576 bytes/ })
  t.ok(sent < 16 * maxAnswerBytes, `${sent} bytes were taken`)
  t.ok(process.memoryUsage().rss - before < 64 * 1024 ** 2, 'far from what was sent')
})

t.test('a server that never leaves is left', async (t) => {
  const folder = await makeFolder(t)
  await startServer(t, folder, honest, true)
  const since = Date.now()
  t.same(await withTenantServer(folder, ask), [{ answer: 'kept' }])
  t.ok(Date.now() - since < 5_000)
})

t.test("a link to another database's socket, or folder, is not followed", async (t) => {
  const [mine, other] = [await makeFolder(t), await makeFolder(t)]
  const server = await startServer(t, other, honest)
  await symlink(path.join(other, name), path.join(mine, name))
  await t.rejects(withTenantServer(mine, ask), { message: /isn't a socket/ })
  await symlink(other, path.join(mine, 'folder'))
  await t.rejects(withTenantServer(path.join(mine, 'folder'), ask), { message: /isn't a folder/ })
  t.equal(server.visits, 0)
})

t.test('a link that is put there after the look is not followed either', async (t) => {
  const [mine, other] = [await makeFolder(t), await makeFolder(t)]
  const [own, others] = [await startServer(t, mine, honest), await startServer(t, other, honest)]
  const found = await openTenantSocket(mine)
  await rename(path.join(mine, name), path.join(mine, 'moved'))
  await symlink(path.join(other, name), path.join(mine, name))
  await new Promise<void>((resolve, reject) => {
    found.stream.once('connect', resolve).once('error', reject)
    found.stream.connect(path.join(mine, name))
  })
  found.stream.end('hello')
  await new Promise((resolve) => found.stream.once('close', resolve))
  await found.close()
  t.same([own.visits, others.visits], [1, 0])
})

t.test('anything but a socket is refused, and nothing at all is a server that is not there yet', async (t) => {
  const folder = await makeFolder(t)
  const missing = await withTenantServer(folder, ask).catch((error: unknown) => error)
  t.equal(isStarting(missing), true)
  await writeFile(path.join(folder, name), '')
  const refusal = await withTenantServer(folder, ask).catch((error: unknown) => error)
  t.match(refusal, { message: /isn't a socket/ })
  t.equal(isStarting(refusal), false)
})
