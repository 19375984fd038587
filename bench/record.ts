/**
 * Puts what a benchmark printed into docs/performance.md, between the marks of its name: `bench/run NAME --record`. The
 * line of JSON stays out. What comes in is printed as it comes.
 */
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { projectRoot } from '../test/support/project-root.js'

/** The document with the block of a benchmark replaced; throws when it has none. */
export function withResults(markdown: string, name: string, printed: string): string {
  const [begin, end] = [`<!-- printed by bench/run ${name} -->`, `<!-- end of ${name} -->`]
  const [from, to] = [markdown.indexOf(begin), markdown.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no place for what ${name} prints`)
  return `${markdown.slice(0, from + begin.length)}\n\`\`\`\n${printed.trim()}\n\`\`\`\n${markdown.slice(to)}`
}

async function record(name: string): Promise<void> {
  const lines: string[] = []
  let isWhole = false
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(line)
    // The last thing a benchmark prints: one that failed half-way is not written down.
    if (line.startsWith('{')) isWhole = true
    else lines.push(line)
  }
  if (!isWhole) throw new Error(`${name} did not finish; docs/performance.md is as it was`)
  const file = path.join(projectRoot, 'docs', 'performance.md')
  await writeFile(file, withResults(await readFile(file, 'utf8'), name, lines.join('\n')))
}

const name = process.argv[2]
if (name !== undefined && process.argv[1]?.endsWith('record.js')) await record(name)
