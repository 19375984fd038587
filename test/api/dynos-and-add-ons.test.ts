// Formation, dynos, add-ons and the catalogue: what their routes do to rows and show of them.
import t from 'tap'
import { settleAddOn } from '../../server/store/add-ons.js'
import { listLiveOneOffs, recordDynos } from '../../server/store/dynos.js'
import { listRestarts } from '../../server/store/formations.js'
import { startTestApi } from '../support/api.js'

t.setTimeout(120_000)

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

t.test('the formation is scaled in every way that clients write it', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  const app = (await world.call(ann, 'POST /apps', { name: 'demo' })).body
  t.match(await world.call(ann, 'PATCH /apps/demo/formation', { updates: [{ type: 'web', quantity: 1 }] }), {
    status: 422,
  })
  await world.deploy(app.id, { processTypes: { web: 'serve', worker: 'work', release: 'migrate' } })
  const scale = async (update: object) =>
    (await world.call(ann, 'PATCH /apps/demo/formation', { updates: [update] })).body
  const brief = (all: { type: string; quantity: number; size: string }[]) =>
    all.map((f) => `${f.type}=${f.quantity}:${f.size}`)
  t.strictSame(brief((await world.call(ann, 'GET /apps/demo/formation')).body), ['web=1:Basic', 'worker=0:Basic'])
  t.strictSame(brief(await scale({ type: 'web', quantity: '2' })), ['web=2:Basic', 'worker=0:Basic'])
  t.strictSame(brief(await scale({ type: 'web', quantity: '+1' })), ['web=3:Basic', 'worker=0:Basic'])
  t.strictSame(brief(await scale({ type: 'web', quantity: '-2', size: 'standard-2x' })), [
    'web=1:Standard-2X',
    'worker=0:Basic',
  ])
  t.strictSame(brief(await scale({ type: 'worker', dyno_size: { name: 'Standard-1X' } })), [
    'web=1:Standard-2X',
    'worker=0:Standard-1X',
  ])
  const one = await world.call(ann, 'PATCH /apps/demo/formation/worker', { quantity: 4 })
  t.match(one.body, {
    id: uuid,
    type: 'worker',
    quantity: 4,
    size: 'Standard-1X',
    command: 'work',
    dyno_size: { name: 'Standard-1X' },
    app: { name: 'demo' },
  })
  t.strictSame((await world.call(ann, 'GET /apps/demo/formation/worker')).body, one.body)
  await world.hub.flush()
  const log = (await world.hub.read(app.id, { lines: 100 })).map((line) => line.text)
  t.strictSame(
    log.filter((text) => text.startsWith('Scaled to')).slice(-3),
    ['web@1:Standard-2X', 'worker@0:Standard-1X', 'worker@4:Standard-1X'].map(
      (entry) => `Scaled to ${entry} by user ann@example.com`,
    ),
    'in the log as it is now',
  )
  t.match(await world.call(ann, 'GET /apps/demo/formation/release'), { status: 404 })
  t.match(await world.call(ann, 'PATCH /apps/demo/formation/clock', { quantity: 1 }), {
    status: 404,
    body: { message: /web, worker/ },
  })
  t.match(await world.call(ann, 'PATCH /apps/demo/formation/web', { quantity: 'many' }), { status: 422 })
  t.match(await world.call(ann, 'PATCH /apps/demo/formation/web', { size: 'huge' }), {
    status: 422,
    body: { message: /Basic/ },
  })
})

