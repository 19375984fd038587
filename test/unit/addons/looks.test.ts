import t from 'tap'
import { createLooks, type LooksOptions } from '../../../server/addons/looks.js'

function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

function looksWith(options: Partial<LooksOptions>) {
  return createLooks({
    concurrency: 2,
    backoffMs: 60_000,
    backoffMaxMs: 60_000,
    look: async () => {},
    onFailure: async () => {},
    retry: () => {},
    ...options,
  })
}

t.test('a key asked for while it is looked at is looked at once more, and never twice at once', async (t) => {
  const first = gate()
  let looks = 0
  let atOnce = 0
  const { look } = looksWith({
    look: async () => {
      looks++
      t.equal(++atOnce, 1)
      await first.opened
      atOnce--
    },
  })
  const all = [look('a'), look('a'), look('a')]
  first.open()
  await Promise.all(all)
  t.equal(looks, 2)
  await look('a')
  t.equal(looks, 3)
})

t.test('a key that takes long holds up no other, as far as there is room', async (t) => {
  const slow = gate()
  const seen: string[] = []
  const { look } = looksWith({
    look: async (key) => {
      if (key === 'slow') await slow.opened
      seen.push(key)
    },
  })
  const waiting = look('slow')
  await Promise.all(['a', 'b', 'c'].map(look))
  t.same(seen, ['a', 'b', 'c'])
  slow.open()
  await waiting
  t.same(seen, ['a', 'b', 'c', 'slow'])
})

t.test('a failed key is told, left alone, and asked for again when its time is over', async (t) => {
  const retried = gate()
  const told: string[] = []
  let fails = true
  let looks = 0
  const { look, stop } = looksWith({
    backoffMs: 30,
    look: async () => {
      looks++
      if (fails) throw new Error('not yet')
    },
    onFailure: async (key, error) => {
      told.push(`${key}: ${(error as Error).message}`)
    },
    retry: retried.open,
  })
  await look('a')
  await look('a')
  t.equal(looks, 1, 'left alone')
  t.same(told, ['a: not yet'])
  await retried.opened
  fails = false
  await look('a')
  await look('a')
  t.equal(looks, 3)
  stop()
})

t.test('after stop nothing is asked for again', async (t) => {
  const { look, stop } = looksWith({
    backoffMs: 1,
    look: async () => {
      throw new Error('never')
    },
    retry: () => t.fail('retried'),
  })
  stop()
  await look('a')
})
