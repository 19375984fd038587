// The Node.js buildpack on real apps: what is installed when, what the dyno gets, and what every failure says.
import path from 'node:path'
import t from 'tap'
import { entries } from './result.js'
import { fixtures, scratchApps } from './sandbox.js'
import { ms, withDevDependency } from './small-package.js'

t.setTimeout(600_000)

const scratchApp = scratchApps(t)

t.test('an app: built, built again without an installer, and serving', async (t) => {
  const app = scratchApp()
  const folder = path.join(fixtures, 'node')
  const first = await app.build(folder)
  t.equal(first.exitCode, 0, first.log)
  t.match(
    first.log,
    /^-----> Node\.js app detected\n-----> Using Node\.js 22\.\d+\.\d+ \(engines\.node in package\.json: 22\.x\)\n/,
  )
  t.match(first.log, /-----> Installing dependencies using 'npm ci'\n {7}added 1 package/)
  t.match(first.log, /npm start is 'node index\.js'/)
  t.match(first.header, {
    process_types: { web: 'node index.js' },
    addons: [],
    layers: [
      { name: 'node', path: 'app/.heroku/node', new: true },
      { name: 'node_modules', path: 'app/node_modules', new: true },
    ],
  })
  const second = await app.build(folder)
  t.match(second.log, /Using the dependencies of the previous build \(package-lock\.json unchanged\)/)
  t.same(
    second.header?.layers.map((layer) => layer.new),
    [false, false],
  )
  t.ok(second.tars.get('app')?.equals(first.tars.get('app') ?? Buffer.alloc(0)), 'the same source gives the same bytes')
  t.notOk([...(await entries(second.tars.get('app'))).keys()].some((name) => name.includes('node_modules')))

  const dyno = await app.run('node index.js', { GREETING: 'Salut' })
  t.match(await (await dyno.get()).text(), /^Salut from Node\.js v22\.\d+\.\d+, up for \d+ms\n$/)
  const env = await dyno.exec(['bash', '-c', 'tr "\\0" "\\n" < /proc/$(pgrep -o -x node)/environ'])
  t.match(env, /^NODE_ENV=production$/m)
  t.match(env, /^WEB_CONCURRENCY=1$/m)
  t.match(env, /^MEMORY_AVAILABLE=512$/m)
  t.match(env, /^PATH=\/app\/\.heroku\/node\/bin:.*:\/app\/node_modules\/\.bin$/m)
})

t.test('build scripts have the development dependencies, the dyno has not', async (t) => {
  const app = scratchApp()
  const build = `node -e "const fs=require('fs');fs.mkdirSync('dist',{recursive:true});fs.writeFileSync('dist/x.txt',String(require('ms')('2m'))+process.env.GREETING)"`
  const files = withDevDependency({ build, start: 'node index.js --flag' })
  const first = await app.build(files, { config: { GREETING: 'hello' } })
  t.equal(first.exitCode, 0, first.log)
  t.match(first.log, /-----> Running build\n[\s\S]*-----> Pruning devDependencies\n/)
  t.equal((await entries(first.tars.get('app'))).get('app/dist/x.txt')?.text, '120000hello')
  t.notOk([...(await entries(first.tars.get('node_modules'))).keys()].some((name) => name.includes('/ms/')))
  t.match(first.header, {
    layers: [{ name: 'node' }, { name: 'node-build', launch: false, new: false }, { name: 'node_modules', new: true }],
  })

  const second = await app.build({ ...files, 'index.js': 'console.log(2)\n' }, { config: { GREETING: 'again' } })
  t.notMatch(second.log, /Installing|Pruning/)
  t.equal((await entries(second.tars.get('app'))).get('app/dist/x.txt')?.text, '120000again')
  t.same(
    second.header?.layers.map((layer) => layer.new),
    [false, false, false],
  )

  const kept = await app.build(files, { config: { NPM_CONFIG_PRODUCTION: 'false' } })
  t.match(kept.log, /Development dependencies stay: NPM_CONFIG_PRODUCTION is false/)
})

