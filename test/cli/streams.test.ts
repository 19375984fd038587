// Goal: an attached one-off dyno feels like a local command, and logs come through as they are written.
// Method: the server in place of the platform runs the dyno's command line with a real shell, speaking the attach
// protocol; the terminal is a real one, made by script(1).
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import { frames } from '../../cli/attach.js'
import { type Answers, type Api, app, bundleCli, ended, startApi, waitUntil } from './stand-in.js'

// Each run of the CLI is a process of its own; on a busy machine many of them take a while.
t.setTimeout(180_000)

interface Attached {
  readonly headers: http.IncomingHttpHeaders
  readonly request: { readonly command: string; readonly env?: Record<string, string>; readonly force_no_tty?: boolean }
  readonly resizes: string[]
  socket: WebSocket | undefined
}

/** A platform whose one-off dynos are shells on this machine, with `bin` ahead on their search path. */
async function startDynos(t: Test, answers: Answers = {}, bin = '/nonexistent') {
  const dynos: Attached[] = []
  let headers: http.IncomingHttpHeaders | undefined
  const api: Api = await startApi(t, {
    ...answers,
    'POST /apps/my-app/dynos': ({ body, headers }) => {
      const request = body as Attached['request'] & { readonly attach: boolean }
      dynos.push({ headers, request, resizes: [], socket: undefined })
      const attach_url = request.attach ? `${api.origin.replace('http', 'ws')}/attach/${dynos.length - 1}` : null
      return { status: 201, body: { name: `run.${dynos.length}`, state: 'starting', attach_url } }
    },
  })
  const sockets = new WebSocketServer({ server: api.server })
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
    sockets.close()
  })
  sockets.on('connection', (socket, request) => {
    headers = request.headers
    const dyno = dynos[Number(request.url?.split('/').at(-1))]
    if (dyno === undefined) return socket.close()
    dyno.socket = socket
    serveDyno(dyno, socket, `${bin}:${process.env.PATH}`)
  })
  return { api, dynos, attachHeaders: () => headers }
}

