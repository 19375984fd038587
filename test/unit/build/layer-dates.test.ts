/** Dates of files in images. */
import t from 'tap'
import { dateOfApp, dateOfLayer } from '../../../server/build/layer-dates.js'

t.test("an app's files are as old as its commit, within what zip archives and tars can say", (t) => {
  const of = (text: string) => dateOfApp(new Date(text)).toISOString()
  t.equal(of('2026-11-20T10:00:00Z'), '2026-11-20T10:00:00.000Z')
  t.equal(of('1970-01-01T00:00:00Z'), '1980-01-02T00:00:00.000Z')
  t.equal(of('9999-01-01T00:00:00Z'), '2100-01-01T00:00:00.000Z')
  t.equal(of('never'), '1980-01-02T00:00:00.000Z')
  t.end()
})

t.test('layers of other keys have other dates, the same key the same', (t) => {
  const keys = Array.from({ length: 100 }, (_, i) => `key-${i}`)
  const dates = keys.map((key) => dateOfLayer(key).getTime())
  t.equal(new Set(dates).size, keys.length)
  t.strictSame(
    keys.map((key) => dateOfLayer(key).getTime()),
    dates,
  )
  t.ok(dates.every((at) => at >= Date.UTC(1980, 0, 2) && at < Date.UTC(1990, 0, 1)))
  t.end()
})
