/** Limits of an account and of the machine, what is left when git must be ended, and whose the repositories are. */
import { createHash, randomUUID } from 'node:crypto'
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { constants, deflateRawSync } from 'node:zlib'
import t from 'tap'
import { archiveSource } from '../../server/git/source-archive.js'
import { repositories } from '../../server/git/repositories.js'
import { otherToken, run, runAs, startFront, token, transports, until } from './front-world.js'
import { ask, askToPush, basic, below, commandList, fetchType, gitWithInput, pushBody } from './raw-git.js'

// The machine may be busy with everything else that is tested.
t.setTimeout(180_000)

/** A pack of one file of zeros, a thousandth of its size; its compressed form is the same block again and again. */
function packOfZeros(blocks: number): Buffer {
  const blockBytes = 16 * 1024 ** 2
  const bytes = blocks * blockBytes
  const head = Buffer.alloc(12)
  head.write('PACK')
  head.writeUInt32BE(2, 4)
  head.writeUInt32BE(1, 8)
  const size: number[] = []
  let byte = (3 << 4) | (bytes % 16)
  for (let left = Math.floor(bytes / 16); left > 0; left = Math.floor(left / 128)) {
    size.push(byte | 0x80)
    byte = left % 128
  }
  const block = deflateRawSync(Buffer.alloc(blockBytes), { finishFlush: constants.Z_FULL_FLUSH })
  // The checksum (Adler-32) of so many zeros.
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE((bytes % 65_521) * 65_536 + 1)
  const zlib = [
    Buffer.from([0x78, 0x9c]),
    ...Array.from({ length: blocks }, () => block),
    Buffer.from([3, 0]),
    checksum,
  ]
  const pack = Buffer.concat([head, Buffer.from([...size, byte]), ...zlib])
  return Buffer.concat([pack, createHash('sha1').update(pack).digest()])
}

t.test('a push whose pack takes long to unpack is ended in time, with all that worked for it', async (t) => {
  const pack = packOfZeros(512)
  const list = Buffer.from(commandList([{ ref: 'refs/tags/zeros', newOid: 'a'.repeat(40) }]))
  for (const makeTransport of Object.values(transports)) {
    const front = await startFront({ transport: makeTransport(), limits: { timeoutMs: 300 } })
    const appId = await front.createApp('hello')
    const { status, body } = await askToPush(front, 'hello', Buffer.concat([list, pack]))
    t.equal(status, 408)
    t.match(body, /This took too long/)
    await until('git and its quarantine to be gone', async () => (await front.leftovers()).length === 0, 15_000)
    await until('the push to be told', () => front.logged.some((line) => line.startsWith('push ended')))
    t.equal(await front.repos.readRef(appId, 'refs/tags/zeros'), undefined)
    await front.close()
  }
})

t.test('quarantines go with the last push to a repository, and never before', async (t) => {
  const front = await startFront({ transport: transports.spawn(), limits: { idleTimeoutMs: 60_000 } })
  t.teardown(() => front.close())
  const appId = await front.createApp('hello')
  const left = path.join(front.repos.path(appId), 'objects', 'tmp_objdir-incoming-left')
  await mkdir(left)
  const isThere = () => lstat(left).then(Boolean, () => false)
  const copy = await front.createCopy()
  t.equal((await front.push(copy, 'hello', 'master')).code, 0)
  t.ok(await isThere(), 'a push that ends well removes nothing')
  await front.repos.sweepQuarantines(appId)
  t.notOk(await isThere())
})

