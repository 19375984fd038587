// Goal: what the documents name is there: files, functions in files, tests, commands, packages, links to one another.
import { existsSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { commands } from '../../cli/commands/index.js'
import { codedRows, filesBelow, readText, root } from './checkout.js'

const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')]

const isThere = (file: string) => existsSync(path.join(root, file))

t.test('every file that a document names exists', async (t) => {
  const named =
    /`((?:server|cli|docker|test|buildpacks|docs|bench)\/[A-Za-z0-9_./-]+|package\.json|build\.mjs|biome\.json|tsconfig\.json)`/g
  // Made by building, or by whoever follows the text.
  const made = /^dist\/|NNNN/
  for (const document of documents) {
    const files = [...readText(document).matchAll(named)].map((match) => match[1] ?? '')
    t.strictSame(
      files.filter((file) => !made.test(file) && !isThere(file)),
      [],
      document,
    )
  }
})

t.test('every function that a document names is in the file named with it', async (t) => {
  let checked = 0
  for (const document of documents) {
    // `receivePush` (`server/git/receive-push.ts`)
    for (const [, name = '', file = ''] of readText(document).matchAll(
      /`(\w+)`\s+\(`((?:server|cli|docker)\/[\w./-]+\.ts)`/g,
    )) {
      checked++
      t.ok(isThere(file) && new RegExp(`\\b${name}\\b`).test(readText(file)), `${document}: ${name} in ${file}`)
    }
  }
  t.ok(checked > 30)
})

t.test('every link from one document to another leads somewhere', async (t) => {
  for (const document of documents) {
    const targets = [...readText(document).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '')
    t.strictSame(
      targets.filter((target) => !isThere(path.join(path.dirname(document), target))),
      [],
      document,
    )
  }
})

t.test('every command that a document shows is one', async (t) => {
  const known = new Set(commands.flatMap((command) => [command.name, ...command.aliases]))
  for (const word of ['help', '--version', 'COMMAND', 'TOPIC']) known.add(word)
  for (const document of documents) {
    const text = readText(document)
    const shown = [...text.matchAll(/(?:`|^\$ |&& )paas ([a-z][a-z:-]*)/gm)].map((match) => match[1] ?? '')
    t.strictSame(
      shown.filter((name) => !known.has(name)),
      [],
      document,
    )
  }
})

t.test('CONTRIBUTING.md says of every package what it is for, and of no other', async (t) => {
  const manifest = JSON.parse(readText('package.json')) as Record<string, Record<string, string>>
  const packages = [...Object.keys(manifest.dependencies ?? {}), ...Object.keys(manifest.devDependencies ?? {})]
  const [, section = ''] = readText('CONTRIBUTING.md').split('\n## Packages')
  t.strictSame(codedRows(section).sort(), packages.sort())
})

t.test('no committed document says where it was made', async (t) => {
  const place = new RegExp(['/work' + '/', '/far' + 'm'].join('|'))
  for (const document of documents) t.notMatch(readText(document), place, document)
})
