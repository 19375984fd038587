// The static buildpack: which folder it serves, and the server's answers, in the run image.
import { connect } from 'node:net'
import path from 'node:path'
import t from 'tap'
import type { Dyno } from './dyno.js'
import { fixtures, scratchApps } from './sandbox.js'

t.setTimeout(300_000)

const scratchApp = scratchApps(t)

const server = 'python3 -I /app/.heroku/static/server.py'

/** Sends bytes as they are and returns everything that comes back until the server closes or a second is quiet. */
async function raw(dyno: Dyno, bytes: string): Promise<string> {
  const socket = connect(5000, await dyno.address())
  let answer = ''
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')))
  socket.write(bytes, 'latin1')
  await new Promise<void>((resolve, reject) => {
    socket.setTimeout(1000, resolve)
    socket.once('close', () => resolve())
    socket.once('error', reject)
  })
  socket.destroy()
  return answer
}

t.test('a site with static.json', async (t) => {
  const app = scratchApp()
  const built = await app.build(path.join(fixtures, 'static'))
  t.equal(built.exitCode, 0, built.log)
  t.match(built.log, /^-----> Static app detected\n-----> Serving the root folder as static\.json says\n$/)
  t.same(built.header?.process_types, { web: server })
  const dyno = await app.run(server)

  const index = await dyno.get('/')
  t.equal(index.status, 200)
  t.equal(index.headers.get('content-type'), 'text/html; charset=utf-8')
  t.match(await index.text(), /Hello from a static site/)
  t.match(await (await dyno.get('/about')).text(), /About/, 'clean URLs')
  const old = await dyno.get('/old')
  t.equal(`${old.status} ${old.headers.get('location')}`, '302 /about')
  const css = await dyno.get('/assets/site.css')
  t.match(css.headers.get('cache-control'), /immutable/)
  t.equal(css.headers.get('content-type'), 'text/css; charset=utf-8')
  const missing = await dyno.get('/nothing')
  t.equal(missing.status, 404)
  t.match(await missing.text(), /There is nothing here/)

  const etag = css.headers.get('etag') ?? ''
  t.equal((await dyno.get('/assets/site.css', { headers: { 'if-none-match': etag } })).status, 304)
  t.equal((await dyno.get('/assets/site.css', { headers: { 'if-none-match': '"other"' } })).status, 200)
  t.equal((await dyno.get('/', { method: 'POST' })).status, 405)
  const head = await dyno.get('/', { method: 'HEAD' })
  t.equal(head.headers.get('content-length'), index.headers.get('content-length'))

  for (const secret of ['/static.json', '/.heroku/static/server.py', '/.heroku/static/config.json', '/.profile.d/x'])
    t.equal((await dyno.get(secret)).status, 404, secret)
  const memory = Number(
    /VmRSS:\s+(\d+)/.exec(await dyno.exec(['bash', '-c', 'cat /proc/$(pgrep -o python3)/status']))?.[1],
  )
  t.ok(memory < 30 * 1024, `it takes ${memory} kB`)
})