t.test('a build script that writes into node_modules takes what it wrote along', async (t) => {
  const app = scratchApp()
  const write = `node -e "require('fs').mkdirSync('node_modules/.made',{recursive:true});require('fs').writeFileSync('node_modules/.made/x','$0')"`
  const files = withDevDependency({ build: write.replace('$0', 'one') })
  for (let time = 1; time <= 2; time += 1) {
    const built = await app.build(files)
    t.equal(built.exitCode, 0, built.log)
    t.match(built.log, /The build wrote into node_modules/)
    const names = await entries(built.tars.get('app'))
    t.equal(names.get('app/node_modules/.made/x')?.text, 'one')
    t.notOk(names.has('app/node_modules/ms/package.json'), 'it is pruned all the same')
    t.equal(/Installing dependencies/.test(built.log), time === 1, 'nothing is installed twice')
  }
})

t.test("Heroku's scripts run in Heroku's order", async (t) => {
  const say = (word: string) => `echo ${word}`
  const built = await scratchApp().build(
    withDevDependency({
      'heroku-prebuild': say('first'),
      build: say('never'),
      'heroku-postbuild': say('second'),
      'heroku-cleanup': say('third'),
    }),
  )
  t.equal(built.exitCode, 0, built.log)
  t.match(built.log, / {7}first\n[\s\S]*npm ci[\s\S]* {7}second\n[\s\S]*Pruning[\s\S]* {7}third\n/)
  t.notMatch(built.log, / {7}never/)
})

t.test('what frameworks cache is there for the next build, and not in the dyno', async (t) => {
  const app = scratchApp()
  const files = withDevDependency({
    build: `sh -c 'cat .next/cache/x mine/x 2>/dev/null; mkdir -p .next/cache mine; echo cached > .next/cache/x; echo kept > mine/x'`,
  })
  const own = {
    ...files,
    'package.json': JSON.stringify({ ...JSON.parse(files['package.json']), cacheDirectories: ['mine'] }),
  }
  const first = await app.build(own)
  t.notMatch(first.log, /cached/)
  const second = await app.build(own)
  t.match(second.log, / {7}cached\n {7}kept\n/)
  const names = await entries(second.tars.get('app'))
  t.notOk(names.has('app/.next/cache/x'))
  t.ok(names.has('app/mine/x'), 'a folder the app names is kept and stays')
  t.notMatch((await app.build(own, { config: { NODE_MODULES_CACHE: 'false' } })).log, /cached/)
})

t.test('yarn and pnpm install from their lockfiles', async (t) => {
  const manifest = JSON.stringify({ dependencies: { ms: '2.1.3' }, scripts: { start: 'node x.js' } })
  const yarn = scratchApp()
  const yarnFiles = {
    'package.json': manifest,
    'yarn.lock': `# yarn lockfile v1\n\n\nms@2.1.3:\n  version "2.1.3"\n  integrity ${ms}\n`,
  }
  const first = await yarn.build(yarnFiles)
  t.equal(first.exitCode, 0, first.log)
  t.match(first.log, /Installed yarn 1\.22\.22\n[\s\S]*using 'yarn install'/)
  t.ok((await entries(first.tars.get('node_modules'))).has('app/node_modules/ms/package.json'))
  t.same(first.header?.process_types, { web: 'yarn start' })
  const second = await yarn.build(yarnFiles)
  t.notMatch(second.log, /Install/)
  t.same(
    second.header?.layers.map((layer) => [layer.name, layer.new]),
    [
      ['node', false],
      ['yarn', false],
      ['node_modules', false],
    ],
  )

  const pnpm = scratchApp()
  const lock = `lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      ms:\n        specifier: 2.1.3\n        version: 2.1.3\npackages:\n  ms@2.1.3:\n    resolution: {integrity: ${ms}}\nsnapshots:\n  ms@2.1.3: {}\n`
  const built = await pnpm.build({ 'package.json': manifest, 'pnpm-lock.yaml': lock })
  t.equal(built.exitCode, 0, built.log)
  t.match(built.log, /Installed pnpm 10\n[\s\S]*using 'pnpm install'/)
  t.equal((await entries(built.tars.get('node_modules'))).get('app/node_modules/ms')?.type, 'symlink')
})