t.test('dynos are listed, restarted and stopped, one-offs among them', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  const app = (await world.call(ann, 'POST /apps', { name: 'demo' })).body
  t.match(await world.call(ann, 'POST /apps/demo/dynos', { command: 'ls' }), {
    status: 422,
    body: { message: /push first/ },
  })
  const release = await world.deploy(app.id)
  const seen = {
    type: 'web',
    size: 'Basic',
    command: 'serve',
    state: 'up' as const,
    releaseId: release.id,
    releaseVersion: release.version,
  }
  await recordDynos(world.db, app.id, [
    { ...seen, name: 'web.1' },
    { ...seen, name: 'web.2' },
  ])
  const ran = await world.call(ann, 'POST /apps/demo/dynos', {
    command: 'ls -l',
    env: { COLUMNS: 80, TERM: 'xterm', GONE: null },
    size: 'standard-2x',
    time_to_live: 60,
  })
  t.match(ran, {
    status: 201,
    body: {
      name: 'run.1',
      type: 'run',
      command: 'ls -l',
      state: 'starting',
      size: 'Standard-2X',
      attach_url: null,
      release: { version: 2 },
      app: { name: 'demo' },
    },
  })
  t.match(await listLiveOneOffs(world.db, app.id), [
    { attached: false, tty: false, env: { COLUMNS: '80', TERM: 'xterm' }, timeToLiveSeconds: 60 },
  ])
  const dynos = (await world.call(ann, 'GET /apps/demo/dynos')).body
  t.strictSame(
    dynos.map((d: { name: string }) => d.name),
    ['web.1', 'web.2', 'run.1'],
  )
  t.match(dynos[0], {
    id: uuid,
    type: 'web',
    state: 'up',
    command: 'serve',
    release: { id: release.id, version: 2 },
    updated_at: instant,
  })
  for (const reference of ['web.1', dynos[0].id])
    t.equal((await world.call(ann, `GET /apps/demo/dynos/${reference}`)).body.name, 'web.1')
  t.match((await world.call(ann, 'GET /apps/demo/dynos/run.1')).body, { id: ran.body.id })
  t.match(await world.call(ann, 'GET /apps/demo/dynos/web.9'), { status: 404, body: { resource: 'dyno' } })

  const restarts = async () => [...(await listRestarts(world.db, app.id)).keys()].sort()
  t.match(await world.call(ann, 'DELETE /apps/demo/dynos/web.2'), { status: 202, body: {} })
  t.equal((await world.call(ann, `DELETE /apps/demo/dynos/${dynos[0].id}`)).status, 202, 'by its id')
  t.strictSame(await restarts(), ['web.1', 'web.2'])
  t.equal((await world.call(ann, 'DELETE /apps/demo/formations/web')).status, 202)
  t.equal((await world.call(ann, 'DELETE /apps/demo/dynos')).status, 202)
  t.strictSame(await restarts(), ['', 'web', 'web.1', 'web.2'])
  t.equal((await world.call(ann, 'DELETE /apps/demo/formations/clock')).status, 404)

  t.equal((await world.call(ann, 'DELETE /apps/demo/dynos/run.1')).status, 202)
  t.match(await listLiveOneOffs(world.db, app.id), [{ number: 1, state: 'stopping' }])
  await world.call(ann, 'POST /apps/demo/dynos', { command: 'sleep 9' })
  t.equal((await world.call(ann, 'POST /apps/demo/dynos/run.2/actions/stop')).status, 202)
  await world.call(ann, 'POST /apps/demo/dynos', { command: 'sleep 9', type: 'job' })
  t.equal((await world.call(ann, 'POST /apps/demo/formations/job/actions/stop')).status, 202)
  t.match(await listLiveOneOffs(world.db, app.id), [
    { state: 'stopping' },
    { state: 'stopping' },
    { state: 'stopping' },
  ])
  t.equal((await world.call(ann, 'POST /apps/demo/formations/web/actions/stop')).status, 202)
  t.equal((await world.call(ann, 'POST /apps/demo/formations/none/actions/stop')).status, 404)
})

