/** Sealing, queueing and spreading news. */
import { createCipheriv, createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { createQueue } from '../../../server/lib/queue.js'
import { rememberedJoin } from '../../../server/lib/remembered.js'
import { createSealer } from '../../../server/lib/seal.js'
import { createTopic } from '../../../server/lib/topic.js'

const key = Buffer.alloc(32, 7)
const sealer = createSealer(key)

t.test('what is sealed comes back, in its own context only', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (plain, context) => {
      const sealed = sealer.seal(plain, context)
      t.throws(() => sealer.unseal(sealed, `${context}x`))
      return sealer.unseal(sealed, context) === plain && sealed !== sealer.seal(plain, context)
    }),
    { numRuns: 30 },
  )
})

t.test('a sealed value does not show its text, and names its key', async (t) => {
  const sealed = sealer.seal('hunter2', 'a')
  t.notMatch(Buffer.from(sealed.split('.')[2] ?? '', 'base64').toString('latin1'), /hunter2/)
  t.equal(sealed.split('.')[1], createHash('sha256').update(key).digest('hex').slice(0, 8))
  const other = createSealer(Buffer.alloc(32, 8))
  t.throws(() => other.unseal(sealed, 'a'), { message: /sealed with another key .* secret\.key/ })
})

t.test('a changed, shortened or foreign value is refused', async (t) => {
  const sealed = sealer.seal('hunter2', 'a')
  const [version, id, body = ''] = sealed.split('.')
  const bytes = Buffer.from(body, 'base64')
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ 1
    t.throws(() => sealer.unseal(`${version}.${id}.${changed.toString('base64')}`, 'a'))
  }
  for (let length = 0; length < bytes.length; length++)
    t.throws(() => sealer.unseal(`${version}.${id}.${bytes.subarray(0, length).toString('base64')}`, 'a'))
  for (const text of ['', 'v1', `v1.${id}`, `v2.${id}.${body}`, `${sealed}.more`])
    t.throws(() => sealer.unseal(text, 'a'), { message: /unknown format/ }, text)
})

t.test('a tag cut short does not make a value easier to forge', async (t) => {
  const id = createHash('sha256').update(key).digest('hex').slice(0, 8)
  const nonce = Buffer.alloc(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 4 })
  cipher.setAAD(Buffer.from('a'))
  cipher.final()
  const short = Buffer.concat([nonce, cipher.getAuthTag()]).toString('base64')
  t.throws(() => sealer.unseal(`v1.${id}.${short}`, 'a'))
})

/** Work that ends when it is told to. */
function work() {
  let finish = () => {}
  const done = new Promise<void>((resolve) => {
    finish = resolve
  })
  return { done, finish }
}

t.test('a queue runs as many as it is wide, the rest in their order', async (t) => {
  const queue = createQueue(2)
  const works = [work(), work(), work(), work()]
  const started: number[] = []
  const told: number[] = []
  const runs = works.map((w, index) =>
    queue.run(
      () => {
        started.push(index)
        return w.done
      },
      (ahead) => told.push(ahead),
    ),
  )
  await turn()
  t.same(
    [started, told],
    [
      [0, 1],
      [1, 2],
    ],
  )
  works[1]?.finish()
  await runs[1]
  t.same(started, [0, 1, 2])
  for (const w of works) w.finish()
  await Promise.all(runs)
  t.same(started, [0, 1, 2, 3])
  t.equal(await queue.run(async () => 'again'), 'again')
})

t.test('work that fails frees its place and tells only its caller', async (t) => {
  const queue = createQueue(1)
  const failing = queue.run(async () => {
    throw new Error('no')
  })
  const next = queue.run(async () => 'next')
  await t.rejects(failing, { message: 'no' })
  t.equal(await next, 'next')
})

t.test('whoever waits can leave the queue; its place is nobody’s', async (t) => {
  const queue = createQueue(1)
  const first = work()
  const running = queue.run(() => first.done)
  const leaving = new AbortController()
  const left = queue.run(async () => t.fail('ran'), undefined, leaving.signal)
  const gone = queue.run(
    async () => t.fail('ran'),
    () => t.fail('told to wait'),
    AbortSignal.abort(),
  )
  const last = queue.run(async () => 'last')
  leaving.abort()
  await t.rejects(left, { message: 'cancelled while waiting' })
  await t.rejects(gone, { message: 'cancelled while waiting' }, 'gone before it came')
  first.finish()
  await running
  t.equal(await last, 'last')
})

t.test('nobody slips in between one that ends and one that waits', async (t) => {
  const queue = createQueue(1)
  let atOnce = 0
  const one = async () => {
    t.equal(++atOnce, 1)
    await turn()
    atOnce--
  }
  const runs = [queue.run(one), queue.run(one)]
  await runs[0]
  runs.push(queue.run(one))
  await Promise.all(runs)
})

t.test('news reach those who listen to its key, until they stop', async (t) => {
  const topic = createTopic<string>()
  const heard: string[] = []
  topic.publish('a', 'nobody')
  const stop = topic.subscribe('a', (news) => heard.push(`first ${news}`))
  topic.subscribe('a', (news) => heard.push(`second ${news}`))
  topic.subscribe('b', () => t.fail('another key'))
  topic.publish('a', '1')
  stop()
  topic.publish('a', '2')
  t.same(heard, ['first 1', 'second 1', 'second 2'])
})

t.test('a listener may stop, or begin, while news are told', async (t) => {
  const topic = createTopic<string>()
  const heard: string[] = []
  const stop = topic.subscribe('a', () => {
    heard.push('first')
    stop()
    topic.subscribe('a', () => heard.push('late'))
  })
  topic.subscribe('a', () => heard.push('second'))
  topic.publish('a', '')
  t.same(heard, ['first', 'second'])
})

t.test('a list that is joined again and again has the text of its items, whatever changed', async (t) => {
  const made: number[] = []
  const join = rememberedJoin((item: number) => {
    made.push(item)
    return `<${item}>`
  }, ',')
  const plain = (items: readonly number[]) => items.map((item) => `<${item}>`).join(',')
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat(3), { maxLength: 200 }), { minLength: 1, maxLength: 5 }), (lists) =>
      lists.every((items) => join(items) === plain(items)),
    ),
  )
  const thousand = Array.from({ length: 1000 }, (_, at) => at)
  t.equal(join(thousand), plain(thousand))
  made.length = 0
  const changed = thousand.with(500, -1)
  t.equal(join(changed), plain(changed))
  t.ok(made.includes(-1) && made.length < 100, `${made.length} of 1,000 were made anew`)
})
