// What stays open: log sessions and output streams, over real connections.
import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { revokeAuthorization } from '../../server/store/accounts.js'
import { finishBuild, insertBuild } from '../../server/store/builds.js'
import { moveReleaseCommand, settleRelease } from '../../server/store/releases.js'
import { waitFor } from '../support/database.js'
import { connections, type ListeningApi, listen } from '../support/listening-api.js'

t.setTimeout(120_000)

/** Reads a streamed response until `enough` of its text says so, or to its end. */
async function readUntil(
  url: string,
  enough: (text: string) => boolean,
): Promise<{ text: string; ended: boolean; response: Response }> {
  const response = await fetch(url, { headers: { accept: 'text/event-stream' } })
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  while (reader) {
    const { done, value } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
    if (!enough(text)) continue
    await reader.cancel()
    return { text, ended: false, response }
  }
  return { text, ended: true, response }
}

const linesOf = (text: string) =>
  text.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice('data: '.length)] : []))

function say(world: ListeningApi, text: string, dyno = 'web.1', source: 'app' | 'heroku' = 'app'): void {
  world.hub.append(world.appId, { at: new Date().toISOString(), source, dyno, text })
}

t.test('a log session gives the newest lines as events and ends', async (t) => {
  const world = await listen(t)
  for (let line = 1; line <= 5; line++) say(world, `line ${line}`)
  say(world, 'Listening on 1234', 'worker.1')
  say(world, 'State changed from starting to up', 'web.1', 'heroku')
  await world.hub.flush()
  const read = async (wish: object) => {
    const session = await world.ask('POST /apps/demo/log-sessions', wish)
    t.equal(session.status, 201)
    const { text, ended, response } = await readUntil(session.body.logplex_url, () => false)
    t.ok(ended)
    t.match(response.headers.get('content-type'), /^text\/event-stream/)
    t.ok(text.startsWith('retry: 10\n\n'), 'who would connect again need not wait long for nothing')
    return linesOf(text)
  }
  const all = await read({})
  t.equal(all.length, 8)
  t.match(all[1], /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00 app\[web\.1\]: line 1$/)
  t.equal((await read({ lines: 2, tail: false })).length, 2)
  t.strictSame((await read({ lines: 0 })).length, 0)
  t.equal((await read({ dyno: 'web' })).length, 6)
  t.equal((await read({ dyno: 'worker.1', source: null })).length, 1)
  t.match(await read({ source: 'heroku', lines: 99_999 }), [/heroku\[web\.1\]: State changed/])
})

t.test('who does not ask for events gets plain lines', async (t) => {
  const world = await listen(t)
  say(world, 'first')
  say(world, 'second')
  await world.hub.flush()
  const open = async (wish: object) => (await world.ask('POST /apps/demo/log-sessions', wish)).body.logplex_url
  const read = await fetch(await open({ dyno: 'web.1' }))
  t.equal(read.headers.get('content-type'), 'text/plain; charset=utf-8')
  t.match(await read.text(), /^\S+ app\[web\.1\]: first\n\S+ app\[web\.1\]: second\n$/)

  const tail = await fetch(await open({ lines: 0, tail: true }), { headers: { accept: '*/*' } })
  t.equal(tail.status, 200, 'a quiet tail answers at once')
  say(world, 'later')
  const reader = tail.body?.getReader()
  t.match(new TextDecoder().decode((await reader?.read())?.value), /^\S+ app\[web\.1\]: later\n$/)
  await reader?.cancel()
})

t.test('a tail goes on with what comes, without gap or double, and ends with its client', async (t) => {
  const world = await listen(t)
  say(world, 'before')
  const session = await world.ask('POST /apps/demo/log-sessions', { lines: 1, tail: true })
  let said = 0
  const timer = setInterval(() => say(world, `tick ${++said}`), 2)
  t.teardown(() => clearInterval(timer))
  const { text } = await readUntil(session.body.logplex_url, (soFar) => soFar.includes('tick 40'))
  const ticks = linesOf(text)
    .map((line) => Number(/tick (\d+)$/.exec(line)?.[1] ?? 0))
    .filter((tick) => tick > 0)
  const [first = 0] = ticks
  t.strictSame(
    ticks,
    ticks.map((_, index) => first + index),
    'each tick once, in order',
  )
  clearInterval(timer)
  const quiet = await readUntil(session.body.logplex_url, (soFar) => soFar.includes(': \n\n'))
  t.ok(quiet.text.includes(': \n\n'), 'a comment keeps a quiet tail alive')
})

t.test('a reader who is slow loses lines, and is told how many', async (t) => {
  const world = await listen(t, { env: { PAAS_LOG_LINES_PER_SECOND: '1000000' } })
  const session = await world.ask('POST /apps/demo/log-sessions', { lines: 1, tail: true })
  const { pathname } = new URL(session.body.logplex_url)
  const socket = connect(world.port, '127.0.0.1').on('error', () => {})
  t.teardown(() => socket.destroy())
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  await once(socket, 'readable')
  for (let line = 0; line < 3_000; line++) say(world, `${line} ${'x'.repeat(8_000)}`)
  await world.hub.flush()
  let text = ''
  socket.on('data', (chunk) => {
    text = (text + chunk.toString('latin1')).slice(-20_000)
  })
  await waitFor('the line that says what is missing', async () =>
    /Error L1[01] .* messages dropped/.test(text) ? true : undefined,
  )
  t.pass('told')
})

