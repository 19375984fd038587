import t from 'tap'
import { startTestApi } from '../support/api.js'
t.test('x', async (t) => {
  const w = await startTestApi(t)
  const ann = await w.person('ann@example.com')
  const show = async (line: string, body?: unknown, h?: Record<string,string>) => { const a = await w.call(ann, line, body, h); console.error(line, a.status, a.text.slice(0, 300)) }
  await show('GET /account'); await show('POST /apps', {name: 'demo'}); await show('GET /apps/demo'); await show('GET /apps')
  await w.deploy((await w.call(ann, 'GET /apps/demo')).body.id)
  for (const l of ['GET /apps/demo','GET /apps/demo/releases','GET /apps/demo/formation','GET /apps/demo/dynos','GET /apps/demo/addons','GET /addons','GET /addon-services','GET /addon-services/heroku-postgresql/plans','GET /regions','GET /stacks','GET /dyno-sizes','GET /health','GET /certs/ca','GET /oauth/authorizations','GET /apps/demo/domains','GET /apps/demo/collaborators','GET /teams','GET /apps/demo/pipeline-couplings','PUT /apps/demo','GET /nope'] ) await show(l)
  await show('POST /apps/demo/addons', {plan: 'heroku-postgresql'})
  await show('GET /apps/demo/addons'); await show('GET /apps/demo/config-vars'); await show('PATCH /apps/demo/config-vars', {A: 'b'})
  await show('POST /apps', {foo: 1}); await show('POST /apps', {name: 3}); await show('POST /apps/demo/releases', {}); await show('POST /apps/demo/releases', {release: 2})
  await show('POST /apps/demo/log-sessions', {lines: 10})
  await show('GET /apps/demo/releases', undefined, {range: 'version ..; order=desc,max=2'})
  const ls = await w.call(ann, 'POST /apps/demo/log-sessions', {lines: 10}); await show('GET ' + new URL(ls.body.logplex_url).pathname)
  await show('GET /openapi.json')
  console.error(w.logged.filter(l => l.level !== 'debug'))
})
