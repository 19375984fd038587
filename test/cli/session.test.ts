// Logging in and out, help, refusals and failures of the way to the API: all that isn't one command's own.
import { X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import path from 'node:path'
import selfsigned from 'selfsigned'
import t from 'tap'
import { app, bundleCli, startApi, token } from './stand-in.js'

// Each run of the CLI is a process of its own; on a busy machine many of them take a while.
t.setTimeout(180_000)

const account = { body: { id: 'acc-1', email: 'me@example.com' } }

t.test('login stores a token that the platform accepts, for this platform and this account only', async (t) => {
  const cli = await bundleCli(t)
  const api = await startApi(t, {
    'GET /account': ({ headers }) =>
      headers.authorization === 'Bearer good'
        ? account
        : { status: 401, body: { id: 'unauthorized', message: 'Invalid credentials provided.' } },
  })
  const env = { PAAS_API_URL: api.origin }
  const file = path.join(cli.home, '.config/paas/credentials.json')

  const before = await cli.run(['whoami'], { env })
  t.equal(before.code, 1)
  t.match(before.stderr, /^ ▸ {4}You are not logged in to .*\n ▸ {4}Run paas login/)

  const refused = await cli.run(['login'], { env, input: 'bad\n' })
  t.equal(refused.code, 1)
  t.match(refused.stderr, /^Logging in\.\.\. !\n ▸ {4}http\S+ does not accept this token/)
  t.notMatch(refused.stderr, /Run paas login/, 'that is what was done')
  t.throws(() => statSync(file), 'a refused token is not stored')

  const accepted = await cli.run(['login'], { env, input: 'good\n' })
  t.same(accepted, { code: 0, stdout: 'Logged in as me@example.com\n', stderr: 'Logging in... done\n' })
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.same(JSON.parse(readFileSync(file, 'utf8')), { [api.origin]: { token: 'good', email: 'me@example.com' } })
  t.equal((await cli.run(['whoami'], { env })).stdout, 'me@example.com\n')
  t.equal((await cli.run(['auth:token'], { env })).stdout, 'good\n')

  const elsewhere = await cli.run(['auth:token'], { env: { PAAS_API_URL: 'http://localhost:1' } })
  t.equal(elsewhere.code, 1, 'another platform gets no token')

  t.equal((await cli.run(['logout', '--json'], { env })).stdout, '{\n  "logged_out": true\n}\n')
  t.notMatch(readFileSync(file, 'utf8'), 'good')
  t.equal((await cli.run(['logout', '--json'], { env })).stdout, '{\n  "logged_out": false\n}\n')
})

t.test('PAAS_API_KEY goes before the stored token, and a damaged file is said to be one', async (t) => {
  const cli = await bundleCli(t)
  const folder = path.join(cli.home, '.config/paas')
  const api = await startApi(t, { 'GET /account': account })
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'credentials.json'), '{"http')
  t.equal((await cli.run(['auth:token'], { api })).stdout, `${token}\n`)
  const damaged = await cli.run(['auth:token'])
  t.match(damaged.stderr, /credentials\.json is damaged; remove it and run paas login/)
})

t.test("errors are the API's own words, and the way there is described when it fails", async (t) => {
  const cli = await bundleCli(t)
  let calls = 0
  const api = await startApi(t, {
    'GET /apps': () => {
      calls += 1
      return calls < 3 ? { status: 503, body: { id: 'unavailable', message: 'Starting.' } } : { body: [app] }
    },
    'GET /apps/gone': { status: 404, body: { id: 'not_found', message: "Couldn't find that app." } },
    'GET /apps/plain': { status: 500, text: '<html>' },
    'GET /apps/moved': { status: 302, headers: { location: 'http://localhost:1/' }, text: '' },
    'GET /apps/warned': {
      headers: { 'x-heroku-warning': 'Stack is old' },
      body: app,
    },
    'PATCH /apps/x': { status: 503, body: { id: 'unavailable', message: 'Starting.' } },
    'GET /apps/evil': { status: 422, body: { id: 'invalid_params', message: 'bad \x1b]0;owned\x07\x1b[2Jname' } },
  })
  t.same(await cli.run(['maintenance', '-a', 'gone'], { api }), {
    code: 1,
    stdout: '',
    stderr: " ▸    Couldn't find that app.\n",
  })
  t.match((await cli.run(['maintenance', '-a', 'plain'], { api })).stderr, 'GET /apps/plain was answered with 500')
  t.match((await cli.run(['maintenance', '-a', 'moved'], { api })).stderr, 'was answered with 302')
  t.equal((await cli.run(['maintenance', '-a', 'evil'], { api })).stderr, ' ▸    bad name\n')
  t.match(await cli.run(['maintenance', '-a', 'warned'], { api }), { code: 0, stderr: / ▸ {4}Warning: Stack is old/ })

  t.match(await cli.run(['apps'], { api }), { code: 0, stdout: /my-app/ }, 'GET is tried again')
  t.equal(calls, 3)
  api.takeAsked()
  t.equal((await cli.run(['maintenance:on', '-a', 'x'], { api })).code, 1)
  t.equal(api.takeAsked().length, 1, 'PATCH is not')

  t.same(await cli.run(['apps'], { env: { PAAS_API_URL: 'http://localhost:1', PAAS_API_KEY: 'x' } }), {
    code: 1,
    stdout: '',
    stderr: ' ▸    The platform at http://localhost:1 does not answer. Start it with docker/up, or set PAAS_API_URL.\n',
  })
  t.match(await cli.run(['apps'], { env: { PAAS_API_URL: 'localhost:5000' } }), { code: 1, stderr: /PAAS_API_URL is / })
})

