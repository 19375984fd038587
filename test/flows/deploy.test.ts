// Goal: what a user does in the first hour works as written: push, look, configure, scale, roll back, add a domain, destroy.
// Method: one platform of its own on the real engine; the real git and the built `paas` command; requests through the router.
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import https from 'node:https'
import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import tls from 'node:tls'
import t from 'tap'
import { WebSocket } from 'ws'
import { startWorld, until, type World } from '../support/world.js'

t.setTimeout(400_000)

let world: World
let repo: string
const app = 'first-app'

t.before(async () => {
  world = await startWorld()
})
t.teardown(() => world.stop())

const body = async () => (await world.get(app)).body

t.test('a Node app that is pushed answers at its own name', async (t) => {
  repo = await world.checkout('node', app)
  const pushed = await world.push(repo)
  t.equal(pushed.code, 0, pushed.output)
  t.match(pushed.output, /-----> Building on paas-13/)
  t.match(pushed.output, /-----> Discovering process types: web/)
  t.match(pushed.output, /web\.1 up in [\d.]+ s/)
  t.match(pushed.output, new RegExp(`Released v2 → http://${app}\\.localhost`))
  const reply = await world.get(app)
  t.equal(reply.status, 200)
  t.match(reply.body, /^Hello from Node\.js v22/)
  t.equal((await world.get('no-such-app')).status, 404)
})

t.test('it answers over https with a certificate of the platform’s own CA', async (t) => {
  const ca = (await world.paas(['certs:ca'])).stdout
  const status = await new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: world.config.httpsPort,
      servername: `${app}.localhost`,
      ca,
      headers: { host: `${app}.localhost` },
    }
    https.get(options, (response) => resolve(response.resume().statusCode)).once('error', reject)
  })
  t.equal(status, 200)
})

t.test('files are as old as their commit, so that no browser keeps a file of the release before', async (t) => {
  await world.commitAll(repo, 'Nothing changed')
  t.equal((await world.push(repo)).code, 0)
  const { stdout } = await world.git(['log', '-1', '--format=%ct'], repo)
  const ran = await world.paas(['run', '--app', app, '--no-tty', '--', 'stat --format=%Y package.json'])
  t.equal(ran.stdout.trim(), stdout.trim(), ran.output)
})

t.test('the same commit gives another app the same image', async (t) => {
  const imagesOf = async (name: string) => {
    const { id } = await world.api<{ id: string }>('GET', `/apps/${name}`)
    const tags = await world.engine.listTags(`${world.config.instance}/app-${id}`)
    return await Promise.all(tags.map(async (tag) => (await world.engine.findImage(tag))?.id))
  }
  t.equal((await world.paas(['create', 'twin-app', '--remote', 'twin'], { cwd: repo })).code, 0)
  const pushed = await world.push(repo, 'twin')
  t.equal(pushed.code, 0, pushed.output)
  const [image] = await imagesOf('twin-app')
  t.ok(image)
  t.equal((await imagesOf(app)).filter((id) => id === image).length, 1)
  t.equal((await world.paas(['apps:destroy', 'twin-app', '--confirm', 'twin-app'])).code, 0)
})

t.test('a config var is a release, and no request is dropped while dynos are replaced', async (t) => {
  let failures = 0
  let answered = 0
  let stop = false
  const load = (async () => {
    while (!stop) {
      const reply = await world.get(app).catch(() => undefined)
      if (reply?.status === 200) answered++
      else failures++
    }
  })()
  const set = await world.paas(['config:set', 'GREETING=Servus', '--app', app])
  t.equal(set.code, 0, set.output)
  await until('the new greeting', async () => (await body()).startsWith('Servus'))
  const restarted = await world.paas(['ps:restart', '--app', app])
  t.equal(restarted.code, 0, restarted.output)
  await until('the old dyno to be gone', async () => (await runningDynos(world)).length === 1)
  stop = true
  await load
  t.equal(failures, 0, `${failures} of ${answered + failures} requests failed`)
  t.ok(answered > 20)
  t.equal((await world.paas(['config:get', 'GREETING', '--app', app])).stdout.trim(), 'Servus')
  t.match((await world.paas(['releases', '--app', app])).stdout, /v4\s.*Set GREETING config var/)
})

