// Goal: a push that fails anywhere leaves the previous release serving and says why in words a newcomer understands.
// Method: one app with a good release; each bad tree is pushed to it in turn; after each the old version must answer.
import { cp, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { projectRoot, startWorld, until, type World } from '../support/world.js'

t.setTimeout(400_000)

let world: World
let repo: string
const app = 'steady-app'

t.before(async () => {
  world = await startWorld({ env: { PAAS_BOOT_TIMEOUT_MS: '5000' } })
  repo = await world.checkout('node', app)
  const pushed = await world.push(repo)
  if (pushed.code !== 0) throw new Error(pushed.output)
})
t.teardown(() => world.stop())

const cases: readonly { fixture: string; says: readonly RegExp[] }[] = [
  { fixture: 'node-two-lockfiles', says: [/package-lock\.json/, /yarn\.lock/] },
  { fixture: 'python-bad-version', says: [/\.python-version|runtime\.txt/, /3\.13/] },
  { fixture: 'django-no-gunicorn', says: [/gunicorn/] },
  { fixture: 'node-crash-on-boot', says: [/web\.1 crashed while starting \(exit code \d+\)/] },
  { fixture: 'node-never-binds', says: [/R10/, /listens on no port/] },
  { fixture: 'node-wrong-port', says: [/R10/, /listens on port \d+ instead/] },
  { fixture: 'node-loopback-only', says: [/R10/, /loopback address only/, /0\.0\.0\.0:\$PORT/] },
  {
    fixture: 'release-command-fails',
    says: [/The release command failed with exit code 1/, /relation "visits" does not exist/],
  },
]

for (const { fixture, says } of cases)
  t.test(`${fixture}: the push is refused with the reason, and the release before it keeps serving`, async (t) => {
    await replaceTree(fixture)
    const pushed = await world.push(repo)
    t.not(pushed.code, 0, pushed.output)
    t.match(pushed.output, /! \[remote rejected\] HEAD -> master/)
    for (const pattern of says) t.match(pushed.output, pattern)
    const reply = await world.get(app)
    t.equal(reply.status, 200)
    t.match(reply.body, /^Hello from Node\.js/)
  })

t.test('a first push that is refused says that nothing is live yet', async (t) => {
  const pushed = await world.push(await world.checkout('node-crash-on-boot', 'newborn-app'))
  t.not(pushed.code, 0)
  t.match(pushed.output, /v2 failed; nothing of this app is live yet\./)
})

t.test('a branch that does not deploy is refused with what to do', async (t) => {
  const pushed = await world.git(['push', 'paas', 'HEAD:refs/heads/feature'], repo)
  t.not(pushed.code, 0)
  t.match(pushed.output, /feature:master/)
})

t.test(
  'a failing health check refuses the push with what came back; the release before it keeps serving',
  async (t) => {
    await becomeChecked([{ type: 'startup', path: '/missing.txt', attempts: 2, wait: 1 }])
    const pushed = await world.push(repo)
    t.not(pushed.code, 0, pushed.output)
    t.match(pushed.output, /web\.1: GET \/missing\.txt answered 404 File not found.*\(attempt 1 of 2\)/)
    t.match(
      pushed.output,
      /web\.1 failed its health check \(healthchecks in app\.json\): GET \/missing\.txt answered 404 File not found.*\(2 attempts\)/,
    )
    t.match((await world.get(app)).body, /^Hello from Node\.js/)
    await becomeChecked([{ path: '/hello.txt', attempts: 'many' }])
    const misspelt = await world.push(repo)
    t.not(misspelt.code, 0, misspelt.output)
    t.match(misspelt.output, /app\.json: healthchecks\.web\[0\]\.attempts must be a whole number/)
  },
)

t.test('health checks that pass make a release live, and every release of its slug is asked them', async (t) => {
  await becomeChecked([{ path: '/hello.txt', content: 'Hello', attempts: 1 }, { uptime: 2 }])
  const pushed = await world.push(repo)
  t.equal(pushed.code, 0, pushed.output)
  t.ok(Number(/web\.1 up in ([\d.]+) s/.exec(pushed.output)?.[1]) >= 2, pushed.output)
  const before = await world.get(app, '/hello.txt')
  t.equal(before.status, 200)
  await world.paas(['config:set', 'ROOT=/tmp', '--app', app])
  const newest = async () => (await world.api<{ status: string }[]>('GET', `/apps/${app}/releases`)).at(-1)?.status
  await until('the config change to fail', async () => (await newest()) === 'failed')
  t.strictSame((await world.get(app, '/hello.txt')).body, before.body)
  t.match(
    (await world.paas(['logs', '--num', '200', '--app', app])).stdout,
    /failed: web\.1 failed its health check .*GET \/hello\.txt answered 404/,
  )
  t.equal((await world.paas(['config:unset', 'ROOT', '--app', app])).code, 0)
})

t.test("config vars can't hold up the platform's own commands in a dyno", async (t) => {
  const name = 'hostile-app'
  const hostile = await world.checkout('procfile', name)
  const dyno = async () => {
    const { id } = await world.api<{ id: string }>('GET', `/apps/${name}`)
    const labels = { 'paas.instance': world.config.instance, 'paas.app': id, 'paas.kind': 'dyno' }
    return (await world.engine.listContainers(labels))[0]
  }
  // A command of the engine's has no parent in its dyno.
  const config = [
    'BASH_ENV=$(test $PPID -eq 0 && exec sleep 300)',
    'LD_PRELOAD=/tmp/none.so',
    'PATH=/tmp:/usr/bin:/bin',
  ]
  t.equal((await world.paas(['config:set', ...config, '--app', name])).code, 0)
  const pushed = await world.push(hostile)
  t.equal(pushed.code, 0, pushed.output)
  const old = await dyno()
  await t.rejects(
    world.engine.run(old?.id ?? '', { command: ['sleep', '300'], timeoutMs: 200 }),
    /took longer than 200 ms/,
  )
  t.equal((await world.paas(['ps:restart', '--app', name])).code, 0)
  await until('the old dyno to be gone', async () => (await world.engine.findContainer(old?.id ?? '')) === undefined)
  const { stdout } = await world.paas(['logs', '--num', '200', '--app', name])
  t.match(stdout, /heroku\[web\.1\]: Stopping all processes with SIGTERM/)
  t.notMatch(stdout, /R12/, 'it was told, and ended by itself')
})

t.test('a bad Procfile line is named, and a good push afterwards is live', async (t) => {
  await replaceTree('procfile')
  await writeFile(path.join(repo, 'Procfile'), 'web python3 -m http.server $PORT\n')
  await world.commitAll(repo, 'Forget the colon')
  const bad = await world.push(repo)
  t.not(bad.code, 0)
  t.match(bad.output, /Procfile line 1/)
  await replaceTree('procfile')
  const good = await world.push(repo)
  t.equal(good.code, 0, good.output)
  t.match((await world.get(app)).body, /Directory listing|Procfile/)
})

t.test('an app that answers with an error is live, and the push has a word about it', async (t) => {
  for (const [status, note] of [
    [
      400,
      /Note: GET \/ is answered with 400 Bad Request\. A Django app must have steady-app\.localhost in ALLOWED_HOSTS/,
    ],
    [500, /Note: GET \/ is answered with 500 Internal Server Error; paas logs shows why/],
  ] as const) {
    await replaceTree('procfile')
    await writeFile(
      path.join(repo, 'answer.py'),
      `import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(${status})
http.server.HTTPServer(("", int(os.environ["PORT"])), Answer).serve_forever()
`,
    )
    await writeFile(path.join(repo, 'Procfile'), 'web: python3 answer.py\n')
    await world.commitAll(repo, `Answer ${status}`)
    const pushed = await world.push(repo)
    t.equal(pushed.code, 0, pushed.output)
    t.match(pushed.output, note)
    t.equal((await world.get(app)).status, status)
  }
})

t.test('a push that is refused after its image was made leaves no image', async (t) => {
  const images = async () => (await world.engine.listTags(`${world.config.instance}/app-*`)).sort()
  const before = await images()
  await replaceTree('procfile')
  await writeFile(path.join(repo, 'Procfile'), 'release: true\n')
  await world.commitAll(repo, 'Only a release command')
  const pushed = await world.push(repo)
  t.not(pushed.code, 0)
  t.match(pushed.output, /No process types were found/)
  await until('the image to be gone', async () => (await images()).join() === before.join())
})

/** A file server that is asked these health checks. */
async function becomeChecked(web: readonly object[]): Promise<void> {
  await replaceTree('procfile')
  await writeFile(path.join(repo, 'Procfile'), 'web: test -z "$ROOT" || cd $ROOT; exec python3 -m http.server $PORT\n')
  await writeFile(path.join(repo, 'app.json'), JSON.stringify({ healthchecks: { web } }))
  await world.commitAll(repo, 'Ask for its health')
}

async function replaceTree(fixture: string): Promise<void> {
  for (const entry of await readdir(repo)) if (entry !== '.git') await rm(path.join(repo, entry), { recursive: true })
  await cp(path.join(projectRoot, 'test', 'fixtures', 'apps', fixture), repo, { recursive: true })
  await world.commitAll(repo, `Become ${fixture}`)
}