t.test('a tail ends when its token is revoked, and when its app is destroyed', async (t) => {
  const world = await listen(t)
  const bob = await world.person('bob@example.com')
  await world.call(bob, 'POST /apps', { name: 'bobs-app' })
  const host = { host: `127.0.0.1:${world.port}` }
  const bobs = (await world.call(bob, 'POST /apps/bobs-app/log-sessions', { tail: true }, host)).body.logplex_url
  const anns = (await world.ask('POST /apps/demo/log-sessions', { tail: true })).body.logplex_url
  const both = Promise.all([readUntil(bobs, () => false), readUntil(anns, () => false)])
  await waitFor('both tails', async () => ((await connections(world)) >= 2 ? true : undefined))
  await revokeAuthorization(world.db, bob.account.id, bob.authorizationId)
  await world.ask('DELETE /apps/demo')
  t.strictSame(
    (await both).map((r) => r.ended),
    [true, true],
  )
})

t.test('an account has so many tails, and no more', async (t) => {
  const world = await listen(t, { env: { PAAS_LOG_TAILS_PER_ACCOUNT: '2' } })
  const urls: string[] = []
  for (let tail = 0; tail < 3; tail++)
    urls.push((await world.ask('POST /apps/demo/log-sessions', { tail: true })).body.logplex_url)
  const gone = new AbortController()
  const [first, second] = await Promise.all(urls.slice(0, 2).map((url) => fetch(url, { signal: gone.signal })))
  t.strictSame([first?.status, second?.status], [200, 200])
  const third = await fetch(urls[2] ?? '')
  t.match([third.status, await third.json()], [429, { id: 'rate_limit' }])
  t.equal((await world.ask('POST /apps/demo/log-sessions', { tail: true })).status, 429)
  t.equal((await world.ask('POST /apps/demo/log-sessions', { tail: false })).status, 201, 'a read is no tail')
  gone.abort()
  await waitFor('room for another', async () =>
    (await world.ask('POST /apps/demo/log-sessions', { tail: true })).status === 201 ? true : undefined,
  )
})

t.test('a log session is over after its time, and nobody invents one', async (t) => {
  const world = await listen(t, { timings: { logSessionMs: 0 } })
  const session = await world.ask('POST /apps/demo/log-sessions', {})
  for (const url of [session.body.logplex_url, session.body.logplex_url.replace(/\/[^/]+$/, '/invented.secret')]) {
    const response = await fetch(url)
    t.match([response.status, await response.json()], [404, { id: 'not_found', resource: 'session' }])
  }
})

t.test('closing the API ends tails at once', async (t) => {
  const world = await listen(t)
  const session = await world.ask('POST /apps/demo/log-sessions', { tail: true })
  const reading = readUntil(session.body.logplex_url, () => false).catch(() => 'cut')
  await waitFor('the tail', async () => ((await connections(world)) >= 1 ? true : undefined))
  const before = Date.now()
  await world.api.close()
  await reading
  t.ok(Date.now() - before < 5_000)
})

t.test("a build's output is read live from its start, and from its row afterwards", async (t) => {
  const world = await listen(t)
  const build = await insertBuild(world.db, {
    appId: world.appId,
    accountId: world.ann.account.id,
    commit: '',
    commitDescription: '',
  })
  const running = world.buildOutput.begin(world.appId)
  running.write('-----> Python\n')
  const url = (await world.ask(`GET /apps/demo/builds/${build.id}`)).body.output_stream_url
  const live = readUntil(url, () => false)
  const first = await readUntil(url, (text) => text.includes('Python'))
  t.notOk(first.ended, 'the first text comes while it is under way')
  running.write('       Installing\n')
  await finishBuild(world.db, build.id, {
    status: 'succeeded',
    output: '-----> Python\n       Installing\n-----> Done\n',
  })
  running.end()
  t.equal((await live).text, '-----> Python\n       Installing\n-----> Done\n')
  t.equal((await readUntil(url, () => false)).text, '-----> Python\n       Installing\n-----> Done\n')
})

t.test("a release command's output is read live, and from its row afterwards", async (t) => {
  const world = await listen(t)
  const release = await world.deploy(world.appId, {
    status: 'pending',
    processTypes: { web: 'serve', release: 'migrate' },
  })
  const url = (await world.ask(`GET /apps/demo/releases/${release.version}`)).body.output_stream_url
  const live = readUntil(url, () => false)
  await waitFor('the reader', async () => ((await connections(world)) >= 1 ? true : undefined))
  await waitFor('its first line', async () => {
    world.platform.releaseNews.publish(release.id, { kind: 'line', text: 'Applying 0001' })
    return true as const
  })
  await moveReleaseCommand(world.db, release.id, 'waiting', 'succeeded', 'Applying 0001\nApplying 0002\n')
  await settleRelease(world.db, release.id, { status: 'succeeded' })
  t.match((await live).text, /Applying 0002\n$/)
  t.equal((await readUntil(url, () => false)).text, 'Applying 0001\nApplying 0002\n')
})

t.test('a body that does not come is not waited for', async (t) => {
  const world = await listen(t, { timings: { bodyMs: 50 } })
  const socket = connect(world.port, '127.0.0.1')
  const head = ['POST /apps HTTP/1.1', 'Host: 127.0.0.1', `Authorization: Bearer ${world.ann.token}`]
  socket.write(`${[...head, 'Content-Type: application/json', 'Content-Length: 20'].join('\r\n')}\r\n\r\n{`)
  socket.on('error', () => {})
  await once(socket, 'close')
  t.pass('the connection is cut')
})