t.test('scaling adds dynos and takes them away', async (t) => {
  const scaled = await world.paas(['ps:scale', 'web=2', '--app', app])
  t.equal(scaled.code, 0, scaled.output)
  await until('two dynos up', async () => /web\.2: up/.test((await world.paas(['ps', '--app', app])).stdout))
  await world.paas(['ps:scale', 'web=1', '--app', app])
  await until('one dyno', async () => (await runningDynos(world)).length === 1)
  t.equal((await world.get(app)).status, 200)
})

t.test('a new version is served, and a rollback brings back code and config', async (t) => {
  const file = path.join(repo, 'index.js')
  await writeFile(file, (await readFile(file, 'utf8')).replace('from Node.js', 'from the new'))
  await world.commitAll(repo, 'Say it otherwise')
  t.equal((await world.push(repo)).code, 0)
  t.match(await body(), /^Servus from the new/)
  const back = await world.paas(['rollback', 'v2', '--app', app])
  t.equal(back.code, 0, back.output)
  await until('the first version', async () => (await body()).startsWith('Hello from Node.js'))
  t.match((await world.paas(['releases', '--app', app])).stdout, /Rollback to v2/)
})

t.test('a custom domain leads to the app until it is removed', async (t) => {
  const added = await world.paas(['domains:add', 'www.example.test', '--app', app])
  t.equal(added.code, 0, added.output)
  await until('the domain to answer', async () => (await world.get('www.example.test')).status === 200)
  await world.api('POST', '/apps', { name: 'second-app' })
  const taken = await world.paas(['domains:add', 'WWW.Example.test', '--app', 'second-app'])
  t.not(taken.code, 0)
  t.match(taken.stderr, /in use/)
  await world.paas(['domains:remove', 'www.example.test', '--app', app])
  await until('the domain to be unknown', async () => (await world.get('www.example.test')).status === 404)
  await world.paas(['apps:destroy', 'second-app', '--confirm', 'second-app'])
})

t.test('maintenance mode answers 503 and is left again', async (t) => {
  await world.paas(['maintenance:on', '--app', app])
  await until('the maintenance page', async () => (await world.get(app)).status === 503)
  await world.paas(['maintenance:off', '--app', app])
  await until('the app', async () => (await world.get(app)).status === 200)
  t.pass()
})

t.test('a one-off dyno runs a command, passes its exit code and reads standard input', async (t) => {
  const ran = await world.paas(['run', '--app', app, '--no-tty', '--', 'echo $DYNO $GREETING; exit 3'])
  t.equal(ran.code, 3, ran.output)
  t.match(ran.stdout, /run\.\d+/)
  const piped = await world.paas(['run', '--app', app, '--no-tty', '--', 'cat'], { input: 'through the pipe\n' })
  t.equal(piped.code, 0, piped.output)
  t.match(piped.stdout, /through the pipe/)
})

t.test('a shell whose client goes away ends at once, though it ignores SIGTERM', async (t) => {
  const dyno = await world.api<{ name: string; attach_url: string }>('POST', `/apps/${app}/dynos`, {
    command: 'echo ready; exec bash -i',
    attach: true,
  })
  // An address is good for both ways of attaching.
  const { pathname } = new URL(dyno.attach_url)
  const socket = new WebSocket(`ws://127.0.0.1:${world.config.apiPort}/attach${pathname}`)
  let output = ''
  socket.on('message', (data: Buffer) => {
    output += data.subarray(1).toString('utf8')
  })
  await once(socket, 'open')
  await until('the prompt', async () => /ready[\s\S]*\$ ?$/.test(stripVTControlCharacters(output)))
  const left = Date.now()
  socket.terminate()
  await until('the end of the shell', async () => {
    const dynos = await world.api<{ name: string }[]>('GET', `/apps/${app}/dynos`)
    return !dynos.some((one) => one.name === dyno.name)
  })
  t.ok(Date.now() - left < 25_000, 'long before the 30 s that SIGKILL comes after')
})