t.test('a connection that breaks off in the middle is said to', async (t) => {
  const cli = await bundleCli(t)
  const server = createServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[{"name"'))
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`
  t.match(await cli.run(['apps'], { api: { origin } }), { code: 1, stderr: /The answer broke off/ })
})

t.test('names under localhost are this machine, whatever the resolver says', async (t) => {
  const cli = await bundleCli(t)
  const api = await startApi(t, { 'GET /apps': { body: [app] } })
  const origin = api.origin.replace('localhost', 'api.nobody-resolves-this.localhost')
  t.match(await cli.run(['apps'], { api: { origin } }), { code: 0, stdout: /my-app/ })
  const v6 = await startApi(t, { 'GET /apps': { body: [app] } }, '::1')
  t.match(await cli.run(['apps'], { api: v6 }), { code: 0, stdout: /my-app/ }, 'by IPv6 alone, too')
})

t.test("the platform's own CA is printed, kept and then trusted for its own address", async (t) => {
  const cli = await bundleCli(t)
  const ca = await selfsigned.generate([{ name: 'commonName', value: 'paas test CA' }], {
    keySize: 2048,
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  })
  t.ok(new X509Certificate(ca.cert).ca)
  const api = await startApi(t, { 'GET /certs/ca': { text: ca.cert } })
  t.equal((await cli.run(['certs:ca'], { env: { PAAS_API_URL: api.origin } })).stdout.trim(), ca.cert.trim())

  const secure = https.createServer({ key: ca.private, cert: ca.cert }, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}')
  })
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    secure.closeAllConnections()
    secure.close()
  })
  const origin = `https://localhost:${(secure.address() as AddressInfo).port}`
  const distrusted = await cli.run(['status'], { env: { PAAS_API_URL: origin } })
  t.match(distrusted, { code: 1, stderr: /has a certificate that this machine does not trust/ })
  const folder = path.join(cli.home, '.config/paas/certificates')
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'localhost.pem'), ca.cert)
  t.match(await cli.run(['status'], { env: { PAAS_API_URL: origin } }), { code: 0, stdout: /status: +ok/ })

  const broken = await startApi(t, { 'GET /certs/ca': { text: 'no certificate' } })
  t.match(await cli.run(['certs:ca'], { env: { PAAS_API_URL: broken.origin } }), {
    code: 1,
    stderr: /not one CA certificate/,
  })
})

t.test('help shows what there is, and a wrong word gets the nearest right one', async (t) => {
  const cli = await bundleCli(t)
  const overview = await cli.run(['--help'])
  t.match(overview, { code: 0, stderr: '', stdout: /TOPICS\n {2}addons [\s\S]*COMMANDS\n {2}account / })
  t.same(await cli.run([]), overview)
  t.same(await cli.run(['help']), overview)
  t.match(
    (await cli.run(['help', 'ps'])).stdout,
    /USAGE\n {2}\$ paas ps [\s\S]*EXAMPLES[\s\S]*ps:scale {4}set how many/,
  )
  t.match((await cli.run(['ps:scale', '-a', 'x', '--help'])).stdout, /EXAMPLES\n {2}\$ paas ps:scale web=2 worker=1/)
  t.match((await cli.run(['git'])).stdout, /git:remote/)
  t.match((await cli.run(['version'])).stdout, /^paas\/\d+\.\d+\.\d+ \S+ node-v\d+/)
  t.match(await cli.run(['confg']), { code: 2, stderr: /confg is not a paas command\.\n ▸ {4}Did you mean config\?/ })
  t.match(await cli.run(['zzzzzzzz']), { code: 2, stderr: /Run paas help for a list of commands/ })
  t.match(await cli.run(['help', 'addon']), { code: 2, stderr: /Did you mean addons/ })
  t.match(await cli.run(['ps', '--apps', 'x']), { code: 2, stderr: /Unknown option '--apps'\. Did you mean --app\?/ })
  t.match(await cli.run(['ps'], { api: { origin: 'http://localhost:1' } }), { code: 2, stderr: /No app specified/ })
})

t.test('colour is for terminals, and can be asked for and refused', async (t) => {
  const cli = await bundleCli(t)
  const api = await startApi(t, { 'GET /apps/my-app/config-vars': { body: { A: '1' } } })
  const run = async (env: NodeJS.ProcessEnv) => (await cli.run(['config', '-a', 'my-app'], { api, env })).stdout
  t.notMatch(await run({}), /\x1b/)
  t.match(await run({ FORCE_COLOR: '1' }), /\x1b\[35m⬢ my-app/)
  t.notMatch(await run({ FORCE_COLOR: '1', NO_COLOR: '1' }), /\x1b/)
})
