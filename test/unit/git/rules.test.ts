/** The parts of the git edge that decide or parse and touch nothing. */
import { type EventEmitter, once } from 'node:events'
import net from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import fc from 'fast-check'
import t from 'tap'
import { pack } from 'tar-stream'
import { AppQueue, type Turn } from '../../../server/git/app-queue.js'
import { CommandListReader } from '../../../server/git/command-list.js'
import { readToken } from '../../../server/git/credentials.js'
import { FetchTurns } from '../../../server/git/fetch-turns.js'
import { PushOutput, readHello } from '../../../server/git/hook-channel.js'
import { PushRate } from '../../../server/git/push-rate.js'
import { PushesUnderWay } from '../../../server/git/pushes-under-way.js'
import { judgeRefs } from '../../../server/git/ref-rules.js'
import { TarMeter } from '../../../server/git/tar-meter.js'

const zero = '0'.repeat(40)
const oid = 'a'.repeat(40)
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

t.test('of all refs only one of master and main deploys, and only tags go with it', async (t) => {
  const ref = fc.oneof(
    fc.constantFrom('refs/heads/master', 'refs/heads/main', 'refs/tags/v1', 'refs/tags/refs/x', 'refs/heads/x', 'HEAD'),
    fc.string().map((name) => `refs/${name}`),
  )
  const update = fc.record({ ref, oldOid: fc.constantFrom(zero, oid), newOid: fc.constantFrom(zero, oid) })
  fc.assert(
    fc.property(fc.array(update, { minLength: 1, maxLength: 6 }), (updates) => {
      const { refusals, deploy, notes } = judgeRefs(updates, 5)
      const isDeploy = (name: string) => name === 'refs/heads/master' || name === 'refs/heads/main'
      const isTag = (name: string) => name.startsWith('refs/tags/') && !name.startsWith('refs/tags/refs/')
      const deploys = updates.filter((each) => isDeploy(each.ref))
      const isFine =
        updates.length <= 5 &&
        deploys.length <= 1 &&
        updates.every((each) => each.newOid !== zero && (isDeploy(each.ref) || isTag(each.ref)))
      return isFine
        ? refusals.length === 0 && deploy === deploys[0] && notes.length > 0 === updates.some((each) => isTag(each.ref))
        : refusals.length > 0 && deploy === undefined
    }),
  )
  t.match(judgeRefs([{ ref: 'refs/heads/feature/x', oldOid: zero, newOid: oid }], 9).refusals, [
    /To deploy it: git push paas feature\/x:master$/,
  ])
})

t.test('a list of updates is read the same however it is cut', async (t) => {
  const line = (text: string) => `${(text.length + 4).toString(16).padStart(4, '0')}${text}`
  const list = [
    line(`shallow ${oid}`),
    line(`${zero} ${oid} refs/heads/master\0 report-status side-band-64k agent=git/2`),
    line(`${oid} ${zero} refs/tags/v1\n`),
    '0000',
    'PACK and more',
  ].join('')
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 })), (cuts) => {
      const reader = new CommandListReader()
      let rest = Buffer.from(list)
      let state = 'more'
      for (const cut of [...cuts, rest.length]) {
        if (state !== 'more') break
        state = reader.read(rest.subarray(0, cut))
        rest = rest.subarray(cut)
      }
      const { bytes, firstRef, firstRefEnd } = reader.list
      return (
        state === 'done' &&
        firstRef === 'refs/heads/master' &&
        bytes.toString('latin1', firstRefEnd - firstRef.length, firstRefEnd) === firstRef &&
        Buffer.concat([bytes, rest]).equals(Buffer.from(list))
      )
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4 }), (noise) => {
      const state = new CommandListReader().read(Buffer.from(noise))
      return state === 'bad' || state === 'more' || (state === 'probe' && Buffer.from(noise).toString() === '0000')
    }),
  )
  for (const lines of ['', line(`shallow ${oid}`), line(`shallow ${oid}\n`) + line(`shallow ${zero}`)]) {
    t.equal(new CommandListReader().read(Buffer.from(`${lines}0000`)), 'probe', 'a list without updates')
    t.equal(new CommandListReader().read(Buffer.from(`${lines}0000PACK`)), 'bad', 'and something after it')
  }
  const reader = new CommandListReader()
  const update = Buffer.from(line(`${zero} ${oid} refs/tags/${'x'.repeat(900)}`).repeat(64))
  let state = 'more'
  for (let at = 0; state === 'more' && at < 100; at++) state = reader.read(update)
  t.equal(state, 'too-long')
})