t.test('Heroku’s own command line attaches to a one-off dyno’s terminal', async (t) => {
  const ca = (await world.paas(['certs:ca'])).stdout
  const mark = '\uFFFF heroku-command-exit-status: '
  const dyno = await world.api<{ id: string; attach_url: string }>('POST', `/apps/${app}/dynos`, {
    command: `read name; stty size; echo "hei $name"; (exit 4) ; echo "${mark}$?"`,
    attach: true,
    env: { TERM: 'xterm', COLUMNS: 91, LINES: 33 },
  })
  const url = new URL(dyno.attach_url)
  t.equal(url.port, String(world.config.rendezvous.port))
  const socket = tls.connect(Number(url.port), url.hostname, { ca })
  socket.setEncoding('utf8')
  const pieces: string[] = []
  socket.on('connect', () => socket.write(`${url.pathname.slice(1)}\r\n`))
  socket.on('data', (piece: string) => {
    pieces.push(piece)
    if (pieces.length === 1) socket.write('Ann\r')
  })
  await new Promise((resolve, reject) => socket.once('close', resolve).once('error', reject))
  t.equal(pieces[0], 'rendezvous\r\n')
  const output = pieces.slice(1).join('')
  t.match(output, /^Ann\r\n|\r\nAnn\r\n/, 'echoed by the terminal')
  t.match(output, 'hei Ann\r\n')
  t.match(output, /33 91/)
  t.equal(pieces.at(-1), `${mark}4\r\n`)
  await until('the one-off to end', async () => {
    const dynos = await world.api<readonly { id: string }[]>('GET', `/apps/${app}/dynos`)
    return !dynos.some(({ id }) => id === dyno.id)
  })
})

t.test('the log tells what app, router and platform did', async (t) => {
  // Of each its own lines: how many requests came meanwhile depends on the machine.
  const line = (dyno: string, pattern: RegExp) =>
    until(`a line like ${pattern}`, async () =>
      pattern.test((await world.paas(['logs', '--num', '500', '--dyno', dyno, '--app', app])).stdout),
    )
  await line('web.1', /app\[web\.1\]: listening on \d+/)
  await line(
    'router',
    /heroku\[router\]: at=info method=GET path="\/" host=first-app\.localhost request_id=\S+ fwd="127\.0\.0\.1" dyno=web\.1 connect=\d+ms service=\d+ms status=200 bytes=\d+ protocol=http/,
  )
  await line('web.1', /heroku\[web\.1\]: State changed from starting to up/)
  await line('api', /app\[api\]: Set GREETING config var by user admin@localhost/)
  const only = (await world.paas(['logs', '--num', '50', '--dyno', 'router', '--app', app])).stdout.trim().split('\n')
  t.ok(only.every((l) => l.includes('heroku[router]')))
})

t.test('what a dyno prints last, when it is told to stop, is in the log', async (t) => {
  const script = `trap 'seq -f "bye %.0f" 1 1200; exit 0' TERM; echo ready; while :; do sleep 0.1; done`
  await writeFile(path.join(repo, 'Procfile'), 'talker: bash talk.sh\n')
  await writeFile(path.join(repo, 'talk.sh'), script)
  await world.commitAll(repo, 'Talk at the end')
  t.equal((await world.push(repo)).code, 0)
  const printed = async () => {
    const args = ['logs', '--app', app, '--source', 'app', '--dyno', 'talker.1', '--num', '1500']
    return (await world.paas(args)).stdout
  }
  await world.paas(['ps:scale', 'talker=1', '--app', app])
  await until('it runs', async () => (await printed()).includes('ready'))
  await world.paas(['ps:scale', 'talker=0', '--app', app])
  const { id } = await world.api<{ id: string }>('GET', `/apps/${app}`)
  const labels = { 'paas.app': id, 'paas.type': 'talker' }
  await until('it is gone', async () => (await world.engine.listContainers(labels)).length === 0)
  t.equal([...(await printed()).matchAll(/bye \d+$/gm)].length, 1200)
})

t.test('a destroyed app leaves nothing behind, and its name is free', async (t) => {
  const { id } = await world.api<{ id: string }>('GET', `/apps/${app}`)
  const gone = await world.paas(['apps:destroy', app, '--confirm', app])
  t.equal(gone.code, 0, gone.output)
  await until(
    'its containers to go',
    async () =>
      (await world.engine.listContainers({ 'paas.instance': world.config.instance, 'paas.app': id })).length === 0,
    60_000,
  )
  await until(
    'its images to go',
    async () => (await world.engine.listTags(`${world.config.instance}/app-${id}`)).length === 0,
  )
  t.equal((await world.get(app)).status, 404)
  await until(
    'the name to be free',
    async () => (await world.api<{ name?: string }>('POST', '/apps', { name: app }, [422])).name === app,
  )
})

async function runningDynos(w: World) {
  const all = await w.engine.listContainers({ 'paas.instance': w.config.instance, 'paas.kind': 'dyno' })
  return all.filter((c) => c.state === 'running')
}
