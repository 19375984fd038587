import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import type { Release } from '../../cli/api-types.js'
import { route } from '../../cli/api-client.js'
import { commands } from '../../cli/commands/index.js'
import { loadCliConfig } from '../../cli/config.js'
import { parseAssignments, shellAssignments } from '../../cli/config-words.js'
import { isGitOriginOf } from '../../cli/credentials.js'
import { alignColumns, formatBytes, formatPrice, formatTime, listOf } from '../../cli/format.js'
import { parseScale } from '../../cli/formation-words.js'
import { readEvents } from '../../cli/log-stream.js'
import { commandLineOf, parseEnv } from '../../cli/one-off.js'
import { herokuOnly } from '../../cli/heroku-only.js'
import { findCommand, parseInput, splitPassThrough, unknownCommand } from '../../cli/parse.js'
import { targetRelease } from '../../cli/releases.js'
import { stripControls, visibleWidth } from '../../cli/terminal-text.js'
import { version } from '../../cli/version.js'

// tap's types ask for a name and a message; only what is given is compared.
const usage = { exitCode: 2 } as unknown as Error

function parse(name: string, ...words: string[]) {
  const command = findCommand(commands, name)
  if (command === undefined) throw new Error(`no command ${name}`)
  return parseInput(command, words)
}

t.test('the version is that of package.json', async (t) => {
  t.equal(version, JSON.parse(readFileSync('package.json', 'utf8')).version)
})

