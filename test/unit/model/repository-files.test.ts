/** What an app's repository says about itself: Procfile and app.json. */
import fc from 'fast-check'
import t from 'tap'
import { emptyManifest, parseManifest } from '../../../server/model/app-manifest.js'
import { findJsonFault } from '../../../server/model/json-fault.js'
import { parseProcfile } from '../../../server/model/procfile.js'

t.test('a Procfile names types and their commands', async (t) => {
  t.same(parseProcfile('web: gunicorn mysite.wsgi --bind 0.0.0.0:$PORT\nworker:   python worker.py  \n'), {
    ok: true,
    types: { web: 'gunicorn mysite.wsgi --bind 0.0.0.0:$PORT', worker: 'python worker.py' },
  })
})

t.test(
  'comments, blank lines, tabs, every line end, a byte order mark and a missing last line end are fine',
  async (t) => {
    const types = { web: 'serve', release: 'migrate', 'my_worker-2': 'work' }
    for (const end of ['\n', '\r\n', '\r']) {
      const text = ['\uFEFF# what runs', 'web: serve', '', '\trelease:\tmigrate', '   # more', 'my_worker-2:work'].join(
        end,
      )
      t.same(parseProcfile(text), { ok: true, types })
    }
    t.same(parseProcfile(''), { ok: true, types: {} })
  },
)

t.test('the shell reads the command: an inline # and further colons belong to it', async (t) => {
  t.same(parseProcfile('web: PORT=1 serve # fast\nclock: run a:b'), {
    ok: true,
    types: { web: 'PORT=1 serve # fast', clock: 'run a:b' },
  })
})

t.test('of a type named twice the last one counts', async (t) => {
  t.same(parseProcfile('web: a\nweb: b'), { ok: true, types: { web: 'b' } })
})

t.test('a line that is no process type is an error with its number, and says how it must read', async (t) => {
  for (const line of [
    'web gunicorn',
    'web:',
    'web:   ',
    '-web: a',
    'we b: a',
    `${'x'.repeat(64)}: a`,
    '__proto__: a',
  ]) {
    const result = parseProcfile(`# one\n\n${line}\n`)
    t.match(result, { ok: false, reason: /^Procfile line 3 is '.*'; it must read 'type: command', for example/ }, line)
  }
  t.match(parseProcfile('web: a\0b'), { ok: false, reason: /^Procfile line 1 contains a NUL character/ })
})

t.test('what a Procfile says comes back, whatever it is', async (t) => {
  const type = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,20}$/)
  const command = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/)
  fc.assert(
    fc.property(fc.dictionary(type, command, { noNullPrototype: true }), (types) => {
      const text = Object.entries(types).map(([name, value]) => `${name}: ${value}\n`)
      t.same(parseProcfile(text.join('')), { ok: true, types })
    }),
    { numRuns: 50 },
  )
})

function manifestOf(document: unknown) {
  const result = parseManifest(JSON.stringify(document))
  return result.ok ? result.manifest : result.reason
}

t.test('app.json tells config vars, formation, buildpacks, add-ons and scripts; the rest is ignored', async (t) => {
  t.same(
    manifestOf({
      name: 'hello',
      env: {
        PLAIN: 'text',
        COUNT: { value: 3, description: 'how many' },
        SECRET: { generator: 'secret' },
        OPTIONAL: { required: false },
        ASKED: null,
      },
      formation: { web: { quantity: 2, size: 'basic' }, worker: { quantity: -1 } },
      buildpacks: [{ url: 'heroku/python' }, 'heroku/nodejs'],
      addons: ['heroku-postgresql', { plan: 'heroku-postgresql:mini', as: 'USERS_DB' }],
      scripts: { postdeploy: 'python manage.py migrate', test: 3 },
      stack: 'heroku-24',
    }),
    {
      env: {
        PLAIN: { value: 'text', description: '', required: true, generate: false },
        COUNT: { value: '3', description: 'how many', required: true, generate: false },
        SECRET: { value: undefined, description: '', required: true, generate: true },
        OPTIONAL: { value: undefined, description: '', required: false, generate: false },
        ASKED: { value: undefined, description: '', required: true, generate: false },
      },
      formation: { web: { quantity: 2, size: 'basic' }, worker: { quantity: undefined, size: undefined } },
      buildpacks: ['heroku/python', 'heroku/nodejs'],
      addOns: [
        { plan: 'heroku-postgresql', as: undefined },
        { plan: 'heroku-postgresql:mini', as: 'USERS_DB' },
      ],
      scripts: { postdeploy: 'python manage.py migrate', test: '' },
      healthChecks: { web: [], notes: [] },
    },
  )
  t.same(manifestOf({}), emptyManifest)
  t.same(manifestOf({ env: null, addons: null }), emptyManifest)
})