t.test('what comes over the wire cannot leave the folder or break the server', async (t) => {
  const app = scratchApp()
  const built = await app.build({
    'public/index.html': '<h1>in</h1>',
    'public/a b.txt': 'space',
    'public/sub/index.html': 'sub',
    'secret.txt': 'canary',
    'public/big.bin': 'x'.repeat(3_000_000),
    'public/long.txt': 'compress me '.repeat(200),
  })
  t.match(built.log, /Serving public\//)
  const dyno = await app.run(server)
  t.equal((await dyno.get('/')).status, 200)
  const paths = [
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/sub/../../secret.txt',
    '/%00',
    '//etc/passwd',
  ]
  for (const target of [
    ...paths,
    '/..\\secret.txt',
    '/%2e%2e%2fsecret.txt',
    '/./../secret.txt',
    'http://x/../secret.txt',
  ]) {
    const answer = await raw(dyno, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    t.match(answer, /^HTTP\/1\.1 (400|404|301) /, target)
    t.notMatch(answer, /canary|root:/, target)
  }
  t.match(
    await raw(dyno, 'GET /sub HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    /301 [\s\S]*Location: \/sub\/\r\n/,
  )
  t.match(await raw(dyno, 'GET //evil.example/.. HTTP/1.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 404/)
  t.match(await raw(dyno, 'NONSENSE\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.match(await raw(dyno, `GET / HTTP/1.1\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /)
  t.match(await raw(dyno, 'GET / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.match(await raw(dyno, 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'), /^HTTP\/1\.1 411 /)
  const two = await raw(
    dyno,
    'POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET /a%20b.txt HTTP/1.1\r\nConnection: close\r\n\r\n',
  )
  t.match(two, /^HTTP\/1\.1 405 [\s\S]*HTTP\/1\.1 200 [\s\S]*space$/, 'requests on one connection, bodies passed over')
  t.match(await raw(dyno, 'GET / HTTP/1.0\r\n\r\n'), /Connection: close\r\n\r\n<h1>in<\/h1>$/)

  const zipped = await dyno.get('/long.txt', { headers: { 'accept-encoding': 'gzip' } })
  t.equal(zipped.headers.get('content-encoding'), 'gzip')
  t.equal(zipped.headers.get('vary'), 'Accept-Encoding')
  t.equal((await zipped.text()).length, 2400)
  const big = await dyno.get('/big.bin')
  t.equal((await big.arrayBuffer()).byteLength, 3_000_000)
  const ranges: [string, number, string | null][] = [
    ['bytes=0-9', 206, 'bytes 0-9/3000000'],
    ['bytes=2999990-', 206, 'bytes 2999990-2999999/3000000'],
    ['bytes=-5', 206, 'bytes 2999995-2999999/3000000'],
    ['bytes=3000000-', 416, 'bytes */3000000'],
    ['bytes=5-1', 200, null],
    ['bytes=0-1,5-6', 200, null],
    ['lines=1-2', 200, null],
  ]
  for (const [range, status, content] of ranges) {
    const part = await dyno.get('/big.bin', { headers: { range } })
    await part.arrayBuffer()
    t.same([part.status, part.headers.get('content-range')], [status, content], range)
  }
  t.equal((await dyno.get('/')).status, 200, 'and it still serves')
})

t.test('the settings of static.json and Staticfile', async (t) => {
  const app = scratchApp()
  const settings = {
    root: 'dist/',
    routes: { '/**': 'index.html' },
    https_only: true,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholder is the site's own
    redirects: { '/go/': { url: 'https://example.com/${WHERE}' } },
    headers: { '/': { 'X-One': '1' }, '/**': { 'X-All': 'yes' }, '/deep/*': { 'X-All': 'deep' } },
    proxies: { '/api/': { origin: 'https://api.example.com' } },
    http2: true,
  }
  const built = await app.build({
    'static.json': JSON.stringify(settings),
    'dist/index.html': 'spa',
    'dist/deep/x.txt': 'x',
  })
  t.match(
    built.log,
    /'proxies' in static\.json is not supported[\s\S]*mean nothing here: http2\.[\s\S]*Serving dist\/ as static\.json says/,
  )
  const dyno = await app.run(server, { WHERE: 'there' })
  t.equal(await (await dyno.get('/any/route')).text(), 'spa')
  t.equal((await dyno.get('/deep/x.txt')).headers.get('x-all'), 'deep')
  t.equal((await dyno.get('/')).headers.get('x-one'), '1')
  t.equal((await dyno.get('/go/')).headers.get('location'), 'https://example.com/there')
  const plain = await dyno.get('/a?b=c', { headers: { 'x-forwarded-proto': 'http' } })
  t.match(`${plain.status} ${plain.headers.get('location')}`, /^301 https:\/\/[\d.:]+\/a\?b=c$/)

  const guarded = await app.build({ Staticfile: 'root: web\npushstate: enabled\n', 'web/index.html': 'spa' })
  t.equal(guarded.exitCode, 0, guarded.log)
  const second = await app.run(server, { BASIC_AUTH_USERNAME: 'u', BASIC_AUTH_PASSWORD: 'p' })
  t.equal((await second.get('/x')).status, 401)
  const authorization = `Basic ${Buffer.from('u:p').toString('base64')}`
  t.equal(await (await second.get('/x', { headers: { authorization } })).text(), 'spa')
})

t.test('a site that cannot be served is refused with its cause', async (t) => {
  const app = scratchApp()
  const refusals: [Record<string, string>, RegExp][] = [
    [{ 'static.json': '{ "root": ' }, /static\.json is not valid JSON: .*line 1/],
    [{ 'static.json': '{ "root": "missing" }' }, /The root of the site, missing\/, does not exist/],
    [{ 'static.json': '{ "root": "../.." }' }, /is outside of the app/],
    [{ 'static.json': '{ "routes": ["/a"] }', 'index.html': '' }, /'routes' in static\.json must be an object/],
    [{ 'static.json': '{}' }, /The site has no index\.html/],
    [{ 'static.json': '{ "headers": { "/": { "A": "b\\r\\nC: d" } } }', 'index.html': '' }, /The headers of '\/'/],
  ]
  for (const [files, message] of refusals) {
    const built = await app.build(files)
    t.equal(built.exitCode, 30)
    t.match(built.log, message)
  }
})

t.test('a front end that is built and has nothing to start is served from what it builds', async (t) => {
  const app = scratchApp()
  const build = `node -e "require('fs').mkdirSync('dist');require('fs').writeFileSync('dist/index.html','built')"`
  const built = await app.build({ 'package.json': JSON.stringify({ scripts: { build } }), 'index.html': 'source' })
  t.equal(built.exitCode, 0, built.log)
  t.match(built.log, /1\. nodejs\n {7}2\. static\n[\s\S]*Serving dist\//)
  const dyno = await app.run(server)
  t.equal(await (await dyno.get('/')).text(), 'built')
  const none = await app.build({ 'package.json': '{ "scripts": { "build": "true" } }' })
  t.equal(none.exitCode, 0, none.log)
  t.same(
    none.header?.buildpacks.map(({ name }) => name),
    ['nodejs'],
  )
})

t.test('a told server finishes what it is sending and ends', async (t) => {
  const app = scratchApp()
  await app.build({ 'index.html': 'x'.repeat(2_000_000) })
  const dyno = await app.run(server)
  const response = await dyno.get('/')
  await dyno.signal('SIGTERM')
  t.equal((await response.text()).length, 2_000_000)
  t.equal(await dyno.ended(), 0)
})