t.test('add-ons are created, attached, found by any name, detached and destroyed', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  await world.call(ann, 'POST /apps', { name: 'demo' })
  await world.call(ann, 'POST /apps', { name: 'other' })
  const wish = {
    plan: { name: 'heroku-postgresql:essential-0' },
    config: { version: '17' },
    attachment: {},
    confirm: 'demo',
  }
  const made = await world.call(ann, 'POST /apps/demo/addons', wish)
  t.equal(made.status, 201)
  const { id, name } = made.body
  t.match(made.body, {
    name: /^postgresql-[a-z]+-\d{5}$/,
    state: 'provisioning',
    addon_service: { name: 'heroku-postgresql' },
    app: { name: 'demo' },
    config_vars: ['DATABASE_URL'],
    plan: {
      name: 'heroku-postgresql:essential-0',
      price: { cents: 0, unit: 'month', contract: false, metered: false },
    },
    provision_message: /being created/,
  })
  t.match((await world.call(ann, `GET /client/v11/databases/${id}/wait_status`)).body, {
    'waiting?': true,
    message: /being created/,
  })
  await settleAddOn(world.db, id, 'provisioned')
  t.match((await world.call(ann, `GET /client/v11/databases/${name}/wait_status`)).body, { 'waiting?': false })
  t.match((await world.call(ann, `GET /client/v11/databases/${name}`)).body, {
    name,
    info: [{ name: 'Plan', values: ['essential-0'] }],
  })
  t.match((await world.call(ann, 'GET /apps/demo/config-vars')).body, {
    DATABASE_URL: new RegExp(`^postgres://.*@${name}:5432/`),
  })

  const attached = await world.call(ann, 'POST /addon-attachments', {
    addon: { name },
    app: { name: 'other' },
    name: 'reports',
  })
  t.match(attached, {
    status: 201,
    body: {
      name: 'REPORTS',
      config_vars: ['REPORTS_URL'],
      app: { name: 'other' },
      addon: { name, app: { name: 'demo' } },
      namespace: null,
    },
  })
  for (const line of ['GET /addons', 'GET /apps/demo/addons', 'GET /apps/other/addons'])
    t.match((await world.call(ann, line)).body, [{ id, state: 'provisioned' }], line)
  t.equal((await world.call(ann, `GET /addons/${name}/addon-attachments`)).body.length, 2)
  t.equal((await world.call(ann, 'GET /addon-attachments')).body.length, 2)
  t.match((await world.call(ann, 'GET /apps/other/addon-attachments/reports')).body, { id: attached.body.id })
  t.match((await world.call(ann, `GET /addon-attachments/${attached.body.id}`)).body, { name: 'REPORTS' })

  const resolve = (body: object) => world.call(ann, 'POST /actions/addons/resolve', body)
  for (const body of [
    { addon: name },
    { addon: id },
    { addon: 'DATABASE', app: 'demo' },
    { addon: 'DATABASE_URL', app: 'demo' },
    { addon: 'reports', app: 'other' },
    { addon: 'heroku-postgresql', app: 'demo' },
    { addon: name, app: null, addon_service: 'heroku-postgresql' },
  ])
    t.match((await resolve(body)).body, [{ id }], JSON.stringify(body))
  for (const body of [
    { addon: 'DATABASE' },
    { addon: 'nothing', app: 'demo' },
    { addon: 'DATABASE', app: 'other' },
    { addon: name, addon_service: 'heroku-redis' },
  ])
    t.match(await resolve(body), { status: 404, body: { resource: 'add_on' } }, JSON.stringify(body))
  const resolveAttachment = (body: object) => world.call(ann, 'POST /actions/addon-attachments/resolve', body)
  for (const body of [
    { addon_attachment: 'DATABASE_URL', app: 'demo' },
    { addon_attachment: 'database', app: 'demo' },
    { addon_attachment: name, app: 'demo' },
    { addon_attachment: 'heroku-postgresql', app: 'demo', addon_service: 'heroku-postgresql' },
  ])
    t.match(
      (await resolveAttachment(body)).body,
      [{ name: 'DATABASE', addon: { plan: { name: /^heroku-postgresql:/ } } }],
      JSON.stringify(body),
    )
  t.equal((await resolveAttachment({ addon_attachment: name })).body.length, 2, 'both of them without an app')
  t.match(await resolveAttachment({ addon_attachment: 'NONE', app: 'demo' }), {
    status: 404,
    body: { resource: 'add_on attachment' },
  })

  const kept = await world.call(ann, `DELETE /apps/demo/addons/${name}`)
  t.match(kept, { status: 423, body: { id: 'confirmation_required', message: /other/ } })
  t.match(await world.call(ann, `DELETE /addon-attachments/${attached.body.id}`), {
    status: 200,
    body: { name: 'REPORTS' },
  })
  t.strictSame((await world.call(ann, 'GET /apps/other/config-vars')).body, {})
  t.match(await world.call(ann, `DELETE /apps/demo/addons/${name}`, { force: false }), {
    status: 200,
    body: { state: 'deprovisioned' },
  })
  t.strictSame((await world.call(ann, 'GET /apps/demo/config-vars')).body, {})
  t.match(await world.call(ann, `GET /addons/${name}`), { status: 404, body: { resource: 'add_on' } })
  t.match(await world.call(ann, 'POST /apps/demo/addons', { plan: 'heroku-redis' }), {
    status: 404,
    body: { resource: 'add_on_service' },
  })
  t.match(await world.call(ann, 'POST /apps/demo/addons', { plan: 'heroku-postgresql:giant' }), { status: 422 })
  t.match(await world.call(ann, 'POST /apps/demo/addons', { plan: 'heroku-postgresql', config: { fork: 'x' } }), {
    status: 422,
  })
})

t.test('the catalogue is there, and what Heroku has besides is empty', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  await world.call(ann, 'POST /apps', { name: 'demo' })
  t.match((await world.call(ann, 'GET /regions')).body, [
    { name: 'local', description: String, private_capable: false },
  ])
  t.match((await world.call(ann, 'GET /stacks/paas-13')).body, { name: 'paas-13', state: 'public', default: true })
  t.match((await world.call(ann, 'GET /dyno-sizes/standard-1x')).body, { name: 'Standard-1X', memory: 0.5 })
  t.match((await world.call(ann, 'GET /addon-services/postgresql')).body, { name: 'heroku-postgresql', state: 'ga' })
  const plans = (await world.call(ann, 'GET /addon-services/heroku-postgresql/plans')).body
  t.strictSame(
    plans.filter((p: { default: boolean }) => p.default).map((p: { name: string }) => p.name),
    ['heroku-postgresql:standard-0'],
  )
  const byPlanId = await world.call(ann, 'POST /apps/demo/addons', { plan: { id: plans[0].id } })
  t.equal(byPlanId.body.plan.id, plans[0].id)
  for (const url of [
    '/teams',
    '/account/features',
    '/apps/demo/features',
    '/apps/demo/sni-endpoints',
    '/apps/demo/log-drains',
  ])
    t.strictSame((await world.call(ann, `GET ${url}`)).body, [], url)
  for (const url of [
    '/apps/demo/pipeline-couplings',
    '/account/features/x',
    '/apps/demo/features/x',
    '/regions/eu',
    '/stacks/x',
    '/dyno-sizes/x',
    '/addon-services/x',
  ])
    t.match(await world.call(ann, `GET ${url}`), { status: 404, body: { id: 'not_found', resource: String } }, url)
  t.match((await world.call(ann, 'GET /apps/demo/collaborators')).body, [
    { role: 'owner', user: { email: 'ann@example.com' } },
  ])
})