t.test(
  'config vars and engines steer the build as on Heroku, and its commands have the memory it may use',
  async (t) => {
    const files = withDevDependency({
      'heroku-prebuild': 'corepack enable && echo "corepack $(corepack --version)"',
      build:
        'echo "heap $NODE_OPTIONS" && cd client && echo "yarn $(yarn --version), pnpm $(pnpm --version)" && echo words',
    })
    const engines = { node: '24.x', npm: '6.x', yarn: '1.22.x', pnpm: '9.x' }
    const built = await scratchApp().build(
      {
        ...files,
        'package.json': JSON.stringify({ ...JSON.parse(files['package.json']), engines }),
        'client/package.json': '{}',
      },
      { config: { USE_NPM_INSTALL: 'true', NODE_BUILD_FLAGS: '--mode two' }, memoryBytes: 1000 * 1024 ** 2 },
    )
    t.equal(built.exitCode, 0, built.log)
    t.match(built.log, / {7}corepack 0\./)
    t.match(
      built.log,
      /using 'npm install'[\s\S]*-----> Running build \(--mode two\)\n {7}heap --max-old-space-size=800\n/,
    )
    t.match(built.log, / {7}yarn 1\.22\.\d+, pnpm 9\.\d+\.\d+\n {7}words --mode two\n/)
    t.match(built.log, /Pruning/)
    t.notOk([...(await entries(built.tars.get('node_modules'))).keys()].some((name) => name.includes('/ms/')))
  },
)

t.test('installs that depend on the source are made each time, and say why', async (t) => {
  const app = scratchApp()
  const own = withDevDependency({ postinstall: 'node setup.js' })
  const build = (files: Record<string, string>) => app.build({ ...files, 'setup.js': 'console.log("set up")\n' })
  const first = await build(own)
  t.equal(first.exitCode, 0, first.log)
  t.match((await build(own)).log, /in each build: package\.json has the install script "postinstall"[\s\S]*npm ci/)
  const harmless = withDevDependency({ postinstall: 'echo done', prepare: 'exit 0' })
  await build(harmless)
  t.notMatch((await build(harmless)).log, /npm ci/)
  const local = await build({
    'package.json': '{ "dependencies": { "own": "file:./own" } }',
    'own/package.json': '{ "name": "own", "version": "1.0.0" }',
  })
  t.equal(local.exitCode, 0, local.log)
  t.match(local.log, /local packages \(own\)/)
  t.ok((await entries(local.tars.get('app'))).has('app/node_modules/own'))
  t.match(local.header?.notes, [/There is no lockfile/])
})

