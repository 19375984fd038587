/** The rules for what users name and set: config vars, formation, app names, host names; and the list of refusals. */
import { STATUS_CODES } from 'node:http'
import { domainToASCII } from 'node:url'
import fc from 'fast-check'
import t from 'tap'
import { checkAppName, isAppName, suggestAppName } from '../../../server/model/app-name.js'
import { describeConfigChange, mergeConfigVars } from '../../../server/model/config-vars.js'
import { checkHostname } from '../../../server/model/domain.js'
import { errorStatus, invalid, notFound, PlatformError } from '../../../server/model/errors.js'
import { dynoSizes, findDynoSize, nextQuantity } from '../../../server/model/formation.js'

/** The message of an `invalid_params`. */
function refusalOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof PlatformError && error.id === 'invalid_params') return error.message
    throw error
  }
  return 'not refused'
}

t.test('config vars are merged: null removes, the rest is set, and the result is in order', async (t) => {
  const merged = mergeConfigVars({ B: '1', A: '2', GONE: '3' }, { GONE: null, C: '', NEVER: null, A: 'new' })
  t.same(Object.entries(merged), [
    ['A', 'new'],
    ['B', '1'],
    ['C', ''],
  ])
})

t.test('merging twice is merging once, and changes nothing it is given', async (t) => {
  const key = fc
    .stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,10}$/)
    .filter((k) => !['DYNO', 'PORT', '__proto__'].includes(k))
  const vars = fc.dictionary(key, fc.string(), { noNullPrototype: true })
  const change = fc.dictionary(key, fc.option(fc.string().filter((v) => !v.includes('\0'))), { noNullPrototype: true })
  fc.assert(
    fc.property(vars, change, (current, wanted) => {
      const before = JSON.stringify([current, wanted])
      const once = mergeConfigVars(current, wanted)
      t.same(mergeConfigVars(once, wanted), once)
      return JSON.stringify([current, wanted]) === before
    }),
    { numRuns: 50 },
  )
})

t.test('a config var that could not be one is refused by its name', async (t) => {
  for (const key of ['', '1A', 'A-B', 'A B', 'A=B', 'É', 'A\n', 'x'.repeat(129), '__proto__'])
    t.match(
      refusalOf(() => mergeConfigVars({}, Object.fromEntries([[key, 'v']]))),
      /must be letters, digits/,
      key,
    )
  for (const key of ['DYNO', 'PORT'])
    t.match(
      refusalOf(() => mergeConfigVars({}, { [key]: '1' })),
      /set by the platform/,
    )
  t.same(mergeConfigVars({ PORT: '1' }, { PORT: null }), {}, 'an old one can be removed')
  t.match(
    refusalOf(() => mergeConfigVars({}, { A: 'a\0b' })),
    /config var A must not contain a NUL/,
  )
})

t.test('config vars have 64 kB at most all together, in bytes, and one may have them all', async (t) => {
  const kib = 'x'.repeat(1024)
  t.ok(mergeConfigVars({}, { A: kib.repeat(64).slice(1) }))
  t.match(
    refusalOf(() => mergeConfigVars({}, { A: kib.repeat(64) })),
    /64 kB in all/,
  )
  t.match(
    refusalOf(() => mergeConfigVars({}, { A: 'é'.repeat(32 * 1024) })),
    /64 kB in all/,
  )
  const full = { A: kib.repeat(32), B: kib.repeat(31), C: 'x'.repeat(1024 - 3) }
  t.ok(mergeConfigVars({}, full))
  t.match(
    refusalOf(() => mergeConfigVars(full, { D: '' })),
    /64 kB in all/,
  )
})

t.test('a change of config vars is described as Heroku describes it', async (t) => {
  t.equal(describeConfigChange({ A: '1', B: '2' }), 'Set A, B config vars')
  t.equal(describeConfigChange({ A: null }), 'Remove A config var')
  t.equal(describeConfigChange({ A: '1', B: null, C: null }), 'Set A config var, Remove B, C config vars')
  t.ok(describeConfigChange(Object.fromEntries([...Array(99).keys()].map((n) => [`NAME_${n}`, '']))).length <= 300)
})

