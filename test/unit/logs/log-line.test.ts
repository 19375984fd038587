import t from 'tap'
import { createLineBudget } from '../../../server/logs/line-budget.js'
import {
  cleanLines,
  decodeLine,
  encodeLine,
  isClean,
  type LogLine,
  matchesFilter,
  renderLogLine,
  textBytesMax,
} from '../../../server/logs/log-line.js'
import { createTailBuffer } from '../../../server/logs/tail-buffer.js'
import { compareTimestamps, engineTimestamp, renderTimestamp } from '../../../server/logs/timestamp.js'

const at = '2012-02-07T09:43:06.123456789Z'
const line = (text: string, more: Partial<LogLine> = {}): LogLine => ({
  at,
  source: 'app',
  dyno: 'web.1',
  text,
  ...more,
})
const now = () => '2020-01-01T00:00:00.000Z'
const clean = (text: string) => cleanLines(line(text), now).map((each) => each.text)

t.test('a line is printed as Heroku prints it', async (t) => {
  t.equal(renderLogLine(line('hello')), '2012-02-07T09:43:06.123456+00:00 app[web.1]: hello')
  t.equal(
    renderLogLine({ at: '2012-02-07T09:43:06Z', source: 'heroku', dyno: 'router', text: 'at=info' }),
    '2012-02-07T09:43:06.000000+00:00 heroku[router]: at=info',
  )
  t.equal(renderLogLine(line('10%\r20%')), '2012-02-07T09:43:06.123456+00:00 app[web.1]: 10% 20%', 'on one line')
})

t.test('timestamps of every precision and zone are printed in UTC, compared, and told to the engine', async (t) => {
  t.equal(renderTimestamp('2012-02-07T11:43:06.5+02:00'), '2012-02-07T09:43:06.500000+00:00')
  t.equal(engineTimestamp('2023-11-14T22:13:20.000000001Z', 0), '1700000000.000000001')
  t.equal(engineTimestamp('2023-11-14T22:13:20Z', 0), '1700000000.000000000')
  t.equal(engineTimestamp('2023-11-14T22:13:20.5Z', -1), '1699999999.500000000')
  const ascending = ['2012-02-07T09:43:06Z', '2012-02-07T09:43:06.1Z', '2012-02-07T11:43:06.10001+02:00', at]
  for (const [i, a] of ascending.entries())
    for (const [j, b] of ascending.entries()) t.equal(Math.sign(compareTimestamps(a, b)), Math.sign(i - j), `${a} ${b}`)
  t.equal(compareTimestamps('2012-02-07T09:43:06Z', '2012-02-07T11:43:06.000+02:00'), 0)
})

t.test('a filter names a source, a process type or one dyno', async (t) => {
  const web = line('x')
  t.ok(matchesFilter(web, {}))
  t.ok(matchesFilter(web, { source: 'app', dyno: 'web' }))
  t.ok(matchesFilter(web, { dyno: 'web.1' }))
  t.notOk(matchesFilter(line('x', { dyno: 'web.10' }), { dyno: 'web.1' }), 'one dyno is one dyno')
  t.notOk(matchesFilter(line('x', { dyno: 'webhook.1' }), { dyno: 'web' }))
  t.notOk(matchesFilter(web, { source: 'heroku' }))
  t.ok(matchesFilter(line('x', { dyno: 'router' }), { dyno: 'router' }))
})

t.test('a text is cut into lines at line breaks and at 10 000 bytes, and nothing of it is lost', async (t) => {
  t.same(clean('one\ntwo\r\nthree\r'), ['one', 'two', 'three'])
  t.same(clean('a\0b\ud800c'), ['a\ufffdb\ufffdc'])
  t.same(clean('\u001b[31mred\u001b[0m'), ['\u001b[31mred\u001b[0m'], 'colours stay')
  for (const long of ['x'.repeat(25_000), 'é'.repeat(12_345), `a${'😀'.repeat(7_001)}`, '€'.repeat(9_999)]) {
    const pieces = clean(long)
    t.equal(pieces.join(''), long)
    t.ok(pieces.every((piece) => Buffer.byteLength(piece) <= textBytesMax && Buffer.from(piece).toString() === piece))
  }
  t.same(clean('x'.repeat(textBytesMax)).length, 1)
})

t.test('a strange field is made harmless and an ordinary line is left alone', async (t) => {
  const [strange] = cleanLines({ at: 'today', source: 'app', dyno: 'we\tb\n1', container: 'a b', text: 'x' }, now)
  t.same(strange, { at: now(), source: 'app', dyno: 'we_b_1', container: 'a_b', text: 'x' })
  for (const text of ['', 'plain', 'tab\there', 'é😀', 'mid\rdle']) {
    t.ok(isClean(line(text)), JSON.stringify(text))
    t.same(cleanLines(line(text), now), [line(text)])
  }
  for (const text of ['a\nb', 'a\r', '\0', '\udfff', 'x'.repeat(20_000)])
    t.notOk(isClean(line(text)), JSON.stringify(text.slice(0, 10)))
})

t.test('a line survives its way to disk and back; anything else there is no line', async (t) => {
  for (const one of [line('a\tb\tc'), line(''), line('x', { container: '0123456789ab' }), line('😀\r%')])
    t.same(decodeLine(encodeLine(one).slice(0, -1)), one)
  for (const other of [
    '',
    '#cursors\ta=b',
    'x\tapp\tweb.1\t\ttext',
    `${at}\tother\tweb.1\t\tx`,
    `${at}\tapp\tweb.1`,
    '\0\0\0',
  ])
    t.equal(decodeLine(other), undefined)
})

t.test('a budget counts lines in the second they were written, however late they come', async (t) => {
  const budget = createLineBudget(3)
  const second = (n: number) => `2020-01-01T00:00:${String(n).padStart(2, '0')}.5Z`
  t.same(
    [1, 1, 1, 1].map((n) => budget.admit(second(n))),
    [true, true, true, false],
  )
  t.same(
    [2, 1, 2, 1, 2, 2].map((n) => budget.admit(second(n))),
    [true, false, true, false, true, false],
  )
})

t.test('a slow tail loses lines, is told how many, and then goes on', async (t) => {
  const got: string[] = []
  let room = 2
  const buffer = createTailBuffer({
    deliver: (each) => {
      got.push(each.text)
      return --room > 0
    },
    bytesMax: 3 * 210,
    clock: () => Date.parse('2020-01-01T00:00:00Z'),
  })
  for (let n = 0; n < 100; n++) buffer.push(line(String(n)))
  t.same(got, ['0', '1'], 'nothing is delivered past a full reader')
  room = 2
  buffer.resume()
  t.same(got.slice(2), ['2', '3'])
  buffer.push(line('still missing'))
  room = 10
  buffer.resume()
  buffer.push(line('after'))
  t.same(got.slice(4), [
    '4',
    'Error L11 (tail buffer overflow): 96 messages dropped since 2012-02-07T09:43:06+00:00',
    'after',
  ])
  buffer.close()
  buffer.push(line('too late'))
  t.equal(got.at(-1), 'after')
})
