import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startTestApi } from '../support/api.js'
import { bundleCli } from './stand-in.js'
t.test('real', async (t) => {
  const cli = await bundleCli(t)
  const api = await startTestApi(t, {
    attach: {
      open: async (oneOff: any) => {
        const child = oneOff.tty ? spawn('script', ['-qefc', oneOff.command, '/dev/null'], { stdio: 'pipe' }) : spawn('sh', ['-c', oneOff.command], { stdio: 'pipe', env: { ...process.env, ...oneOff.env, DATABASE_URL: 'x y' } })
        return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, exitCode: new Promise<number>((r) => child.on('close', (c) => r(c ?? 1))), resize: async () => {}, close: () => child.kill() } as any
      },
    } as any,
  })
  await api.api.listen({ port: 0, host: '127.0.0.1' })
  const origin = `http://localhost:${(api.api.server.address() as AddressInfo).port}`
  const me = await api.person('me@example.com', { isAdmin: true })
  const cwd = mkdtempSync('/tmp/paas-cli-real-')
  t.teardown(() => import('node:fs').then((fs) => fs.rmSync(cwd, { recursive: true })))
  await cli.run(['x'])
  const sh = async (line: string, input?: string) => {
    const words = line.match(/'[^']*'|\S+/g)!.map((w) => w.replace(/^'(.*)'$/, '$1'))
    const r = await cli.run(words, { env: { PAAS_API_URL: origin }, cwd, input })
    console.error(`$ paas ${line}   [${r.code}]\n${r.stderr}${r.stdout}`)
    return r
  }
  const git = (...a: string[]) => new Promise((r) => spawn('git', a, { cwd, env: cli.env(undefined), stdio: 'inherit' }).on('close', r))
  await git('init', '-q')
  await sh('status')
  await sh('login', 'bad')
  await sh('login', me.token)
  await sh('whoami'); await sh('account')
  await sh('create my-app'); await sh('create my-app'); await sh('create'); await git('remote', '-v'); await git('config','--local','-l')
  const app = await api.call(me, 'GET /apps/my-app')
  await sh('apps'); await sh('info -a my-app'); await sh('ps -a my-app'); await sh('ps:scale web=2 -a my-app'); await sh('run -a my-app ls')
  await api.deploy(app.body.id, { processTypes: { web: 'gunicorn', worker: 'celery' } })
  await sh('ps -a my-app'); await sh('ps:scale -a my-app'); await sh('ps:scale web=2 worker+1 -a my-app'); await sh('ps:scale zzz=1 -a my-app'); await sh('ps:type Standard-2X -a my-app'); await sh('ps:type nope -a my-app')
  await sh('config:set A=1 B=two -a my-app'); await sh('config -a my-app'); await sh('config:get A -a my-app'); await sh('config:unset A -a my-app'); await sh('config:set 1A=2 -a my-app')
  await sh('releases -a my-app'); await sh('releases:info v2 -a my-app'); await sh('releases:output -a my-app'); 
  await sh('rollback v2 -a my-app'); await sh('rollback -a my-app'); await sh('rollback v99 -a my-app')
  await sh('restart -a my-app'); await sh('ps:restart web -a my-app'); await sh('ps:restart web.1 -a my-app'); await sh('ps:stop web -a my-app'); await sh('ps:stop run.9 -a my-app')
  await sh("run -a my-app 'echo hi; echo err >&2; exit 4'"); await sh('run -a my-app cat', 'piped in\n'); await sh('run:detached sleep 1 -a my-app'); await sh('ps -a my-app'); await sh('run -e A=1 --size nope -a my-app ls'); await sh('run -e A=1 -a my-app printenv A')
  await sh('logs -a my-app'); await sh('logs -a my-app -n 2 --json'); await sh('logs -a my-app -s app -d web.1')
  await sh('domains -a my-app'); await sh('domains:add www.example.com -a my-app --wait'); await sh('domains:add nope -a my-app'); await sh('domains -a my-app'); await sh('domains:wait -a my-app'); await sh('domains:remove www.example.com -a my-app')
  await sh('addons -a my-app'); await sh('addons:create heroku-postgresql:nope -a my-app'); await sh('addons:create heroku-postgresql -a my-app'); await sh('addons:create heroku-postgresql:essential-0 --as SECOND -a my-app'); await sh('addons -a my-app'); await sh('addons --all')
  await sh('addons:info DATABASE -a my-app'); await sh('addons:services'); await sh('addons:plans heroku-postgresql'); await sh('pg -a my-app'); await sh('pg:credentials:url SECOND -a my-app'); await sh("pg:psql -a my-app -c 'select 1'")
  await sh('create other-app --no-remote'); const addon = (await api.call(me, 'GET /apps/my-app/addons')).body[0].name
  await sh(`addons:attach ${addon} --as SHARED -a other-app`); await sh('addons -a other-app'); await sh('addons:destroy ' + addon + ' -a other-app --confirm other-app'); await sh('addons:detach SECOND -a my-app'); await sh(`addons:destroy ${addon} --confirm my-app`)
  await sh('maintenance -a my-app'); await sh('maintenance:on -a my-app'); await sh('maintenance -a my-app'); await sh('maintenance:off -a my-app')
  await sh('buildpacks -a my-app'); await sh('buildpacks:set heroku/python -a my-app'); await sh('buildpacks:add heroku/nodejs -i 1 -a my-app'); await sh('buildpacks:remove heroku/python -a my-app'); await sh('buildpacks:clear -a my-app')
  await sh('builds -a my-app'); await sh('builds:info -a my-app'); await sh('builds:output -a my-app')
  await sh('authorizations'); const made = await sh('authorizations:create -d CI -e 3600 --json'); await sh('authorizations:create -d CI2'); await sh(`authorizations:revoke ${JSON.parse(made.stdout).id}`)
  await sh('certs:ca'); await sh('rename better-name -a my-app'); await git('remote', '-v'); await sh('info'); await sh('destroy -a better-name'); await sh('destroy --confirm better-name'); await sh('apps'); await git('remote', '-v')
  await sh('logout'); await sh('apps')
})
