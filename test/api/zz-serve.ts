import { startTestApi } from '../support/api.js'
import { insertBuild, finishBuild } from '../../server/store/builds.js'
import { recordDynos } from '../../server/store/dynos.js'
import { settleAddOn } from '../../server/store/add-ons.js'
import { writeFileSync } from 'node:fs'
import tap from 'tap'
tap.setTimeout(600000)
tap.test('serve', async (t) => {
  t.setTimeout(600000)
  const w = await startTestApi(t, { env: { PAAS_API_PORT: '5055' } })
  const ann = await w.person('ann@example.com')
  const app = (await w.call(ann, 'POST /apps', { name: 'demo' })).body
  const r = await w.deploy(app.id, { processTypes: { web: 'serve', worker: 'work' }, accountId: ann.account.id })
  await recordDynos(w.db, app.id, [{ name: 'web.1', type: 'web', size: 'Basic', command: 'serve', state: 'up', releaseId: r.id, releaseVersion: r.version }])
  const b = await insertBuild(w.db, { appId: app.id, accountId: ann.account.id, commit: 'c'.repeat(40), commitDescription: 'x' })
  await finishBuild(w.db, b.id, { status: 'succeeded', output: 'built\n' })
  const a = (await w.call(ann, 'POST /apps/demo/addons', { plan: 'heroku-postgresql' })).body
  await settleAddOn(w.db, a.id, 'provisioned')
  await w.call(ann, 'POST /apps/demo/domains', { hostname: 'www.example.com' })
  await w.call(ann, 'PATCH /apps/demo/config-vars', { GREETING: 'hei' })
  await w.api.listen({ host: '127.0.0.1', port: 5055 })
  writeFileSync('/tmp/api-heroku/token', ann.token)
  await new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()))
  console.error(JSON.stringify(w.logged.filter((l) => l.level === 'error'), null, 1))
})