t.test('a token is read from what git and clients send, and from nothing else', async (t) => {
  t.equal(readToken('Bearer abc'), 'abc')
  t.equal(readToken('bearer  abc'), 'abc')
  t.equal(readToken(basic('user:abc')), 'abc')
  t.equal(readToken(basic(':a:b:c')), 'a:b:c')
  for (const bad of [
    undefined,
    '',
    'Basic',
    'Basic ',
    'Bearer a b',
    basic('abc'),
    basic('a:'),
    basic('a:ü'),
    'Basic a:b',
    'Digest x',
  ])
    t.equal(readToken(bad), undefined, bad ?? 'no header')
  fc.assert(fc.property(fc.string(), (text) => [undefined, text.trim()].includes(readToken(`Bearer ${text}`))))
  fc.assert(fc.property(fc.string(), (text) => readToken(text) === undefined || /^(basic|bearer) /i.test(text)))
})

t.test('turns are taken one at a time, in the order of coming, by those who stay', async (t) => {
  const queue = new AppQueue()
  const order: number[] = []
  const leaving = new AbortController()
  const stay = new AbortController().signal
  const first = await queue.enter('app', stay, () => t.fail('the first waits for nobody'))
  const waits: number[] = []
  const enter = async (at: number, signal: AbortSignal): Promise<Turn | undefined> => {
    const turn = await queue.enter('app', signal, (look) => waits.push(look().ahead))
    if (turn) order.push(at)
    return turn
  }
  const others = [enter(1, stay), enter(2, leaving.signal), enter(3, stay)]
  t.strictSame(waits, [1, 2, 3])
  t.ok(await queue.enter('another', stay, () => t.fail('another app waits for nobody')))
  leaving.abort()
  t.equal(await others[1], undefined)
  t.equal(await enter(4, leaving.signal), undefined)
  first?.end()
  first?.end()
  const second = await others[0]
  t.strictSame(order, [1])
  second?.end()
  ;(await others[2])?.end()
  t.strictSame(order, [1, 3])
  const again = await queue.enter('app', stay, () => t.fail('an empty queue has no waiting'))
  again?.end()
})

t.test(
  'places for reading are never exceeded, are half of them for one account, and go to the next who waits',
  async () => {
    const stay = new AbortController().signal
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.record({ account: fc.constantFrom('a', 'b', 'c'), leaves: fc.boolean() }), { maxLength: 30 }),
        async (places, comers) => {
          const turns = new FetchTurns(places)
          const running: string[] = []
          let served = 0
          const all = comers.map(async ({ account, leaves }) => {
            const leaving = new AbortController()
            const entered = turns.enter(account, leaves ? leaving.signal : stay)
            if (leaves) setImmediate(() => leaving.abort())
            const leave = await entered
            if (!leave) return leaves
            served += 1
            running.push(account)
            const isBounded =
              running.length <= places && running.filter((each) => each === account).length <= Math.ceil(places / 2)
            await new Promise((next) => setImmediate(next))
            running.splice(running.indexOf(account), 1)
            leave()
            leave()
            return isBounded
          })
          return (await Promise.all(all)).every(Boolean) && served >= comers.filter(({ leaves }) => !leaves).length
        },
      ),
    )
  },
)

t.test('pushes are counted by account and app for an hour, and no longer', async (t) => {
  let now = 0
  const rate = new PushRate(2, () => now)
  const someone = (id: string) => ({ id, email: `${id}@example.com`, name: id, isAdmin: false, createdAt: new Date(0) })
  const [ada, bob] = [someone('ada'), someone('bob')]
  rate.count(ada, 'shop')
  now = 600_000
  rate.check(ada, 'shop')
  rate.count(ada, 'shop')
  t.throws(
    () => rate.check(ada, 'shop'),
    /pushed to this app 2 times within an hour, which is the limit\. Push again in 50 min\./,
  )
  rate.check(bob, 'shop')
  rate.check(ada, 'blog')
  now = 3_600_000
  rate.check(ada, 'shop')
  rate.count(ada, 'shop')
  t.throws(() => rate.check(ada, 'shop'), /in 10 min/)
})

t.test('what killed pushes left is swept once, when nobody pushes to the app any more', async (t) => {
  const swept: string[] = []
  const underWay = new PushesUnderWay(async (appId) => void swept.push(appId))
  underWay.begin('a')
  underWay.begin('a')
  underWay.begin('b')
  await underWay.end('a', true)
  t.strictSame(swept, [])
  await underWay.end('a', false)
  await underWay.end('b', false)
  t.strictSame(swept, ['a'])
  underWay.begin('a')
  await underWay.end('a', false)
  await underWay.end('a', true)
  t.strictSame(swept, ['a'])
})