function serveDyno({ request, resizes }: Attached, socket: WebSocket, PATH: string): void {
  const env = { PATH, DATABASE_URL: 'postgres://u:p@db/x y', ...request.env }
  const child = spawn('sh', ['-c', request.command], { env, stdio: 'pipe', detached: true })
  const send = (kind: number, body: Buffer) => {
    child.stdout.pause()
    socket.send(Buffer.concat([Buffer.of(kind), body]), () => child.stdout.resume())
  }
  child.stdin.on('error', () => {})
  child.stdout.on('data', (chunk: Buffer) => send(frames.stdout, chunk))
  child.stderr.on('data', (chunk: Buffer) => send(frames.stderr, chunk))
  child.on('close', (code) => {
    send(frames.exit, Buffer.from(JSON.stringify({ code: code ?? 1 })))
    socket.close()
  })
  socket.on('close', () => {
    // The shell's own children go with it.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  })
  socket.on('message', (data: Buffer) => {
    if (data[0] === frames.stdin) child.stdin.write(data.subarray(1))
    else if (data[0] === frames.stdinEnd) child.stdin.end()
    else if (data[0] === frames.resize) resizes.push(data.subarray(1).toString())
  })
}

const progress = (command: string, name = 'run.1') => `Running ${command} on ⬢ my-app... done, starting, ${name}\n`

t.test('run passes output, errors, words and the exit code through', async (t) => {
  const cli = await bundleCli(t)
  const { api, dynos, attachHeaders } = await startDynos(t)
  const result = await cli.run(['run', 'echo out; echo err >&2; exit 3', '-a', 'my-app'], { api })
  t.same(result, { code: 3, stdout: 'out\n', stderr: `${progress('echo out; echo err >&2; exit 3')}err\n` })
  t.match(dynos[0]?.request, { attach: true, force_no_tty: true, env: { TERM: 'dumb' } })
  t.equal(dynos[0]?.headers['paas-attach'], 'websocket')
  t.notOk(attachHeaders()?.authorization, 'the token is not sent to the attach address')

  const words = await cli.run(['run', '-a', 'my-app', 'printf', '%s|', 'a b', '$HOME', "it's"], { api })
  t.equal(words.stdout, "a b|$HOME|it's|")
  const more = ['run', '-a', 'my-app', '-e', 'A=1;B=2', '--size', 'Standard-2X', '--', 'printenv', 'A', 'B']
  t.equal((await cli.run(more, { api })).stdout, '1\n2\n')
  t.match(dynos[2]?.request, { command: 'printenv A B', size: 'Standard-2X' })
})

t.test('run reads what is piped in, to its end and however much it is', async (t) => {
  const cli = await bundleCli(t)
  const { api } = await startDynos(t)
  const input = 'line of text\n'.repeat(400_000)
  const result = await cli.run(['run', '-a', 'my-app', 'cat'], { api, input })
  t.equal(result.code, 0)
  t.ok(result.stdout === input, 'five megabytes come back as they went')
})

t.test('a reader that goes away, and a dyno that goes away, end run', async (t) => {
  const cli = await bundleCli(t)
  const { api, dynos } = await startDynos(t)
  const reader = cli.start(['run', '-a', 'my-app', 'yes'], { api })
  reader.stdout?.once('data', () => reader.stdout?.destroy())
  const code = await new Promise((resolve) => reader.on('exit', resolve))
  t.equal(code, 0, 'as with yes | head')

  const lost = cli.start(['run', '-a', 'my-app', 'cat'], { api })
  const outcome = ended(lost)
  await waitUntil('the dyno', () => dynos[1]?.socket !== undefined)
  dynos[1]?.socket?.terminate()
  t.match(await outcome, { code: 1, stderr: /The connection to run\.2 was lost.*see paas ps/ })
})

t.test('an attach address that does not answer is said to', async (t) => {
  const cli = await bundleCli(t)
  const answer = (attach_url: string | null) => ({
    'POST /apps/my-app/dynos': { status: 201, body: { name: 'run.1', state: 'starting', attach_url } },
  })
  const dead = await startApi(t, answer('ws://localhost:1/attach/x'))
  t.match(await cli.run(['run', '-a', 'my-app', 'ls'], { api: dead }), {
    code: 1,
    stderr: /connection to run\.1 was lost: /,
  })
  const none = await startApi(t, answer(null))
  t.match(await cli.run(['run', '-a', 'my-app', 'ls'], { api: none }), { code: 1, stderr: /no address to attach to/ })
  const odd = await startApi(t, answer('http://localhost:1/'))
  t.match(await cli.run(['run', '-a', 'my-app', 'ls'], { api: odd }), { code: 1, stderr: /can't be attached to/ })
})

t.test('run:detached names the dyno and where its output goes', async (t) => {
  const cli = await bundleCli(t)
  const { api, dynos } = await startDynos(t)
  t.same(await cli.run(['run:detached', 'rake', 'jobs', '-a', 'my-app'], { api }), {
    code: 0,
    stdout: 'Run paas logs --app my-app --dyno-name run.1 to view the output.\n',
    stderr: 'Running rake jobs on ⬢ my-app... done, run.1\n',
  })
  t.same(dynos[0]?.request, { command: 'rake jobs', attach: false })
})

const addon = { id: 'a1', name: 'pg-1', app: { name: 'my-app' }, addon_service: { name: 'heroku-postgresql' } }
const attachments = ['DATABASE', 'ANALYTICS'].map((name) => ({ id: name, name, addon, app: { name: 'my-app' } }))
const databases: Answers = {
  'GET /apps/my-app/addons': { body: [addon] },
  'GET /apps/my-app/addon-attachments': { body: attachments },
  'GET /apps/my-app/config-vars': { body: { DATABASE_URL: 'postgres://u:p%20w@db.internal:5433/x' } },
}

t.test('pg:psql runs psql in a one-off dyno with the database asked for', async (t) => {
  const cli = await bundleCli(t)
  const bin = mkdtempSync(path.join(tmpdir(), 'paas-cli-bin-'))
  t.teardown(() => rmSync(bin, { recursive: true, force: true }))
  // It shows what a dyno's shell makes of the command line; which SQL psql takes is psql's business.
  writeFileSync(path.join(bin, 'psql'), '#!/bin/sh\nprintf "<%s>" "$@"; cat\n')
  chmodSync(path.join(bin, 'psql'), 0o755)
  const { api, dynos } = await startDynos(t, databases, bin)
  const sql = `select 'it''s', "a b", $1; -- \`id\``
  t.same(await cli.run(['pg:psql', '-a', 'my-app', '-c', sql], { api }), {
    code: 0,
    stdout: `<postgres://u:p@db/x y><--command><${sql}>`,
    stderr: `--> Connecting to pg-1\n${progress('psql')}`,
  })
  const piped = await cli.run(['psql', 'ANALYTICS', '-a', 'my-app'], { api, input: 'select 1;' })
  t.match(piped, { code: 0, stdout: '<>select 1;' })
  t.equal(dynos[1]?.request.command, 'exec psql "$ANALYTICS_URL"')
  const file = path.join(cli.home, 'x.sql')
  writeFileSync(file, 'select 2;')
  const fromFile = await cli.run(['psql', '-f', file, '-a', 'my-app'], { api })
  t.match(fromFile.stdout, /<--set><ON_ERROR_STOP=1><--no-psqlrc>select 2;$/)
  t.match(await cli.run(['psql', '-f', '/nonexistent', '-a', 'my-app'], { api }), { code: 1, stderr: /can't be read/ })
  t.match(await cli.run(['psql', 'OTHER', '-a', 'my-app'], { api }), {
    code: 1,
    stderr: /no database OTHER\. It has DATABASE_URL and ANALYTICS_URL/,
  })
  t.match(
    (await cli.run(['pg:credentials:url', '-a', 'my-app'], { api })).stdout,
    /dbname=x host=db\.internal port=5433 user=u password='p w'"/,
  )
})

t.test('on a terminal run is interactive, follows its size and restores it', async (t) => {
  const cli = await bundleCli(t)
  const { api, dynos } = await startDynos(t)
  const folder = path.join(cli.home, 'tty')
  mkdirSync(folder)
  const script = path.join(folder, 'session.sh')
  const steps = [
    'stty cols 91 rows 33',
    `tty > ${folder}/name`,
    `stty -a > ${folder}/before`,
    `'${process.execPath}' '${cli.file}' run -a my-app 'read x; echo "got $x"; read y; exit 7'`,
    `echo "code $?" > ${folder}/code`,
    `stty -a > ${folder}/after`,
  ]
  writeFileSync(script, `${steps.join('\n')}\n`)
  const terminal = spawn('script', ['-qefc', `sh ${script}`, '/dev/null'], {
    env: { ...cli.env(api), TERM: 'xterm-256color', SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const outcome = ended(terminal)
  await waitUntil('the first size', () => dynos[0]?.resizes.length === 1)
  const { request, resizes } = dynos[0] ?? {}
  t.match(request, { attach: true, env: { TERM: 'xterm-256color', COLUMNS: '91', LINES: '33' } })
  t.notOk(request?.force_no_tty)
  t.same(resizes, ['{"columns":91,"rows":33}'])
  terminal.stdin.write('hello\n')

  const tty = readFileSync(path.join(folder, 'name'), 'utf8').trim()
  spawnSync('stty', ['-F', tty, 'cols', '101', 'rows', '41'])
  await waitUntil('the new size', () => resizes?.at(-1) === '{"columns":101,"rows":41}')
  const during = spawnSync('stty', ['-F', tty, '-a'], { encoding: 'utf8' }).stdout
  t.match(during, /-icanon/, 'the terminal is raw')
  terminal.stdin.write('\n')
  const { stdout } = await outcome
  t.match(stdout, /got hello/)
  t.match(readFileSync(path.join(folder, 'code'), 'utf8'), 'code 7')
  const mode = (name: string) => readFileSync(path.join(folder, name), 'utf8').split('\n').slice(1).join('\n')
  t.equal(mode('after'), mode('before'), 'the terminal is as it was')
})

t.test('a person at a terminal is asked for the name before an app is destroyed', async (t) => {
  const cli = await bundleCli(t)
  const api = await startApi(t, { 'GET /apps/my-app': { body: app }, 'DELETE /apps/my-app': { body: app } })
  const answer = async (typed: string) => {
    const command = `'${process.execPath}' '${cli.file}' destroy -a my-app`
    const env = { ...cli.env(api), SHELL: '/bin/sh', NO_COLOR: '1' }
    const terminal = spawn('script', ['-qefc', command, '/dev/null'], { env, stdio: 'pipe' })
    let shown = ''
    terminal.stdout.on('data', (chunk: Buffer) => {
      shown += chunk
    })
    const outcome = ended(terminal)
    await waitUntil('the question', () => shown.includes('> '))
    terminal.stdin.write(`${typed}\r`)
    return { code: (await outcome).code, shown, asked: api.takeAsked().map((a) => a.line) }
  }
  const wrong = await answer('my-ap')
  t.match(wrong, { code: 1, shown: /To proceed, type my-app or re-run.*[\s\S]*Confirmation my-ap did not match/ })
  t.same(wrong.asked, ['GET /apps/my-app'])
  const right = await answer('my-app')
  t.match(right, { code: 0, shown: /Destroying ⬢ my-app \(including all add-ons\)\.\.\. done/ })
  t.same(right.asked, ['GET /apps/my-app', 'DELETE /apps/my-app'])
})

const logText = [
  '2026-01-02T03:04:05.000000+00:00 app[web.1]: GET / 200',
  '2026-01-02T03:04:06.000000+00:00 heroku[router]: at=info \x1b[31mred\x1b[2J\x1b]0;owned\x07',
  'not in the form',
]
const events = (lines: readonly string[]) => lines.map((line) => `data: ${line}\n\n`).join('')

t.test('logs shows the backlog and ends, without what a terminal would obey', async (t) => {
  const cli = await bundleCli(t)
  const api = await startApi(t, {
    'POST /apps/my-app/log-sessions': { status: 201, body: { logplex_url: '/stream/secret' } },
    'GET /stream/secret': { text: events(logText) },
  })
  const plain = await cli.run(['logs', '-a', 'my-app'], { api })
  t.equal(plain.code, 0)
  t.equal(
    plain.stdout,
    `${logText[0]}\n2026-01-02T03:04:06.000000+00:00 heroku[router]: at=info red\nnot in the form\n`,
  )
  const [session, stream] = api.takeAsked()
  t.same(session?.body, { tail: false, lines: 100 })
  t.notOk(stream?.headers.authorization)
  t.equal(stream?.headers.accept, 'text/event-stream')

  const filtered = ['logs', '-a', 'my-app', '-n', '5', '-d', 'web.1', '-s', 'app', '--force-colors']
  const coloured = (await cli.run(filtered, { api })).stdout
  t.same(api.takeAsked()[0]?.body, { tail: false, lines: 5, dyno: 'web.1', source: 'app' })
  t.match(coloured, '\x1b[33m2026-01-02T03:04:05.000000+00:00 app[web.1]:\x1b[39m GET / 200')
  t.match(coloured, '\x1b[32m2026-01-02T03:04:06.000000+00:00 heroku[router]:\x1b[39m at=info \x1b[31mred\x1b[0m\n')
  const [first = ''] = (await cli.run(['logs', '--json', '-a', 'my-app'], { api })).stdout.split('\n')
  t.same(JSON.parse(first), {
    timestamp: '2026-01-02T03:04:05.000000+00:00',
    source: 'app',
    dyno: 'web.1',
    text: 'GET / 200',
  })
  t.match(await cli.run(['logs', '-n', 'many', '-a', 'my-app'], { api }), { code: 2, stderr: /--num is many/ })
})

t.test('logs --tail shows lines as they come, and says so when the platform ends it', async (t) => {
  const cli = await bundleCli(t)
  let tail: http.ServerResponse | undefined
  const api = await startApi(t, {
    'POST /apps/my-app/log-sessions': { status: 201, body: { logplex_url: '/tail' } },
  })
  const [answerOthers] = api.server.listeners('request') as ((...args: unknown[]) => void)[]
  api.server.removeAllListeners('request')
  api.server.on('request', (request, response) => {
    if (request.url !== '/tail') return answerOthers?.(request, response)
    tail = response.writeHead(200, { 'content-type': 'text/event-stream' })
    tail.write(events(['2026-01-02T03:04:05+00:00 app[web.1]: one']))
  })
  const child = cli.start(['logs', '--tail', '-a', 'my-app'], { api })
  let shown = ''
  child.stdout?.on('data', (chunk) => {
    shown += chunk
  })
  const outcome = ended(child)
  await waitUntil('the first line', () => shown.includes('one\n'))
  tail?.write('data: 2026-01-02T03:04:06+00:00 app[web')
  tail?.write('.2]: two\n\n')
  await waitUntil('the second line', () => shown.endsWith('app[web.2]: two\n'))
  tail?.end()
  t.match(await outcome, { code: 1, stderr: /The platform ended the log stream/ })
})
