/** The strict front: who gets in, what malformed requests are answered, and that the server outlives them all. */
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { otherToken, startFront, talk, token, transports, until } from './front-world.js'
import { ask, askToPush, basic, commandList, fetchType, pktLine, pushBody, pushType, rawRequest } from './raw-git.js'

// The machine may be busy with everything else that is tested.
t.setTimeout(180_000)

const routes = [
  { method: 'GET', path: '/hello.git/info/refs?service=git-upload-pack' },
  { method: 'GET', path: '/hello.git/info/refs?service=git-receive-pack' },
  { method: 'GET', path: '/hello/info/refs?service=git-receive-pack' },
  { method: 'GET', path: '/hello.git/info/refs' },
  { method: 'POST', path: '/hello.git/git-upload-pack' },
  { method: 'POST', path: '/hello.git/git-receive-pack' },
  { method: 'GET', path: '/hello.git/git-receive-pack' },
  { method: 'PUT', path: '/hello.git/info/refs' },
  { method: 'DELETE', path: '/hello.git/git-upload-pack' },
  { method: 'HEAD', path: '/hello.git/info/refs?service=git-upload-pack' },
]

const badAuthorizations = [
  'Basic',
  'Basic ',
  'Basic =',
  'Basic ====',
  'Basic %%%',
  `Basic ${Buffer.from('no-colon').toString('base64')}`,
  `Basic ${Buffer.from(':').toString('base64')}`,
  `Basic ${Buffer.from(`${token}:`).toString('base64')}`,
  basic('wrong'),
  basic(`${token} `),
  basic(`${token}\0`),
  basic('é'),
  'Bearer',
  'Bearer ',
  'Bearer wrong',
  `Bearer ${token} ${token}`,
  `Bearer ${'x'.repeat(9000)}`,
  token,
  `Digest username="any", response="${token}"`,
  'Negotiate YII=',
  ' ',
  ',',
]

