/** From what the router tells to the lines of an app's log. */
import t from 'tap'
import { parseAccessLine } from '../../../server/router/access-log.js'
import { createRouterLines } from '../../../server/router-lines.js'

function linesOf(apps: readonly string[]) {
  const heard: string[] = []
  const warned: object[] = []
  const clock = { now: 1_000_000 }
  const lines = createRouterLines({
    hub: {
      append: (appId, line) => heard.push(`${appId} ${line.source}[${line.dyno}]: ${line.text.slice(0, 18)}`),
      skip: (appId, count) => heard.push(`${appId} skips ${count}`),
    },
    log: { warn: (fields) => warned.push(fields) },
    hasApp: (appId) => apps.includes(appId),
    clock: () => clock.now,
  })
  return { lines, heard, warned, clock }
}

t.test('a request is a line in the log of its app, and in no log when there is no such app', async (t) => {
  const { lines, heard } = linesOf(['one'])
  const entry = (app: string, sample = '') =>
    parseAccessLine(JSON.stringify({ at: 1, app, status: 200, end: '--', method: 'GET', sample }), 55_000)
  for (const each of [entry('up:one:a'), entry('up:gone:b'), entry(''), entry('up:one:a', '1')])
    if (each) lines.onEntry(each)
  const line = 'one heroku[router]: at=info method=GET'
  t.strictSame(heard, [line, line, 'one skips some'])
})

t.test('requests that cannot be read are counted for their app, and told once a minute', async (t) => {
  const { lines, heard, warned, clock } = linesOf(['one'])
  for (const appId of ['one', 'gone', undefined, 'one']) lines.onUnreadable(appId)
  t.strictSame(heard, ['one skips 1', 'one skips 1'])
  t.strictSame(warned, [{ requests: 1, appId: 'one' }])
  clock.now += 60_000
  lines.onUnreadable('one')
  t.match(warned, [{}, { requests: 4 }])
})