t.test('a quantity is a number, or more or less than there are', async (t) => {
  t.same(
    [2, '2', '0', '+1', '-1', '-3', '007'].map((wanted) => nextQuantity(3, wanted, 100)),
    [2, 2, 0, 4, 2, 0, 7],
  )
  for (const wanted of ['', 'two', '1.5', 1.5, '1e3', '++1', ' 1', 1e21, Number.NaN, '1234567'])
    t.match(
      refusalOf(() => nextQuantity(3, wanted, 100)),
      /must be a number such as 2, \+1 or -1/,
      String(wanted),
    )
  t.match(
    refusalOf(() => nextQuantity(3, '-4', 100)),
    /There are 3 dynos of that type/,
  )
  t.match(
    refusalOf(() => nextQuantity(99, '+2', 100)),
    /100 dynos of a type at most/,
  )
  t.equal(nextQuantity(99, '+1', 100), 100)
})

t.test('dyno sizes have Heroku’s names in any case; sizes that are no more mean the smallest', async (t) => {
  for (const { name } of dynoSizes) t.equal(findDynoSize(name.toLowerCase()).name, name)
  for (const name of ['eco', 'Free', 'HOBBY']) t.equal(findDynoSize(name).name, 'Basic')
  for (const name of ['', 'huge', 'constructor'])
    t.match(
      refusalOf(() => findDynoSize(name)),
      /the sizes are Basic, /,
    )
})

t.test('app names are host name labels of 3 to 30 characters', async (t) => {
  for (const name of ['abc', 'a-b', 'a1-b2-c3', 'x'.repeat(30)]) t.equal(checkAppName(name), name)
  for (const name of ['', 'ab', 'x'.repeat(31), '1abc', '-abc', 'abc-', 'a--b', 'Abc', 'a_b', 'a.b', 'äbc', 'abc\n'])
    t.match(
      refusalOf(() => checkAppName(name)),
      /^Name must start with a letter/,
      name,
    )
  for (const name of ['api', 'git', 'www'])
    t.match(
      refusalOf(() => checkAppName(name)),
      /reserved by the platform/,
    )
})

t.test('every suggested name is an app name', async (t) => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(random, random, random, (...values) => {
      const rest = [...values]
      return isAppName(suggestAppName(() => rest.shift() ?? 0))
    }),
  )
  t.match(
    suggestAppName(() => 0),
    /^autumn-beach-10000$/,
  )
})

const hostname = (input: string) => checkHostname(input, 'apps.example', domainToASCII)

t.test('a host name is kept in lower case, in ASCII, without a final dot', async (t) => {
  t.equal(hostname(' WWW.Example.COM. '), 'www.example.com')
  t.equal(hostname('bücher.example'), 'xn--bcher-kva.example')
  t.equal(hostname('a-b.c-d.example'), 'a-b.c-d.example')
})

t.test('what is no host name is refused', async (t) => {
  const wrong = ['', '.', 'localhost', 'a..b', '-a.example', 'a-.example', 'a_b.example', 'a b.example', '10.0.0.1']
  const alsoWrong = ['::1', '[::1]', 'http://a.example', 'a.example/x', 'a.example:80', `${'x'.repeat(64)}.example`]
  const long = `${'a.'.repeat(125)}example`
  for (const name of [...wrong, ...alsoWrong, long, 'a.example\nb.example', '0x7f.1'])
    t.match(
      refusalOf(() => hostname(name)),
      /is not a host name; give one like www\.example\.com/,
      name,
    )
})

t.test('names of the platform’s own domain and wildcards are refused with what to do instead', async (t) => {
  for (const name of ['apps.example', 'hello.apps.example', 'API.apps.example.', '*.apps.example'])
    t.match(
      refusalOf(() => hostname(name)),
      /belong to apps by their name; rename the app/,
    )
  t.equal(hostname('notapps.example'), 'notapps.example')
  t.match(
    refusalOf(() => hostname('*.example.com')),
    /Wildcard domains are not supported/,
  )
})

t.test('every refusal has a status of HTTP', async (t) => {
  for (const [id, status] of Object.entries(errorStatus)) t.ok(STATUS_CODES[status], `${id} ${status}`)
  t.match(invalid('no'), { id: 'invalid_params', message: 'no', name: 'PlatformError' })
  t.match(notFound('add_on'), { id: 'not_found', message: "Couldn't find that add on.", resource: 'add_on' })
  t.match(notFound('formation', 'process type'), { message: "Couldn't find that process type." })
  t.ok(invalid('no') instanceof Error)
})