t.test('comments, trailing commas and a byte order mark in app.json are taken, but not inside strings', async (t) => {
  const text = `\uFEFF{
    // the greeting
    "env": { "URL": "https://a/*b*/,]", /* two
      lines */ "B": "1", },
  }`
  const result = parseManifest(text)
  t.same(result.ok && Object.entries(result.manifest.env).map(([name, { value }]) => [name, value]), [
    ['URL', 'https://a/*b*/,]'],
    ['B', '1'],
  ])
})

t.test('a malformed app.json is refused with the line and column of its fault', async (t) => {
  const places: readonly (readonly [string, string])[] = [
    ['', 'line 1, column 1'],
    ['hello', 'line 1, column 1'],
    ['{\n  "env": {\n    "A": tru\n  }\n}', 'line 3, column 13'],
    ['{"a": }', 'line 1, column 7'],
    ['{"a": 1,, "b": 2}', 'line 1, column 9'],
    ['{"a": 01}', 'line 1, column 8'],
    ['{"a" 1}', 'line 1, column 6'],
    ['{a: 1}', 'line 1, column 2'],
    ['[1 2]', 'line 1, column 4'],
    ['{"a": [1, 2}', 'line 1, column 12'],
    ['{"a": "b\n"}', 'line 1, column 9'],
    ['{"a": "\\x"}', 'line 1, column 8'],
    ['{}\n}', 'line 2, column 1'],
    ['{"a": 1', 'line 1, column 8'],
    ['{ /* never ends', 'line 1, column 16'],
    ['{ // "x\n  "a": "b" /* c */ "d" }', 'line 2, column 20'],
  ]
  for (const [text, place] of places)
    t.same(parseManifest(text), { ok: false, reason: `app.json is not valid JSON at ${place}.` }, text)
})

t.test('the place of a fault is where the text stops being the beginning of JSON', async (t) => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.constantFrom('', '!', '"', '}', ',', '1', '\\'), (json, position, insert) => {
      const at = position % (json.length + 1)
      const text = json.slice(0, at) + insert + json.slice(at)
      const fault = findJsonFault(text)
      let isValid = true
      try {
        JSON.parse(text)
      } catch {
        isValid = false
      }
      // What stood before the insertion was right; an escape or exponent that it breaks is wrong from its beginning.
      return fault <= text.length && (insert === '' || isValid ? isValid && fault === text.length : fault >= at - 5)
    }),
    { numRuns: 300 },
  )
  t.pass('held')
})

t.test('a key of the wrong kind is refused by its name', async (t) => {
  const reasons: readonly (readonly [unknown, string])[] = [
    [[], 'app.json must be an object: { … }.'],
    [{ env: [] }, 'app.json: env must be an object.'],
    [{ formation: { web: 2 } }, 'app.json: formation.web must be an object with quantity and size.'],
    [{ buildpacks: 'heroku/python' }, 'app.json: buildpacks must be a list.'],
    [{ buildpacks: [{}] }, 'app.json: each of buildpacks must be an object with a url.'],
    [{ addons: [3] }, 'app.json: each of addons must be a plan name or an object with a plan.'],
  ]
  for (const [document, reason] of reasons) t.equal(manifestOf(document), reason)
})

t.test('a large hostile app.json is read in no time', async (t) => {
  const started = Date.now()
  for (const part of ['/*', '"', '/', '\\"', ',', '[', '"\\', '// '])
    t.equal(parseManifest(part.repeat(300_000)).ok, false, part)
  t.ok(Date.now() - started < 3_000, `${Date.now() - started} ms`)
})