t.test(
  'who pushed to an app too often is told so before sending anything; others and other apps are not held',
  async (t) => {
    for (const makeTransport of Object.values(transports)) {
      const front = await startFront({ transport: makeTransport(), limits: { pushesPerHour: 2 } })
      await front.createApp('hello')
      await front.createApp('second')
      await front.createApp('other', otherToken)
      const copy = await front.createCopy()
      for (const dry of ['d1', 'd2', 'd3'])
        t.equal((await front.push(copy, 'hello', '--dry-run', `HEAD:refs/tags/${dry}`)).code, 0, 'a dry run is no push')
      for (const tag of ['v1', 'v2']) t.equal((await front.push(copy, 'hello', `HEAD:refs/tags/${tag}`)).code, 0)
      const { code, output } = await front.push(copy, 'hello', 'HEAD:refs/tags/v3')
      t.not(code, 0)
      t.match(
        output,
        /remote: +! {5}You have pushed to this app 2 times within an hour, which is the limit\. Push again in 60 min\./,
      )
      const { status, body } = await askToPush(front, 'hello', await pushBody(front, copy, ['refs/tags/v4']))
      t.equal(status, 429)
      t.match(body, /Push again in/)
      t.equal((await front.git(copy, ['ls-remote', front.url('hello')])).code, 0, 'reading is no pushing')
      t.equal((await front.push(copy, 'second', 'HEAD:refs/tags/v1')).code, 0)
      t.equal((await front.git(copy, ['push', front.url('other', otherToken), 'HEAD:refs/tags/v1'])).code, 0)
      await front.close()
    }
  },
)

