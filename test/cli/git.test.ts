// Goal: after `paas create` a push asks for nothing, the token goes to no other host, and commands know their app.
// Method: real git, pushing to `git http-backend` behind a check of the password.
import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { app, bundleCli, type Cli, ended, startApi } from './stand-in.js'

// Each run of the CLI is a process of its own; on a busy machine many of them take a while.
t.setTimeout(180_000)

function folder(t: Test): string {
  const made = realpathSync(mkdtempSync(path.join(tmpdir(), 'paas-cli-git-')))
  t.teardown(() => rmSync(made, { recursive: true, force: true }))
  return made
}

function gitEnv(cli: Cli): NodeJS.ProcessEnv {
  const who = { NAME: 'Me', EMAIL: 'me@example.com' }
  return {
    ...cli.env(undefined),
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: who.NAME,
    GIT_AUTHOR_EMAIL: who.EMAIL,
    GIT_COMMITTER_NAME: who.NAME,
    GIT_COMMITTER_EMAIL: who.EMAIL,
  }
}

function git(cli: Cli, cwd: string, ...args: string[]) {
  return ended(spawn('git', args, { cwd, env: gitEnv(cli), stdio: ['ignore', 'pipe', 'pipe'] }))
}

/** API and git on one origin, as the platform has them. */
async function startPlatform(t: Test, projects: string) {
  const passwords: string[] = []
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const { authorization } = request.headers
    if (url.pathname.startsWith('/my-app.git/')) {
      const [, password] = Buffer.from(authorization?.split(' ')[1] ?? '', 'base64')
        .toString()
        .split(':')
      if (password !== undefined && !passwords.includes(password)) passwords.push(password)
      if (password === 'good') serveGit(projects, url, request, response)
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="paas"' }).end()
      return
    }
    request.resume()
    const origin = `http://localhost:${(server.address() as AddressInfo).port}`
    const known = { ...app, git_url: `${origin}/my-app.git` }
    const body = url.pathname === '/account' ? { id: 'a', email: 'me@example.com' } : known
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://localhost:${(server.address() as AddressInfo).port}`, passwords }
}

function serveGit(projects: string, url: URL, request: http.IncomingMessage, response: http.ServerResponse): void {
  const env = {
    PATH: process.env.PATH,
    GIT_PROJECT_ROOT: projects,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: url.pathname,
    QUERY_STRING: url.search.slice(1),
    REQUEST_METHOD: request.method,
    CONTENT_TYPE: request.headers['content-type'],
    HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
    REMOTE_USER: 'me',
  }
  const backend = execFile('git', ['http-backend'], { env, encoding: 'buffer', maxBuffer: 1e8 }, (_error, stdout) => {
    const split = stdout.indexOf('\r\n\r\n')
    for (const line of stdout.subarray(0, split).toString().split('\r\n')) {
      const [name = '', value = ''] = line.split(': ')
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10)
      else response.setHeader(name, value)
    }
    response.end(stdout.subarray(split + 4))
  })
  backend.stdin?.on('error', () => {})
  if (backend.stdin !== null) request.pipe(backend.stdin)
}

t.test('after paas create a push asks for nothing', async (t) => {
  const cli = await bundleCli(t)
  const projects = folder(t)
  const work = folder(t)
  await git(cli, projects, 'init', '-q', '--bare', 'my-app.git')
  const { origin, passwords } = await startPlatform(t, projects)
  const env = { PAAS_API_URL: origin }
  t.equal((await cli.run(['login'], { env, input: 'good' })).code, 0)

  await git(cli, work, 'init', '-q', '-b', 'master')
  writeFileSync(path.join(work, 'index.html'), 'hello')
  await git(cli, work, 'add', '.')
  await git(cli, work, 'commit', '-q', '-m', 'first')
  t.match(await cli.run(['create', 'my-app'], { env, cwd: work }), {
    code: 0,
    stdout: `http://my-app.localhost | ${origin}/my-app.git\nGit remote paas added\n`,
  })
  const pushed = await git(cli, work, 'push', 'paas', 'master')
  t.equal(pushed.code, 0, pushed.stderr)
  t.match(pushed.stderr, /master -> master/)
  t.match(passwords, ['good'])

  const local = await git(cli, work, 'config', '--local', '--get-all', `credential.${origin}.helper`)
  t.match(
    local.stdout,
    /^\nstore --file=\S+git-credentials\n$/,
    'other helpers are set aside for this origin, in this repository',
  )
  t.equal(
    (await cli.run(['git:remote', '-a', 'my-app'], { env, cwd: work })).stdout,
    `set git remote paas to ${origin}/my-app.git\n`,
  )
  const again = await git(cli, work, 'config', '--local', '--get-all', `credential.${origin}.helper`)
  t.same(again, local, 'setting it up again changes nothing')

  const second = await cli.run(['create', 'my-app', '--json'], { env, cwd: work })
  t.match(JSON.parse(second.stdout), { name: 'my-app', git_remote: { name: 'paas', outcome: 'updated' } })
  await git(cli, work, 'remote', 'add', 'staging', `${origin}/other.git`)
  const kept = await cli.run(['create', 'my-app', '-r', 'staging'], { env, cwd: work })
  t.match(kept, { code: 0, stderr: /The git remote staging leads elsewhere and is left so/ })
  t.match((await git(cli, work, 'remote', 'get-url', 'staging')).stdout, '/other.git')
  await git(cli, work, 'remote', 'remove', 'staging')

  const bare = await cli.run(['config', '--json'], { env, cwd: work })
  t.match(bare, { code: 0, stdout: /"name": "my-app"/ }, 'the app is known by its remote')

  t.equal((await cli.run(['destroy', '--confirm', 'my-app'], { env, cwd: work })).code, 0)
  t.equal((await git(cli, work, 'remote')).stdout, '', 'a destroyed app leaves no remote')
})