for (const [name, makeTransport] of Object.entries(transports))
  t.test(`the front over ${name}`, async (t) => {
    const front = await startFront({ transport: makeTransport() })
    t.teardown(() => front.close())
    const appId = await front.createApp('hello')
    await front.createApp('foreign', otherToken)
    const copy = await front.createCopy()
    const wholePush = await pushBody(front, copy, ['refs/heads/master'])

    t.test('every route and method demands a valid token', async (t) => {
      for (const { method, path } of routes)
        for (const authorization of [undefined, ...badAuthorizations]) {
          const headers: Record<string, string> = { 'content-type': pushType }
          if (authorization !== undefined) headers.authorization = authorization
          const body = method === 'POST' ? wholePush : undefined
          const answer = await ask(front, { method, path, headers, body })
          if (answer.status !== 401) t.equal(answer.status, 401, `${method} ${path} with ${authorization}`)
          if (!/^Basic realm=/.test(answer.headers['www-authenticate'] ?? ''))
            t.fail(`no challenge to ${method} ${path}`)
        }
      t.equal(await front.repos.readRef(appId, 'refs/heads/master'), undefined)
      t.equal(front.pushes.length, 0)
    })

    t.test('a token is taken as Bearer and as Basic password with any user', async (t) => {
      const path = '/hello.git/info/refs?service=git-upload-pack'
      for (const authorization of [basic(token), basic(token, ''), `Bearer ${token}`, `bearer ${token}`])
        t.equal((await ask(front, { path, headers: { authorization } })).status, 200, authorization)
    })

    t.test("an unknown app, another's app and an impossible name are answered alike", async (t) => {
      const names = [
        'foreign',
        'unknown-app',
        'ab',
        'Hello',
        '-x',
        'a..b',
        '%2e%2e',
        '..%2fhello',
        '%2fetc%2fpasswd',
        'hello%00',
      ]
      names.push(
        'x'.repeat(300),
        'héllo',
        'hello.git.git',
        'hello;id',
        '$(id)',
        'hello%20',
        'a'.repeat(31),
        '1abc',
        'abc-',
      )
      const service = ['upload-pack', 'receive-pack']
      const answers = new Set<string>()
      for (const app of names)
        for (const each of service) {
          const headers = { authorization: basic(token) }
          const path = `/${encodeURI(app).replaceAll('%25', '%')}.git`
          const listed = await ask(front, { path: `${path}/info/refs?service=git-${each}`, headers })
          const type = `application/x-git-${each}-request`
          const posted = await ask(front, {
            method: 'POST',
            path: `${path}/git-${each}`,
            headers: { ...headers, 'content-type': type },
            body: '0000',
          })
          answers.add(`${listed.status} ${listed.body}`).add(`${posted.status} ${posted.body}`)
        }
      // A name longer than a route's parameter may be is refused by the server itself, for everybody alike.
      const ours = [...answers].filter((answer) => !answer.startsWith('414 '))
      t.strictSame(ours, ["404  !     Couldn't find that app.\n"])
    })

    t.test('dumb HTTP, other methods, other types and other encodings are refused', async (t) => {
      const headers = { authorization: basic(token) }
      t.equal((await ask(front, { path: '/hello.git/info/refs', headers })).status, 403)
      t.equal((await ask(front, { path: '/hello.git/info/refs?service=git-shell', headers })).status, 403)
      t.equal((await ask(front, { path: '/hello.git/info/refs?service=a&service=b', headers })).status, 403)
      for (const path of [
        '/hello.git/HEAD',
        '/hello.git/objects/info/packs',
        '/hello.git/config',
        '/hello.git/hooks/x',
      ])
        t.equal((await ask(front, { path, headers })).status, 404, path)
      for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])
        t.equal((await ask(front, { method, path: '/hello.git/git-receive-pack', headers })).status, 405, method)
      t.equal((await ask(front, { method: 'HEAD', path: '/hello.git/info/refs', headers })).status, 405)
      for (const type of ['application/json', 'text/plain', fetchType, `${pushType}; charset=utf-8`, ''])
        t.equal((await askToPush(front, 'hello', '{}', { 'content-type': type })).status, 415, type)
      for (const encoding of ['deflate', 'br', 'gzip, gzip', 'identity'])
        t.equal((await askToPush(front, 'hello', wholePush, { 'content-encoding': encoding })).status, 415, encoding)
    })

    t.test('a body that is no push is answered 400 and changes nothing', async (t) => {
      const oid = 'a'.repeat(40)
      const bodies = [
        '',
        'x',
        '0000extra',
        '0001',
        '0004',
        'zzzz',
        '00',
        'ffff',
        '0032want 0123456789012345678901234567890123456789\n0000',
        '000bpush-cert0000',
        commandList([{ ref: 'refs/heads/master', newOid: oid }]).slice(0, 60),
        commandList([{ ref: 'refs/heads/master', newOid: oid }], 'x'.repeat(9000)),
        commandList([{ ref: `refs/heads/${'a'.repeat(2000)}`, newOid: oid }]),
        commandList([{ ref: '', newOid: oid }]),
      ]
      for (const body of bodies)
        t.equal((await askToPush(front, 'hello', body)).status, 400, JSON.stringify(body.slice(0, 70)))
      const broken = { 'content-encoding': 'gzip' }
      t.equal((await askToPush(front, 'hello', 'this is not gzip', broken)).status, 400)
      t.equal((await askToPush(front, 'hello', gzipSync(wholePush).subarray(0, 40), broken)).status, 400)
      t.equal((await askToPush(front, 'unknown-app', Buffer.alloc(5 * 1024 ** 2))).status, 404)
      t.equal(front.pushes.length, 0)
    })

    t.test('a thousand random headers and bodies are each answered with a refusal', async (t) => {
      let seed = 20_240
      const random = (below: number) => {
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
        return seed % below
      }
      const noise = (length: number) => Buffer.from(Array.from({ length }, () => random(256)))
      const refusals = new Map<number, number>()
      for (let at = 0; at < 1000; at++) {
        const isBody = at % 2 === 0
        const flipped = Buffer.from(wholePush)
        // Within the ids and the frame: what stays well-formed names objects that aren't there.
        flipped[random(86)] = random(256)
        const body = isBody ? (at % 4 === 0 ? noise(random(200)) : flipped) : wholePush
        const authorization = isBody ? basic(token) : `Basic ${noise(random(30)).toString('hex').slice(random(9))}`
        const headers = { authorization, 'content-type': pushType }
        const answer = await ask(front, { method: 'POST', path: '/hello.git/git-receive-pack', headers, body })
        const refused = answer.status >= 400 || /ng refs|unpack [^o]|ERR|error:/.test(answer.body)
        refusals.set(answer.status, (refusals.get(answer.status) ?? 0) + 1)
        if (!refused && answer.body !== '')
          t.fail(`${answer.status} to ${JSON.stringify(body.toString('latin1').slice(0, 120))}: ${answer.body}`)
      }
      t.ok((refusals.get(401) ?? 0) >= 500)
      t.notOk(
        [...refusals.keys()].some((status) => status >= 500),
        JSON.stringify([...refusals]),
      )
      t.equal(await front.repos.readRef(appId, 'refs/heads/master'), undefined)
    })

    t.test('a client that leaves in the middle leaves nothing behind', async (t) => {
      const request = rawRequest('hello', wholePush)
      for (let cut = 1; cut <= 20; cut++) {
        const socket = net.connect(front.port, '127.0.0.1').on('error', () => {})
        await new Promise((resolve) => socket.once('connect', resolve))
        await new Promise((resolve) =>
          socket.write(request.subarray(0, Math.floor((request.length * cut) / 21)), resolve),
        )
        if (cut % 2 === 0) socket.destroy()
        else socket.resetAndDestroy()
      }
      await until('git to be gone', async () => (await front.leftovers()).length === 0)
      t.equal(await front.repos.readRef(appId, 'refs/heads/master'), undefined)
    })

    t.test('a push that arrives byte by byte is taken', async (t) => {
      await front.createApp('slowly')
      const request = rawRequest('slowly', wholePush, ['Connection: close', 'Expect: 100-continue'])
      const answer = await talk(
        front.port,
        [...request].map((byte) => Buffer.from([byte])),
      )
      t.match(answer, /HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
      t.match(answer, /ok refs\/heads\/master/)
    })

    t.test('a chunked and a gzipped push are taken', async (t) => {
      await front.createApp('chunked')
      await front.createApp('gzipped')
      const chunked = await askToPush(front, 'chunked', wholePush, { 'transfer-encoding': 'chunked' })
      t.match(chunked.body, /ok refs\/heads\/master/)
      const gzipped = await askToPush(front, 'gzipped', gzipSync(wholePush), { 'content-encoding': 'gzip' })
      t.match(gzipped.body, /ok refs\/heads\/master/)
    })

    t.test('the empty list that git sends before a large push is no push', async (t) => {
      const before = front.pushes.length
      const answer = await askToPush(front, 'hello', '0000')
      t.equal(answer.status, 200)
      t.equal(answer.body, '')
      t.equal(front.pushes.length, before)
    })

    t.test('a push still works after all of it', async (t) => {
      const { code, output } = await front.push(copy, 'hello', 'master')
      t.equal(code, 0, output)
      t.ok(await front.repos.readRef(appId, 'refs/heads/master'))
      t.strictSame(
        front.logged.filter((line) => line.includes('fault of ours')),
        [],
      )
    })
  })

