// The build driver with buildpacks made for the purpose: each fails when a rule of the classic Buildpack API is broken.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { type HttpsHost, startHttpsHost } from './https-host.js'
import { entries } from './result.js'
import { fixtures, scratchApps, type Source } from './sandbox.js'
import { run } from './shell.js'

t.setTimeout(300_000)

const folder = mkdtempSync(path.join(tmpdir(), 'buildpacks-host-'))
let host: HttpsHost
t.before(async () => {
  host = await startHttpsHost(folder)
})
t.teardown(async () => {
  await host.close()
  rmSync(folder, { recursive: true, force: true })
})

const scratchApp = scratchApps(t)

/** Writes a buildpack's scripts, packs them, and returns the address of the archive. */
async function publish(name: string, scripts: Record<string, string>): Promise<string> {
  const root = path.join(folder, name)
  for (const [file, text] of Object.entries({ 'bin/detect': 'echo Made', ...scripts })) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), file.startsWith('bin/') ? `#!/bin/bash\n${text}\n` : text)
    chmodSync(path.join(root, file), 0o755)
  }
  await run(['tar', '-czf', `${name}.tgz`, name], folder)
  return `${host.origin}/${name}.tgz`
}

function withBuildpacks(...list: readonly string[]) {
  return { env: { ...host.options.env, PAAS_BUILDPACKS: list.join(' ') }, mounts: host.options.mounts }
}

const source: Source = { 'hello.txt': 'hello\n' }

t.test('a buildpack runs as the classic API says', async (t) => {
  const url = await publish('facts', {
    'bin/compile': `
      out=$1/facts; mkdir "$out"
      pwd > "$out/cwd"; cat beside.txt > "$out/beside"; touch ./writable && echo yes > "$out/writable"
      printf '%s %s %s' "$@" > "$out/arguments"
      printf '%s %s %s' "$STACK" "$HOME" "$SOURCE_VERSION" > "$out/environment"
      [ "$(stat -c %d "$1")" = "$(stat -c %d "$2")" ] && echo yes > "$out/same-mount"
      cp "$3/RAW" "$out/raw"; env > "$out/env"; stat -c %a "$3/RAW" > "$out/mode"
      id -u > "$out/uid"; ls /proc/self/fd | wc -l > "$out/descriptors"
      ln -s "$1" /app/link && echo yes > "$out/app-writable"
      if read -r line; then echo "$line" > "$out/stdin"; fi
      echo 'said on stdout'; echo 'said on stderr' >&2`,
    'beside.txt': 'found by relative path',
    'bin/release': 'echo "---"; echo "addons: [heroku-postgresql]"; echo "default_process_types: { web: serve me }"',
  })
  const raw = Buffer.from([0x61, 0x0a, 0xff, 0x00, 0x62, 0x0a])
  const options = withBuildpacks(url)
  const built = await scratchApp().build(source, { ...options, config: { RAW: raw, SECRET: 'canary-1f3a' } })
  t.equal(built.exitCode, 0, built.log)
  const files = await entries(built.tars.get('app'))
  const fact = (name: string) => files.get(`app/facts/${name}`)?.text.trim()
  t.match(fact('cwd'), /^\/tmp\/buildpacks\/1$/, 'its root is the working directory')
  t.equal(fact('beside'), 'found by relative path')
  t.equal(fact('writable'), 'yes', 'it may write beside itself')
  t.equal(fact('arguments'), '/tmp/build /tmp/cache /tmp/env')
  t.equal(fact('environment'), 'heroku-24 /app 0123456789abcdef0123456789abcdef01234567')
  t.equal(fact('same-mount'), 'yes', 'a move between build and cache is a rename')
  t.equal(fact('app-writable'), 'yes')
  t.equal(fact('mode'), '400')
  t.equal(fact('uid'), '59419')
  t.equal(fact('stdin'), undefined, 'its stdin is empty')
  t.equal(fact('descriptors'), '4', 'it inherits no descriptor but the three')
  t.notMatch(fact('env'), /canary-1f3a/, 'config vars are files only')
  t.match(built.log, /said on stdout\n/)
  t.match(built.log, /said on stderr\n/)
  t.same(built.header?.process_types, { web: 'serve me' })
  t.same(built.header?.addons, ['heroku-postgresql'])
  t.match(built.header?.buildpacks, [{ name: url, version: /^[0-9a-f]{64}$/ }])
  t.notMatch(built.log, /canary-1f3a/)
  const result = Buffer.concat([...built.tars.values()])
  t.notOk(result.includes('canary-1f3a'), 'no config var gets into the result by itself')
})

