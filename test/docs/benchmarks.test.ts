// Goal: the benchmarks that documents name are the ones that can be run, and their results are written down.
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { filesBelow, readText, root } from './checkout.js'

const offered = [...readText('bench/run').matchAll(/^# {3}(\w+) +\S/gm)].map((match) => match[1] ?? '')

t.test('bench/run offers benchmarks that are there, and names the peers of each', async (t) => {
  t.ok(offered.length >= 4)
  for (const name of offered) {
    t.ok(existsSync(path.join(root, 'bench', `${name}.ts`)), name)
    t.match(readText('bench/run'), new RegExp(`^#   ${name} .*peers?:`, 'm'), name)
  }
})

t.test('every benchmark that a document names can be run', async (t) => {
  for (const document of ['README.md', 'CONTRIBUTING.md', ...filesBelow('docs', '.md')]) {
    const named = [...readText(document).matchAll(/bench\/run ([a-z]+)/g)].map((match) => match[1] ?? '')
    t.strictSame(
      named.filter((name) => !offered.includes(name)),
      [],
      document,
    )
  }
})

t.test('every benchmark has its results in docs/performance.md', async (t) => {
  for (const name of offered)
    t.match(readText('docs/performance.md'), new RegExp(`^\\$ bench/run ${name}\\b`, 'm'), name)
})

t.test('a benchmark that can be run is offered', async (t) => {
  const entries = readdirSync(path.join(root, 'bench')).filter((file) => file.endsWith('.ts'))
  const runnable = entries.filter((file) => /^await main\(\)$/m.test(readText(`bench/${file}`)))
  t.strictSame(runnable.map((file) => file.replace('.ts', '')).sort(), [...offered].sort())
})