t.test('who waits too long for a place is told to try again, and gives up the wait on leaving', async (t) => {
  const front = await startFront({ transport: transports.spawn(), limits: { fetches: 2, idleTimeoutMs: 1500 } })
  t.teardown(() => front.close())
  await front.createApp('hello')
  await front.createApp('other', otherToken)
  const copy = await front.createCopy()
  t.equal((await front.push(copy, 'hello', 'master')).code, 0)
  const authorization = basic(token)
  // A client that drips one long line holds its place.
  const stalled = net.connect(front.port, '127.0.0.1')
  t.teardown(() => stalled.destroy())
  stalled.on('error', () => {})
  const head = ['POST /hello.git/git-upload-pack HTTP/1.1', 'Host: localhost', `Authorization: ${authorization}`]
  stalled.write([...head, `Content-Type: ${fetchType}`, 'Content-Length: 500', '', '01f0'].join('\r\n'))
  const drip = setInterval(() => stalled.write('x'), 300)
  t.teardown(() => clearInterval(drip))
  await until('a git to wait for it', async () =>
    (await front.leftovers()).some((line) => line.includes('upload-pack')),
  )
  const path = '/hello.git/info/refs?service=git-upload-pack'
  const other = ask(front, { path: path.replace('hello', 'other'), headers: { authorization: basic(otherToken) } })
  t.equal((await other).status, 200, 'another account has a place')
  const left = net.connect(front.port, '127.0.0.1').on('error', () => {})
  left.end(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\n\r\n`)
  left.destroy()
  const waiting = await ask(front, { path, headers: { authorization } })
  t.equal(waiting.status, 503)
  t.match(waiting.body, /The platform is busy\. Try again in a moment\./)
  clearInterval(drip)
  stalled.destroy()
  await until('git to be gone', async () => (await front.leftovers()).length === 0)
  t.equal((await ask(front, { path, headers: { authorization } })).status, 200)
})

t.test('repositories of another owner are given to git at start, links and all, and nothing outside', async (t) => {
  if (!runAs) return t.comment('git runs as the user of these tests, who is not root')
  const dir = await mkdtemp(path.join(tmpdir(), 'paas-git-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const outside = path.join(dir, 'outside')
  await mkdir(outside)
  const folder = path.join(dir, 'repositories')
  const appId = randomUUID()
  const old = repositories(folder, { packBytes: 1234 })
  await old.create(appId)
  await symlink(outside, path.join(old.path(appId), 'link'))
  const repos = repositories(folder, { packBytes: 1234, runAs })
  await t.rejects(repos.prepare(), /git, which runs as user \d+, can't reach .*chmod o\+x/)
  await chmod(dir, 0o711)
  await repos.prepare()
  const owners = new Set<string>()
  for (const file of await below(repos.path(appId))) {
    const { uid, gid } = await lstat(file)
    owners.add(`${uid}:${gid}`)
  }
  t.strictSame([...owners], [`${runAs.uid}:${runAs.gid}`])
  t.equal((await lstat(outside)).uid, 0)
  t.equal((await lstat(repos.hooksDir)).uid, 0, 'hooks stay ours')
  await repos.setHead(appId, 'refs/heads/main')
  // One that was given only in part is given again.
  await chown(repos.path(appId), 0, 0)
  await chown(path.join(repos.path(appId), 'HEAD'), 0, 0)
  await repos.prepare()
  t.equal((await lstat(path.join(repos.path(appId), 'HEAD'))).uid, runAs.uid)
})

t.test(
  'GIT-18: whatever a tree holds, unpacking its export writes nothing outside and nothing set-user-id',
  async (t) => {
    const front = await startFront({ transport: transports.spawn() })
    t.teardown(() => front.close())
    const copy = await front.createCopy()
    const outside = path.join(front.dir, 'outside')
    await mkdir(outside, { mode: 0o777 })
    await chmod(outside, 0o777)
    const blobOf = async (text: string) => (await gitWithInput(copy, ['hash-object', '-w', '--stdin'], text)).trim()
    const treeOf = async (entries: readonly (readonly [mode: string, name: string, oid: string])[]) => {
      const parts = entries.flatMap(([mode, name, oid]) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')])
      const args = ['hash-object', '-t', 'tree', '-w', '--literally', '--stdin']
      return (await gitWithInput(copy, args, Buffer.concat(parts))).trim()
    }
    const evil = await blobOf('evil')
    const folder = await treeOf([['100644', 'evil', evil]])
    const link = (target: string) => blobOf(target)
    const corpus: Record<string, readonly (readonly [mode: string, name: string, oid: string])[]> = {
      'a link to a folder outside, and a folder of its name': [
        ['120000', 'x', await link(outside)],
        ['40000', 'x', folder],
      ],
      'a link upwards, and a file behind it': [
        ['120000', 'up', await link('../../outside')],
        ['40000', 'up', folder],
      ],
      'a file whose name climbs': [['100644', '../outside/evil', evil]],
      'a file whose name is absolute': [['100644', `${outside}/evil`, evil]],
      'a folder called ..': [['40000', '..', folder]],
      'a link to a link outside': [
        ['120000', 'a', await link('b')],
        ['120000', 'b', await link(outside)],
        ['40000', 'a', folder],
      ],
      'a set-user-id file': [['104755', 'setuid', evil]],
      'a device, by its mode': [['020666', 'null', evil]],
      'a pipe, by its mode': [['010644', 'pipe', evil]],
      'a repository inside': [['40000', '.git', await treeOf([['40000', 'hooks', folder]])]],
      'a link called .git': [['120000', '.git', await link(outside)]],
      'links that lead anywhere': [
        ['120000', 'etc', await link('/etc')],
        ['120000', 'self', await link('.')],
        ['120000', 'up', await link('../../../../../../outside')],
      ],
      'a name of every byte': [['100644', Buffer.from('a\\..\\b\t\n\x7f').toString('latin1'), evil]],
    }
    let unpackedCount = 0
    for (const [what, entries] of Object.entries(corpus)) {
      const commit = (await front.git(copy, ['commit-tree', '-m', what, await treeOf(entries)])).output.trim()
      const target = await mkdtemp(path.join(front.dir, 'unpacked-'))
      await chown(target, 1000, 1000)
      const archive = archiveSource({ GIT_DIR: path.join(copy, '.git') }, commit, { maxBytes: 1e6, maxFiles: 100 })
      const chunks: Buffer[] = []
      archive.stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      archive.stream.on('error', () => {})
      const isWhole = await archive.done.then(
        () => true,
        () => false,
      )
      // As the build unpacks it: what was sent until the refusal, too.
      const tarFile = path.join(front.dir, `${path.basename(target)}.tar`)
      await writeFile(tarFile, Buffer.concat(chunks))
      const tar = [
        'tar',
        '--extract',
        '--ignore-zeros',
        '--no-same-owner',
        '--no-overwrite-dir',
        `--directory=${target}`,
      ]
      await run(['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups', ...tar, `--file=${tarFile}`])
      unpackedCount += isWhole ? 1 : 0
      t.strictSame(await readdir(outside), [], what)
      for (const name of await below(target)) {
        const stat = await lstat(name)
        t.ok(stat.isFile() || stat.isDirectory() || stat.isSymbolicLink(), `${what}: ${name}`)
        if (!stat.isSymbolicLink()) t.equal(stat.mode & 0o7000, 0, `${what}: ${name}`)
        t.equal(stat.nlink > 1 && stat.isFile(), false, `${what}: ${name} is no hard link`)
      }
    }
    t.ok(unpackedCount >= 2, `${unpackedCount} were exported whole`)
  },
)
