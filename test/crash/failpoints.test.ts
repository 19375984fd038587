// One point in three of every group, on every run; test/soak/failpoints.test.ts tries each of them.
import t from 'tap'
import { filesBelow, readText } from '../docs/checkout.js'
import { points } from './points.js'
import { walkFailpoints } from './walk.js'

t.test('every failpoint of the code is in the list', async (t) => {
  const written = filesBelow('server', '.ts').map(readText)
  const named = written.flatMap((text) => [...text.matchAll(/\bfailpoint\('([\w.-]+)'\)/g)].map((match) => match[1]))
  const others = new Set(named.filter((name) => !name?.startsWith('add-on.')))
  const listed = new Set<string>(Object.values(points).flatMap((group) => Object.values(group).flat()))
  t.same([...listed].sort(), [...others].sort())
  t.ok(listed.size >= 60, `${listed.size} points`)
})

walkFailpoints({ oneOf: 3 })