t.test('a tar stream is counted the same however it is cut', async (t) => {
  const tar = pack()
  tar.entry({ name: 'build/', type: 'directory' })
  tar.entry({ name: 'build/a' }, 'x'.repeat(700))
  tar.entry({ name: `build/${'ü/'.repeat(200)}b` }, 'y')
  tar.entry({ name: 'build/link', type: 'symlink', linkname: '/etc/passwd' })
  tar.finalize()
  const bytes = await buffer(tar)
  const meterOf = async (stream: Readable, limits = { maxBytes: 10_000, maxFiles: 10 }) => {
    const meter = new TarMeter(limits, Promise.resolve())
    const chunks: Buffer[] = []
    meter.on('data', (chunk: Buffer) => chunks.push(chunk))
    await pipeline(stream, meter)
    return { meter, out: Buffer.concat(chunks) }
  }
  for (const size of [1, 7, 511, 512, 513, 4096, bytes.length]) {
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
    const { meter, out } = await meterOf(Readable.from(pieces, { objectMode: true }))
    t.equal(meter.entries, 4)
    t.equal(meter.contentBytes, 701)
    t.ok(out.equals(bytes))
  }
  const again = () => Readable.from([bytes])
  await t.rejects(meterOf(again(), { maxBytes: 700, maxFiles: 10 }), /larger than 700 bytes/)
  await t.rejects(meterOf(again(), { maxBytes: 701, maxFiles: 3 }), /more than 3 files/)
  await t.rejects(meterOf(Readable.from([bytes.subarray(0, 1100)])), /ended in the middle/)
  await t.rejects(meterOf(Readable.from([Buffer.alloc(512, 'x')])), /header that git does not write/)
  for (const name of ['build/../x', '/etc/x', 'build//x', `build/${'d/'.repeat(200)}../x`, 'build/.GIT/x']) {
    const bad = pack()
    bad.entry({ name }, 'x')
    bad.finalize()
    await t.rejects(meterOf(Readable.from([await buffer(bad)])), /can't be unpacked/, name)
  }
  const device = pack()
  device.entry({ name: 'build/x', type: 'character-device' })
  device.finalize()
  await t.rejects(meterOf(Readable.from([await buffer(device)])), /entry of type/)
})

t.test('the connection of a hook', async (t) => {
  const server = net.createServer({ allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  const connect = async () => {
    const incoming = once(server as EventEmitter, 'connection') as Promise<[net.Socket]>
    const hook = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
    const [socket] = await incoming
    socket.on('error', () => {})
    t.teardown(() => hook.destroy())
    return { hook, socket }
  }

  t.test('a hello is taken whole or not at all', async (t) => {
    const line = `${zero} ${oid} refs/heads/master\n`
    const hello = async (text: string) => {
      const { hook, socket } = await connect()
      hook.end(text)
      const read = await readHello(socket)
      socket.destroy()
      return read
    }
    t.strictSame(await hello(`paas-push 1\x0042\0/q\0${line}`), {
      parentPid: 42,
      objectDirectory: '/q',
      updates: [{ ref: 'refs/heads/master', oldOid: zero, newOid: oid }],
    })
    const bad = ['', 'paas-push 2\x0042\0/q\0', `paas-push 1\0x\0/q\0${line}`, `paas-push 1\x0042\0/q\0${line}\0`]
    bad.push('paas-push 1\x0042\0/q\0short short refs/x\n', `paas-push 1\x0042\0/q\0${zero} ${oid} refs/x y\n`)
    for (const text of bad) t.equal(await hello(text), undefined)
  })

  t.test('a pusher who does not read is told what was left out, and nobody waits for it', async (t) => {
    const { hook, socket } = await connect()
    hook.pause()
    const output = new PushOutput(socket, 60_000)
    for (let at = 0; at < 40; at++) output.write(`${'x'.repeat(1024 ** 2)}\n`)
    t.ok(socket.writableLength < 9 * 1024 ** 2)
    let text = ''
    hook.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
    })
    hook.resume()
    await once(socket, 'drain')
    output.write('the end\n')
    output.exit(1)
    output.write('after the end\n')
    await once(hook, 'close')
    t.match(text, /\d+ bytes of output were left out: this connection is too slow\./)
    t.match(text, /the end\nx\0\0\0\x01$/)
  })
})