t.test('every command has a name of its own, examples that parse, and a description in lower case', async (t) => {
  const names = commands.flatMap((c) => [c.name, ...c.aliases])
  t.equal(new Set(names).size, names.length, 'no two commands share a name')
  for (const command of commands) {
    t.not(command.examples.length, 0, `${command.name} has examples`)
    t.match(
      command.description,
      /^[a-z].*[^.]$|^psql/,
      `${command.name} is described in lower case, without a full stop`,
    )
    for (const example of command.examples) {
      const words =
        example
          .replace(/^sudo paas /, '')
          .split(/ [<>] /)[0]
          ?.match(/'[^']*'|"[^"]*"|\S+/g) ?? []
      const found = findCommand(commands, words[0] ?? '')
      const spelt = words
        .slice(1)
        .map((w) => w.replace(/^(['"])(.*)\1$/, '$2'))
        .filter((w) => !/\$\(|^\w+"\)/.test(w))
      t.equal(found, command, `'paas ${example}' is an example of ${command.name}`)
      t.doesNotThrow(() => parseInput(command, spelt), `'paas ${example}' parses`)
    }
  }
})

t.test('flags and arguments are read in any order, and refused when they are unknown or missing', async (t) => {
  t.match(parse('ps:scale', 'web=2', '-a', 'my-app', 'worker+1'), {
    args: { change: ['web=2', 'worker+1'] },
    flags: { app: 'my-app', json: false, remote: undefined },
  })
  t.equal(parse('create', '-n').flags['no-remote'], true)
  t.equal(parse('create').flags['no-remote'], false)
  t.throws(() => parse('ps', '--bogus'), usage)
  t.throws(() => parse('config:set', '-a', 'x'), { message: /Missing required argument/ })
  t.throws(() => parse('logout', 'now'), { message: /Expected 0 arguments/ })
  t.throws(() => parse('ps', '--ap', 'x'), { message: /Did you mean --app\?/ })
})

t.test('words of the command that run starts stay its own', async (t) => {
  const flags = findCommand(commands, 'run')?.flags ?? {}
  const split = (line: string) => {
    const { ours, rest } = splitPassThrough(flags, line.split(' '))
    return `${ours.join(' ')} | ${rest.join(' ')}`
  }
  t.equal(split('-s basic rake db:migrate -a my-app'), '-s basic -a my-app | rake db:migrate')
  t.equal(split('ls -la'), ' | ls -la')
  t.equal(split('uname -a'), ' | uname -a')
  t.equal(split('psql -s -e --app=x'), '--app=x | psql -s -e')
  t.equal(split('-a x -- ls -a /'), '-a x | ls -a /')
  t.equal(split('npm test -- --app'), ' | npm test -- --app')
  t.equal(split('--no-tty cat --no-tty'), '--no-tty --no-tty | cat')
  t.throws(() => parse('run', '--bogus', 'ls'), { message: /Unknown option '--bogus'/ })
  t.throws(() => parse('run', '-a', 'x'), { message: /What to run is missing/ })
})

t.test('the command line of a one-off dyno keeps words apart and single words as they are', async (t) => {
  t.equal(await commandLineOf(['echo $HOME | wc']), 'echo $HOME | wc')
  t.equal(await commandLineOf(['python', '-c', 'print("a b")']), `python -c 'print("a b")'`)
  t.same(parseEnv(['A=1;B=x=y', 'C=']), { A: '1', B: 'x=y', C: '' })
  t.throws(() => parseEnv(['1A=2']), usage)
})

t.test('config vars are read as they were typed', async (t) => {
  t.same(parseAssignments(['A=1', 'B=x=y', 'C=', 'D=a\nb']), { A: '1', B: 'x=y', C: '', D: 'a\nb' })
  t.throws(() => parseAssignments(['=x']), usage)
  t.throws(() => parseAssignments(['A']), { message: 'A is invalid. Must be in the format FOO=bar.' })
})

t.test('config vars are printed so that a shell and the readers of .env files take them as they are', async (t) => {
  const url = 'postgres://user:pass@host-1:5432/name?sslmode=disable'
  t.equal(shellAssignments({ A: 'postgres://u:p@h:5432/d', B: url }), `A=postgres://u:p@h:5432/d\nB='${url}'\n`)
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (value) => {
      fc.pre(!value.includes('\0'))
      const read = spawnSync('sh', ['-c', `${shellAssignments({ A: value })}printf %s "$A"`])
      return read.stdout.equals(Buffer.from(value))
    }),
    { numRuns: 60, examples: [["it's $HOME"], ["it's"], ["'"], ["'!"], ['a\nb'], ['~'], ['']] },
  )
})

t.test('a command of Heroku that is not here is told apart from a slip, with what to use', async (t) => {
  const said = (name: string) => unknownCommand(commands, name).message
  t.match(said('ps:exec'), /^There is no ps:exec here\. A shell beside the app's dynos: paas run bash$/)
  t.match(said('pg:backups:capture'), /pg_dump \$DATABASE_URL/)
  t.match(said('pipelines'), /^There is no pipelines here\./)
  t.match(said('lgos'), /lgos is not a paas command\.\nDid you mean logs\?/)
  for (const [, advice] of herokuOnly)
    for (const [, name] of advice.matchAll(/(?<!push )paas ([a-z:]+)/g))
      t.not(findCommand(commands, name ?? ''), undefined, `paas ${name} is a command`)
  for (const [name] of herokuOnly) t.equal(findCommand(commands, name), undefined, `${name} is not one of ours`)
})

t.test('a rollback starts from the release that is on its way, not from one that failed', async (t) => {
  const releases = ['failed', 'pending', 'succeeded'].map((status, i) => ({ status, version: 9 - i, current: i === 2 }))
  t.equal(targetRelease(releases as unknown as Release[])?.version, 8)
  t.equal(targetRelease([]), undefined)
})

t.test('formations are read as Heroku spells them', async (t) => {
  t.same(parseScale('web=2'), { type: 'web', quantity: '2' })
  t.same(parseScale('my-worker-1'), { type: 'my-worker', quantity: '-1' })
  t.same(parseScale('web+1:Standard-2X'), { type: 'web', quantity: '+1', size: 'Standard-2X' })
  for (const bad of ['web', 'web=', 'web=x', '=1']) t.throws(() => parseScale(bad), usage)
})

t.test('a value in a path is one segment, and never the one above', async (t) => {
  t.equal(route`/apps/${'a/b?c#d'}/dynos`, '/apps/a%2Fb%3Fc%23d/dynos')
  for (const bad of ['', '.', '..']) t.throws(() => route`/apps/x/domains/${bad}`, usage)
})

t.test('nothing but colour reaches the terminal', async (t) => {
  t.equal(stripControls('\x1b]0;title\x07a\x1b[2Jb\x1b[31mc\x9b1Ad\re\x08'), 'abcde')
  t.equal(stripControls('\x1b[31mred', true), '\x1b[31mred\x1b[0m')
  t.equal(stripControls('\x1bP1$r0m\x1b\\x\x1b(Bz\x1b'), 'xz')
  t.equal(stripControls('a\u202eb\u2066c\u2069\u200e\u200f\u061cd'), 'abcd', 'nothing shows words in another order')
  t.equal(stripControls('שלום مرحبا 👩‍💻'), 'שלום مرحبا 👩‍💻', 'right-to-left letters and joined emoji stay')
  t.equal(visibleWidth('\x1b[31m⬢ red\x1b[0m'), 5)
  const piece = fc.constantFrom(
    '\x1b',
    '[',
    ']',
    '31',
    'm',
    ';',
    '\x07',
    '\\',
    'P',
    '\x9b',
    '\x9d',
    'a',
    '?',
    'H',
    '\n',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
      const left = stripControls(pieces.join(''), true).replace(/\x1b\[[0-9;:]*m/g, '')
      return !/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(left) && !stripControls(pieces.join('')).includes('\x1b')
    }),
    { numRuns: 2000 },
  )
})

t.test('server-sent events are put together however they are cut', async (t) => {
  const text = ': hello\nid: 1\ndata: one line\n\ndata:two\r\n\ndata: three: 3\n\n'
  for (const size of [1, 2, 3, 7, text.length]) {
    const lines: string[] = []
    const chunks = async function* () {
      for (let i = 0; i < text.length; i += size) yield text.slice(i, i + size)
    }
    for await (const line of readEvents(chunks())) lines.push(line)
    t.same(lines, ['one line', 'two', 'three: 3'], `in pieces of ${size}`)
  }
})

t.test('values are worded as Heroku words them', async (t) => {
  const now = new Date('2026-01-02T05:04:05Z')
  t.match(formatTime('2026-01-02T03:04:05Z', now), /^2026\/01\/0\d \d\d:04:05 [+-]\d{4} \(~ 2h ago\)$/)
  t.match(formatTime('2026-01-02T05:04:10Z', now), /~ 0s ago/)
  t.equal(formatTime('whenever', now), 'whenever')
  t.equal(formatBytes(15_728_640), '15 MB')
  t.equal(formatBytes(null), undefined)
  t.equal(formatPrice({ cents: 0, unit: 'month' }), 'free')
  t.equal(formatPrice({ cents: 550, unit: 'month' }), '$5.50/month')
  t.equal(listOf(['A', 'B', 'C']), 'A, B and C')
  t.same(
    alignColumns([
      ['a', 'b'],
      ['long', ''],
    ]),
    ['a     b', 'long'],
  )
})

t.test('a token goes to its own origin, and to git beside the API, and nowhere else', async (t) => {
  t.ok(isGitOriginOf('http://localhost:5000', 'http://localhost:5000'))
  t.ok(isGitOriginOf('https://api.example.com', 'https://git.example.com'))
  for (const other of ['https://my-app.example.com', 'http://git.example.com', 'https://git.example.com.evil.test'])
    t.notOk(isGitOriginOf('https://api.example.com', other), other)
})

t.test('settings that are unusable are refused with their name', async (t) => {
  t.equal(loadCliConfig({ HOME: '/h' }).apiOrigin, 'http://localhost:5000')
  t.equal(loadCliConfig({ HOME: '/h', XDG_CONFIG_HOME: '/x' }).configDir, '/x/paas')
  t.equal(loadCliConfig({ HOME: '/h', XDG_CONFIG_HOME: 'relative' }).configDir, '/h/.config/paas')
  t.throws(() => loadCliConfig({ HOME: '/h', PAAS_API_URL: 'localhost:5000' }), { message: /^PAAS_API_URL is / })
  t.throws(() => loadCliConfig({ HOME: '/h', PAAS_API_URL: 'http://x/prefix' }), { message: /^PAAS_API_URL is / })
  t.throws(() => loadCliConfig({ HOME: '/h', PAAS_API_KEY: 'a\nb' }), { message: /^PAAS_API_KEY/ })
})