t.test('exports reach the next buildpack, in order, and the last process types win', async (t) => {
  const first = await publish('first', {
    'bin/compile': `echo 'export ORDER=first UNSET=$not_set_at_all' > export`,
    'bin/release': `echo 'default_process_types:'; echo '  web: first'; echo '  worker: first'`,
  })
  const second = await publish('second', {
    'bin/compile': `echo "export ORDER=$ORDER-second" > export`,
    'bin/release': `echo '--- {}'`,
  })
  const third = await publish('third', { 'bin/compile': 'echo "order is $ORDER"' })
  const built = await scratchApp().build(source, withBuildpacks(first, second, third))
  t.equal(built.exitCode, 0, built.log)
  t.match(built.log, /order is first-second\n/)
  t.same(built.header?.process_types, { web: 'first', worker: 'first' }, 'nothing said changes nothing')
})

t.test('the cache is kept from one successful build to the next, and a failed build leaves it alone', async (t) => {
  const url = await publish('caching', {
    'bin/compile': `
      if [ -d "$2/runtime" ]; then mv "$2/runtime" "$1/runtime"; else mkdir "$1/runtime"; fi
      echo more >> "$1/runtime/log"; cp -r "$1/runtime" "$2/runtime"
      echo "builds: $(wc -l < "$1/runtime/log")"
      [ ! -f "$1/fail" ]`,
  })
  const app = scratchApp()
  const options = withBuildpacks(url)
  t.match((await app.build(source, options)).log, /builds: 1\n/)
  const second = await app.build(source, options)
  t.match(second.log, /builds: 2\n/)
  t.same(second.header?.cache, { changed: true })
  const failed = await app.build({ fail: '' }, options)
  t.equal(failed.exitCode, 30)
  t.match(failed.log, / ! {5}The buildpack https:.*caching\.tgz failed \(exit 1\)\.\n/)
  t.match((await app.build(source, options)).log, /builds: 3\n/)
})

t.test('each phase that fails says so and has its exit code', async (t) => {
  const app = scratchApp()
  const build = async (name: string, scripts: Record<string, string>) =>
    app.build(source, withBuildpacks(await publish(name, scripts)))

  const unfit = await build('unfit', { 'bin/detect': 'echo "needs a Fooefile" >&2; exit 1', 'bin/compile': '' })
  t.equal(unfit.exitCode, 20)
  t.match(unfit.log, /does not apply to this app[\s\S]*needs a Fooefile/, "detect's own words are shown")

  const release = await build('bad-release', { 'bin/compile': '', 'bin/release': 'exit 3' })
  t.equal(release.exitCode, 40)
  const yaml = await build('bad-yaml', { 'bin/compile': '', 'bin/release': 'echo "a: [b"' })
  t.equal(yaml.exitCode, 40)
  t.match(yaml.log, /did not print YAML/)

  const exporting = await publish('exiting', { 'bin/compile': 'echo "exit 0" > export' })
  const exited = await app.build(source, withBuildpacks(exporting, exporting))
  t.not(exited.exitCode, 0, 'an export that exits is no success')
  t.equal(exited.header, undefined)

  const missing = await app.build(source, withBuildpacks(`${host.origin}/missing.tgz`))
  t.equal(missing.exitCode, 20)
  t.match(missing.log, /could not be fetched: .* answered 404/)
  const nothing = await app.build(source)
  t.equal(nothing.exitCode, 20)
  t.match(nothing.log, /No buildpack fits this app\.\n !.*package\.json[\s\S]*Procfile/)
  const empty = await app.build({})
  t.equal(empty.exitCode, 10)
  t.match(empty.log, /The push has no files/)
})

t.test('a build that runs out of memory is told so', async (t) => {
  const url = await publish('hungry', { 'bin/compile': `python3 -c 'print(len(bytearray(900_000_000)))'` })
  const built = await scratchApp().build(source, { ...withBuildpacks(url), memoryBytes: 200 * 1024 ** 2 })
  t.equal(built.exitCode, 30)
  t.match(built.log, /The build ran out of memory/)
})

t.test(
  'a buildpack is fetched by git at a branch, tag or commit, through redirects of allowed hosts only',
  async (t) => {
    const work = path.join(folder, 'repository')
    await run(['git', 'init', '-q', '-b', 'main', work], folder)
    const git = (...args: string[]) =>
      run(['git', '-c', 'user.name=T', '-c', 'user.email=t@example.com', ...args], work)
    const write = (text: string) => {
      mkdirSync(path.join(work, 'bin'), { recursive: true })
      for (const file of ['detect', 'compile']) {
        writeFileSync(path.join(work, 'bin', file), `#!/bin/sh\necho ${text}\n`)
        chmodSync(path.join(work, 'bin', file), 0o755)
      }
    }
    write('one')
    await git('add', '.')
    await git('commit', '-q', '-m', 'one')
    await git('tag', 'v1')
    const commit = (await git('rev-parse', 'HEAD')).trim()
    write('two')
    await git('commit', '-q', '-a', '-m', 'two')
    await run(['git', 'clone', '-q', '--bare', work, path.join(folder, 'r.git')], folder)
    await run(['git', 'update-server-info'], path.join(folder, 'r.git'))
    host.redirects.set('/moved.git/', '/r.git/')

    const app = scratchApp()
    const logOf = async (url: string) => (await app.build(source, withBuildpacks(url))).log
    t.match(await logOf(`${host.origin}/r.git`), /two app detected/)
    t.match(await logOf(`${host.origin}/r.git#v1`), /one app detected/)
    t.match(await logOf(`${host.origin}/r.git#${commit}`), /one app detected/)
    t.match(await logOf(`${host.origin}/moved.git`), /two app detected/)
    t.match(await logOf(`${host.origin}/r.git#nowhere`), /has no branch, tag or commit 'nowhere'/)

    const fenced = { ...withBuildpacks(`${host.origin}/r.git`), env: { PAAS_BUILDPACKS: `${host.origin}/r.git` } }
    t.match((await app.build(source, fenced)).log, /is at the private address/)
    const options = withBuildpacks('https://other.example/r.git')
    t.match((await app.build(source, options)).log, /may not be fetched from other\.example/)
  },
)