t.test('what cannot be built is refused with its cause and cure', async (t) => {
  const app = scratchApp()
  const locks = await app.build(path.join(fixtures, 'node-two-lockfiles'))
  t.equal(locks.exitCode, 30)
  t.match(locks.log, /Two lockfiles are committed: package-lock\.json and yarn\.lock\.[\s\S]*git rm yarn\.lock/)
  const refusals: [Record<string, string>, RegExp][] = [
    [{ 'package.json': '{ "name": ' }, /package\.json is not valid JSON\.\n !.*line 1/],
    [{ 'package.json': '[]' }, /package\.json is not valid JSON\.\n !.*it must be an object/],
    [
      { 'package.json': '{ "engines": { "node": "0.10.1" } }' },
      /Node\.js 0\.10\.1 can't be had here \(asked for in engines\.node[\s\S]*There is: 22\.\S+ 24\.\S+\n.*"node": "24\.x"/,
    ],
    [{ 'package.json': '{ "engines": { "node": "soon" } }' }, /is 'soon', which is not a range of versions/],
    [{ 'package.json': '{}', '.nvmrc': 'v9.1.0\n' }, /asked for in \.nvmrc[\s\S]*\.nvmrc: {2}24/],
    [
      { 'package.json': '{ "scripts": { "build": "echo broken >&2; exit 7" } }' },
      /The script 'build' in package\.json failed \(exit 7\)\.[\s\S]*broken/,
    ],
    [
      { 'package.json': '{ "engines": { "npm": "99" } }' },
      /npm 99 could not be installed \(asked for in package\.json\)\.[\s\S]*No matching version found for npm@99/,
    ],
    [
      {
        'package.json': JSON.stringify({
          scripts: { build: `NODE_OPTIONS=--max-old-space-size=20 node -e "for (let a = [];;) a.push({})"` },
        }),
      },
      / ! {5}The build needs more memory than Node\.js allows itself\.\n(?!.*(Mark-Compact|0x))[\s\S]*NODE_OPTIONS=--max-old-space-size=1638\.[\s\S]*config:set NODE_OPTIONS=[\s\S]*PAAS_BUILD_MEMORY/,
    ],
    [
      { ...withDevDependency({}), 'package.json': '{ "dependencies": { "left-pad": "1.3.0" } }' },
      /Missing: left-pad@1\.3\.0 from lock file\n(?! !.*Usage)[\s\S]*package\.json and package-lock\.json do not agree\. Run npm install/,
    ],
    [
      { 'package.json': '{ "dependencies": { "ms": "99.0.0" } }' },
      /npm install failed\.[\s\S]*No matching version found for ms@99/,
    ],
  ]
  for (const [files, message] of refusals) {
    const built = await app.build(files, { env: { PAAS_RUNTIME_PROVIDERS: 'bundled,mirror' } })
    t.equal(built.exitCode, 30, built.log)
    t.match(built.log, message)
  }
})

t.test('ranges are resolved to what there is, and the web process is found', async (t) => {
  const app = scratchApp()
  const cases: [Record<string, string>, RegExp, string | undefined][] = [
    [
      { 'package.json': '{ "engines": { "node": "18 - 22" }, "scripts": { "start": "node a.js && echo" } }' },
      /Node\.js 22\./,
      'npm start',
    ],
    [
      { 'package.json': '{ "engines": { "node": ">=18" }, "scripts": { "start": "node a.js", "prestart": "true" } }' },
      /Node\.js 24\./,
      'npm start',
    ],
    [
      { 'package.json': '{ "main": "lib/main" }', 'lib/main.js': '', '.node-version': '22\n' },
      /Node\.js 22\.\S+ \(\.node-version: 22\)/,
      'node lib/main',
    ],
    [
      {
        'package.json':
          '{ "engines": { "node": "22" }, "scripts": { "start": "node a.js", "start:prod": "node b.js" } }',
      },
      /npm start is 'node a\.js'/,
      'node a.js',
    ],
    // NestJS's `nest start`.
    [
      {
        'package.json':
          '{ "devDependencies": { "semver": "7.7.1" }, "scripts": { "start": "semver 1.0.0", "start:prod": "node dist/main" } }',
      },
      /'semver' of the start script goes with the devDependencies: 'npm run start:prod' is the web process/,
      'npm run start:prod',
    ],
    [{ 'package.json': '{}', 'server.js': '' }, /Node\.js 22\.\S+ \(as in the previous build\)/, 'node server.js'],
    [{ 'package.json': '{ "engines": { "node": "latest" } }' }, /Node\.js 24\./, undefined],
    // Nuxt, Astro and SvelteKit.
    [{ 'package.json': '{}', '.output/server/index.mjs': '' }, /made a server/, 'node .output/server/index.mjs'],
    [
      { 'package.json': '{}', 'dist/server/entry.mjs': '' },
      /made a server/,
      'HOST=${HOST-0.0.0.0} node dist/server/entry.mjs',
    ],
    [
      { 'package.json': '{}', 'build/handler.js': '', 'build/index.js': '' },
      /made a server, build\/handler\.js: that is the web process/,
      'PROTOCOL_HEADER=${PROTOCOL_HEADER-x-forwarded-proto} node build',
    ],
  ]
  for (const [files, version, web] of cases) {
    const built = await app.build(files)
    t.equal(built.exitCode, 0, built.log)
    t.match(built.log, version)
    t.equal(built.header?.process_types.web, web)
  }
})
