// What a build leaves is cleared away later, once, and in time for whoever needs it done.
import t from 'tap'
import { Tidying } from '../../../server/build/tidying.js'

t.test('it happens by itself after its time', async (t) => {
  const tidying = new Tidying(1)
  await new Promise<void>((resolve) => tidying.later('a', async () => resolve()))
  await tidying.all()
  t.pass()
})

t.test('whoever needs it has it done at once, and waits for nobody else', async (t) => {
  const tidying = new Tidying(2 ** 30)
  const done: string[] = []
  for (const key of ['a', 'b']) tidying.later(key, async () => void done.push(key))
  await tidying.now('a')
  await tidying.now('a')
  await tidying.now('never')
  t.same(done, ['a'])
  await tidying.all()
  t.same(done, ['a', 'b'], 'a platform that stops leaves nothing undone')
})