t.test('a client that falls silent or drips is ended', async (t) => {
  const limits = { idleTimeoutMs: 100, timeoutMs: 600 }
  const front = await startFront({ transport: transports.spawn(), limits })
  t.teardown(() => front.close())
  await front.createApp('hello')
  const request = rawRequest('hello', await pushBody(front, await front.createCopy(), ['refs/heads/master']))
  for (const sent of [request.length - 5, request.indexOf('PACK'), request.indexOf('refs/')]) {
    const begun = Date.now()
    t.match(await talk(front.port, request.subarray(0, sent)), /^$|HTTP\/1.1 408/)
    t.ok(Date.now() - begun < 15_000)
  }
  const socket = net.connect(front.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  socket.resume()
  const begun = Date.now()
  let at = request.length - 400
  socket.write(request.subarray(0, at))
  const drip = setInterval(() => socket.write(request.subarray(at, ++at)), 20)
  await new Promise((resolve) => socket.once('close', resolve))
  clearInterval(drip)
  t.ok(Date.now() - begun < 15_000)
  await until('git to be gone', async () => (await front.leftovers()).length === 0)
})

t.test('a client that does not read is ended', async (t) => {
  const front = await startFront({ transport: transports.spawn(), limits: { idleTimeoutMs: 300 } })
  t.teardown(() => front.close())
  await front.createApp('hello')
  const copy = await front.createCopy({ blob: randomBytes(40 * 1024 ** 2) })
  t.equal((await front.push(copy, 'hello', 'master')).code, 0)
  const oid = (await front.git(copy, ['rev-parse', 'HEAD'])).output.trim()
  const body = `${pktLine(`want ${oid} side-band-64k\n`)}0000${pktLine('done\n')}`
  const socket = net.connect(front.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  let received = 0
  const begun = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      received += chunk.length
      socket.pause()
      resolve()
    })
  })
  socket.write(
    [
      'POST /hello.git/git-upload-pack HTTP/1.1',
      'Host: localhost',
      `Authorization: ${basic(token)}`,
      `Content-Type: ${fetchType}`,
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n'),
  )
  await begun
  await until('git to be gone', async () => (await front.leftovers()).length === 0)
  socket.removeAllListeners('data')
  socket.on('data', (chunk) => {
    received += chunk.length
  })
  const ended = new Promise((resolve) => socket.once('close', resolve))
  socket.resume()
  await ended
  t.ok(received < 40 * 1024 ** 2, `${received}`)
})

t.test('a store that is away means try again', async (t) => {
  const front = await startFront({ transport: transports.spawn() })
  t.teardown(() => front.close())
  const real = front.accounts.get.bind(front.accounts)
  front.accounts.get = () => {
    throw new Error('the database is away')
  }
  const path = '/hello.git/info/refs?service=git-upload-pack'
  const answer = await ask(front, { path, headers: { authorization: basic(token) } })
  t.equal(answer.status, 503)
  t.match(answer.body, /try again in a moment/)
  t.match(front.logged.join('\n'), /the database is away/)
  front.accounts.get = real
})
