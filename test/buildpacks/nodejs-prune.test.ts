// What a Node.js app's dynos get when its development dependencies go, and when they stay.
import t from 'tap'
import { entries } from './result.js'
import { scratchApps } from './sandbox.js'

t.setTimeout(600_000)

const scratchApp = scratchApps(t)

t.test('Next.js, which reads its configuration when it starts, keeps the typescript it reads it with', async (t) => {
  const app = scratchApp()
  const manifest = {
    name: 'hello',
    version: '1.0.0',
    scripts: { build: 'tsc --version', start: 'node index.js' },
    devDependencies: { typescript: '5.9.3' },
  }
  const files = { 'package.json': JSON.stringify(manifest), 'index.js': '', 'next.config.ts': 'export default {}\n' }
  const built = await app.build(files)
  t.equal(built.exitCode, 0, built.log)
  t.match(
    built.log,
    /Development dependencies stay: Next\.js reads next\.config\.ts with typescript whenever it starts/,
  )
  const modules = [...(await entries(built.tars.get('node_modules'))).keys()]
  t.ok(
    modules.some((name) => name.endsWith('node_modules/typescript/package.json')),
    modules.slice(0, 5).join(' '),
  )
})

t.test('yarn 3 without its plugin that prunes keeps the development dependencies, and says so', async (t) => {
  const built = await scratchApp().build({
    'package.json': '{ "packageManager": "yarn@3.8.7", "devDependencies": { "ms": "2.1.3" } }',
    '.yarnrc.yml': 'nodeLinker: node-modules\n',
  })
  t.equal(built.exitCode, 0, built.log)
  t.match(built.log, /Development dependencies stay: yarn prunes with its plugin workspace-tools, which isn't there/)
  t.ok((await entries(built.tars.get('app'))).has('app/node_modules/ms/package.json'))
})

t.test('the packages of a pnpm workspace keep what they need when development dependencies go', async (t) => {
  const app = scratchApp()
  const built = await app.build({
    'package.json': JSON.stringify({
      private: true,
      packageManager: 'pnpm@9.12.0',
      scripts: { build: 'node generate.js', start: 'node web/server.js' },
      devDependencies: { depd: '2.0.0' },
    }),
    'generate.js':
      'const fs = require("fs"); fs.writeFileSync(fs.realpathSync("web/node_modules/ms") + "/made.js", "module.exports = 7")',
    'pnpm-workspace.yaml': 'packages:\n  - web\n  - lib\n',
    'web/package.json':
      '{ "name": "web", "version": "1.0.0", "dependencies": { "lib": "workspace:*", "ms": "2.1.3" } }',
    'web/server.js':
      'require("http").createServer((q, r) => r.end(require("lib") + require("ms")("2m") + " " + require("ms/made"))).listen(process.env.PORT)',
    'lib/package.json': '{ "name": "lib", "version": "1.0.0" }',
    'lib/index.js': 'module.exports = "from lib "',
  })
  t.equal(built.exitCode, 0, built.log)
  const dyno = await app.run('node web/server.js')
  t.equal(await (await dyno.get()).text(), 'from lib 120000 7')
  const names = [...(await entries(built.tars.get('app'))).keys()]
  t.match(built.log, /Pruning devDependencies/)
  t.notOk(names.some((name) => name.includes('node_modules/depd')))
})