t.test('names of buildpacks are data: nothing in them is run', async (t) => {
  const app = scratchApp()
  for (const name of ['$(id)', ';id', '--help', '*', 'python&&id']) {
    const built = await app.build(source, { env: { PAAS_BUILDPACKS: name } })
    t.equal(built.exitCode, 20, name)
    t.notMatch(built.log, /uid=/, name)
  }
})

t.test('who names the buildpacks: the setting, BUILDPACK_URL, .buildpacks, app.json, detection', async (t) => {
  const url = await publish('named', { 'bin/compile': 'echo named compiles' })
  const procfile = { Procfile: 'web: true\n' }
  const app = scratchApp()
  const build = (files: Source, list: string, config = {}) =>
    app.build(files, { ...withBuildpacks(...(list ? [list] : [])), config })

  const json = `{ // a comment\n "buildpacks": [{ "url": "${url}" }, /* and */ "heroku/procfile",], }`
  const fromJson = await build({ ...procfile, 'app.json': json }, '')
  t.match(fromJson.log, /named by app\.json[\s\S]*named compiles[\s\S]*Procfile app detected/)
  const both = { ...procfile, 'app.json': json, '.buildpacks': '# ours\nheroku/procfile\r\n\n' }
  const fromFile = await build(both, '')
  t.match(fromFile.log, /named by \.buildpacks/)
  t.notMatch(fromFile.log, /named compiles/)
  t.match((await build(both, '', { BUILDPACK_URL: url })).log, /BUILDPACK_URL[\s\S]*named compiles/)
  t.match((await build(both, 'procfile', { BUILDPACK_URL: url })).log, /named by the app's setting/)
  const broken = await build({ ...procfile, 'app.json': '{ "buildpacks": [' }, '')
  t.match(broken.log, /app\.json is not valid JSON[\s\S]*Procfile app detected/)
  t.equal(broken.exitCode, 0)
  const unknown = await build(procfile, 'pyhton')
  t.equal(unknown.exitCode, 20)
  t.match(unknown.log, /There is no buildpack called 'pyhton'\.\n.*nodejs.*python/)
})

t.test('the result has the app as pushed: names, owner, times, modes, links', async (t) => {
  const app = scratchApp()
  const files = {
    Procfile: 'web: ./run\n',
    run: '#!/bin/sh\n',
    'a b/\u00e9\n': 'odd name',
    '.git/config': 'not part of an app',
    '.slugignore': '*.psd\n/docs\n# a comment\ntmp/\n',
    'docs/index.md': '',
    'art/logo.psd': '',
    'art/tmp/x': '',
    'art/docs/kept': '',
  }
  const first = await app.build(files)
  t.equal(first.exitCode, 0, first.log)
  const found = await entries(first.tars.get('app'))
  t.same([...found.keys()].filter((name) => !name.endsWith('/')).sort(), [
    'app/.slugignore',
    'app/Procfile',
    'app/a b/\u00e9\n',
    'app/art/docs/kept',
    'app/run',
  ])
  for (const entry of found.values()) t.match(entry, { uid: 59419, mtime: 0 }, entry.name)
  t.equal(found.get('app/run')?.mode, 0o755)
  t.equal(found.get('app/Procfile')?.mode, 0o644)
  const second = await app.build(files)
  t.ok(first.tars.get('app')?.equals(second.tars.get('app') ?? Buffer.alloc(0)), 'the same source gives the same bytes')
})

t.test('a Procfile app and its warnings', async (t) => {
  const built = await scratchApp().build(path.join(fixtures, 'procfile'), { env: { PAAS_WARN: 'old stack\nodd name' } })
  t.equal(built.exitCode, 0)
  t.match(built.log, /^ ! {5}Warning: old stack\n ! {5}Warning: odd name\n-----> Procfile app detected\n/)
  t.match(built.header, { process_types: {}, addons: [], layers: [], cache: { changed: false }, notes: [] })
})