t.test('the credential helper answers for the platform alone', async (t) => {
  const cli = await bundleCli(t)
  const api = { origin: 'https://api.example.com' }
  const ask = async (operation: string, text: string) =>
    (await cli.run(['git:credentials', operation], { api, input: text })).stdout
  const answer = 'username=paas\npassword=HRKU-test-token\n'
  t.equal(await ask('get', 'protocol=https\nhost=git.example.com\n\n'), answer)
  t.equal(await ask('get', 'protocol=https\nhost=api.example.com\npath=my-app.git\n\n'), answer)
  for (const other of [
    'my-app.example.com',
    'example.com',
    'git.example.com:8443',
    'github.com',
    'git.example.com.evil.test',
  ])
    t.equal(await ask('get', `protocol=https\nhost=${other}\n\n`), '', other)
  t.equal(await ask('get', 'protocol=http\nhost=git.example.com\n\n'), '', 'not over plain http')
  t.equal(await ask('get', ''), '')
  t.equal(await ask('erase', 'protocol=https\nhost=git.example.com\n\n'), '')
  t.equal(await ask('store', 'protocol=https\nhost=git.example.com\n\n'), '')
})

t.test('the app comes from a flag, the environment or the remotes, in that order', async (t) => {
  const cli = await bundleCli(t)
  const work = folder(t)
  const names = ['first', 'second', 'by-env', 'by-flag']
  const api = await startApi(
    t,
    Object.fromEntries(names.map((name) => [`GET /apps/${name}`, { body: { ...app, name } }])),
  )
  const run = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    cli.run(['maintenance', ...args], { api, cwd: work, env })
  const asked = () => api.takeAsked().map((a) => a.line)

  t.match(await run([]), { code: 2, stderr: /No app specified/ }, 'outside of a repository')
  await git(cli, work, 'init', '-q')
  await git(cli, work, 'remote', 'add', 'origin', 'https://github.com/me/first.git')
  t.match(await run([]), { code: 2, stderr: /No app specified/ }, "another host's remote says nothing")
  await git(cli, work, 'remote', 'add', 'paas', `${api.origin}/first.git`)
  mkdirSync(path.join(work, 'sub'))
  t.match(await cli.run(['maintenance'], { api, cwd: path.join(work, 'sub') }), { code: 0 })
  t.same(asked(), ['GET /apps/first'])

  await git(cli, work, 'remote', 'add', 'staging', `${api.origin.replace('localhost', '127.0.0.1')}/second.git`)
  t.match(await run([]), { code: 2, stderr: /several apps:\n ▸ {8}first \(paas\)\n ▸ {8}second \(staging\)/ })
  t.equal((await run(['-r', 'staging'])).code, 0)
  t.equal((await run([], { PAAS_APP: 'by-env' })).code, 0)
  t.equal((await run(['-r', 'paas'], { PAAS_APP: 'by-env' })).code, 0)
  t.equal((await run(['-a', 'by-flag'], { PAAS_APP: 'by-env' })).code, 0)
  t.same(asked(), ['GET /apps/second', 'GET /apps/by-env', 'GET /apps/first', 'GET /apps/by-flag'])
  t.match(await run(['-r', 'origin']), { code: 2, stderr: /The git remote origin does not lead to an app/ })
})

t.test('git elsewhere gets the token where the API says that git is, if that is safe', async (t) => {
  const cli = await bundleCli(t)
  const work = folder(t)
  await git(cli, work, 'init', '-q')
  const api = await startApi(t, {
    'GET /apps/my-app': { body: { ...app, git_url: 'https://git.example.com/my-app.git' } },
    'GET /apps/plain': { body: { ...app, name: 'plain', git_url: 'http://git.example.org/plain.git' } },
  })
  const ask = async (protocol: string, host: string) =>
    (await cli.run(['git:credentials', 'get'], { api, input: `protocol=${protocol}\nhost=${host}\n\n` })).stdout
  t.equal(await ask('https', 'git.example.com'), '', 'before the API said so')
  t.same(await cli.run(['git:remote', '-a', 'my-app'], { api, cwd: work }), {
    code: 0,
    stdout: 'set git remote paas to https://git.example.com/my-app.git\n',
    stderr: '',
  })
  t.match(await ask('https', 'git.example.com'), 'password=HRKU-test-token')
  t.equal((await cli.run(['maintenance'], { api, cwd: work })).stdout, 'off\n', 'the remote names the app')
  t.match((await cli.run(['logout', '--json'], { api, cwd: work })).stdout, 'false')
  const plain = await cli.run(['git:remote', '-a', 'plain', '-r', 'plain'], { api, cwd: work })
  t.match(plain, { code: 0, stderr: /git will ask for a password at http:\/\/git\.example\.org/ })
  t.equal(await ask('http', 'git.example.org'), '', 'a token does not travel readable')
})

t.test('a git address that is not http is refused', async (t) => {
  const cli = await bundleCli(t)
  const work = folder(t)
  await git(cli, work, 'init', '-q')
  const api = await startApi(t, { 'GET /apps/my-app': { body: { ...app, git_url: 'ext::sh -c touch% /tmp/x' } } })
  t.match(await cli.run(['git:remote', '-a', 'my-app'], { api, cwd: work }), {
    code: 1,
    stderr: /is not an http address/,
  })
  t.equal((await git(cli, work, 'remote')).stdout, '')
})
