// Apps, config vars, releases, domains and builds: what their routes do to rows and show of them.
import t from 'tap'
import { finishBuild, insertBuild } from '../../server/store/builds.js'
import { markSlugPruned } from '../../server/store/releases.js'
import { startTestApi } from '../support/api.js'

t.setTimeout(120_000)

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

t.test('apps are created, shown, changed and destroyed', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  const made = await world.call(ann, 'POST /apps', { name: 'demo' })
  t.equal(made.status, 201)
  t.match(made.body, {
    id: uuid,
    name: 'demo',
    acm: false,
    archived_at: null,
    build_stack: { id: uuid, name: 'paas-13' },
    buildpack_provided_description: null,
    create_status: 'complete',
    created_at: instant,
    git_url: 'http://localhost:5000/demo.git',
    maintenance: false,
    organization: null,
    owner: { id: ann.account.id, email: 'ann@example.com' },
    region: { id: uuid, name: 'local' },
    released_at: null,
    repo_size: null,
    slug_size: null,
    space: null,
    stack: { id: uuid, name: 'paas-13' },
    team: null,
    updated_at: instant,
    web_url: 'http://demo.localhost/',
  })
  const suggested = await world.call(ann, 'POST /apps')
  t.match(suggested.body.name, /^[a-z]+-[a-z]+-\d{5}$/)
  const taken = await world.call(ann, 'POST /apps', { name: 'demo' })
  t.match(taken, { status: 422, body: { id: 'invalid_params', message: /taken/ } })
  t.match(await world.call(ann, 'POST /apps', { name: 'Not Good' }), { status: 422 })

  await world.deploy(made.body.id)
  const byId = await world.call(ann, `GET /apps/${made.body.id}`)
  t.match(byId.body, { name: 'demo', slug_size: 12345, buildpack_provided_description: 'Python', released_at: instant })
  t.equal((await world.call(ann, 'PATCH /apps/demo', { maintenance: true })).body.maintenance, true)
  t.equal((await world.call(ann, 'PATCH /apps/demo', { name: 'renamed' })).body.web_url, 'http://renamed.localhost/')
  t.equal((await world.call(ann, 'PATCH /apps/renamed', { build_stack: 'heroku-24' })).body.stack.name, 'paas-13')
  t.equal((await world.call(ann, 'GET /apps/demo')).status, 404)
  t.equal((await world.call(ann, 'DELETE /apps/renamed')).body.name, 'renamed')
  t.match(await world.call(ann, 'GET /apps/renamed'), { status: 404, body: { id: 'not_found', resource: 'app' } })
  t.match((await world.call(ann, 'GET /account')).body, { id: ann.account.id, email: 'ann@example.com' })
  t.match((await world.call(ann, 'GET /users/~')).body, { email: 'ann@example.com' })
})

t.test('config vars are merged into one release a change', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  await world.call(ann, 'POST /apps', { name: 'demo' })
  t.strictSame((await world.call(ann, 'GET /apps/demo/config-vars')).body, {})
  const set = await world.call(ann, 'PATCH /apps/demo/config-vars', { GREETING: 'hei', LIMIT: '5' })
  t.strictSame(set.body, { GREETING: 'hei', LIMIT: '5' })
  t.strictSame((await world.call(ann, 'PATCH /apps/demo/config-vars', { LIMIT: null })).body, { GREETING: 'hei' })
  await world.call(ann, 'PATCH /apps/demo/config-vars', { GREETING: 'hei' })
  const releases = (await world.call(ann, 'GET /apps/demo/releases')).body
  t.strictSame(
    releases.map((r: { version: number; description: string }) => `v${r.version} ${r.description}`),
    ['v1 Initial release', 'v2 Set GREETING, LIMIT config vars', 'v3 Remove LIMIT config var'],
  )
  t.strictSame((await world.call(ann, 'GET /apps/demo/releases/2/config-vars')).body, { GREETING: 'hei', LIMIT: '5' })
  t.match(await world.call(ann, 'PATCH /apps/demo/config-vars', { PORT: '1' }), {
    status: 422,
    body: { message: /PORT/ },
  })
  t.match(await world.call(ann, 'PATCH /apps/demo/config-vars', { 'no good': '1' }), { status: 422 })
})

t.test('releases say which is current and which can be rolled back to', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  const app = (await world.call(ann, 'POST /apps', { name: 'demo' })).body
  const first = await world.deploy(app.id, { accountId: ann.account.id, configVars: { A: '1' } })
  await world.deploy(app.id, { status: 'failed' })
  const third = await world.deploy(app.id, { processTypes: { web: 'serve', release: 'migrate' } })
  await world.deploy(app.id, { status: 'pending' })
  const brief = (r: { version: number; current: boolean; eligible_for_rollback: boolean; status: string }) =>
    [r.version, r.status, r.current, r.eligible_for_rollback].join(' ')
  const listed = (await world.call(ann, 'GET /apps/demo/releases')).body
  t.strictSame(listed.map(brief), [
    '1 succeeded false false',
    '2 succeeded false true',
    '3 failed false false',
    '4 succeeded true true',
    '5 pending false false',
  ])
  t.match(listed[1], {
    id: first.id,
    app: { id: app.id, name: 'demo' },
    addon_plan_names: [],
    artifacts: [],
    created_at: instant,
    output_stream_url: null,
    slug: { id: first.slugId },
    user: { email: 'ann@example.com' },
  })
  t.match(listed[3].output_stream_url, /^http:\/\/localhost:5000\/streams\//)
  t.match(listed[3].user, { email: 'deleted-account' }, 'a release of an account that is gone')
  for (const reference of ['4', 'v4', third.id])
    t.equal((await world.call(ann, `GET /apps/demo/releases/${reference}`)).body.id, third.id)

  const back = await world.call(ann, 'POST /apps/demo/releases', { release: first.id })
  t.match(back, { status: 201, body: { version: 6, description: 'Rollback to v2', slug: { id: first.slugId } } })
  t.strictSame((await world.call(ann, 'GET /apps/demo/config-vars')).body, { A: '1' })
  t.equal((await world.call(ann, 'POST /apps/demo/releases', { release: 4 })).status, 201, 'by its number')
  t.match(await world.call(ann, 'POST /apps/demo/releases', { release: 'v3' }), { status: 422 }, 'a failed one')
  t.match(await world.call(ann, 'POST /apps/demo/releases', { release: 'v99' }), { status: 404 })
  await markSlugPruned(world.db, first.slugId ?? '')
  t.match(await world.call(ann, 'POST /apps/demo/releases', { release: 'v2' }), { status: 410, body: { id: 'gone' } })
  t.equal((await world.call(ann, 'GET /apps/demo/releases/2')).body.eligible_for_rollback, false)
  t.match((await world.call(ann, `GET /apps/demo/slugs/${third.slugId}`)).body, {
    id: third.slugId,
    commit: 'a'.repeat(40),
    process_types: { web: 'serve', release: 'migrate' },
    size: 12345,
    stack: { name: 'paas-13' },
  })
})

t.test('domains are the own one and those that were added', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  await world.call(ann, 'POST /apps', { name: 'demo' })
  const added = await world.call(ann, 'POST /apps/demo/domains', { hostname: 'WWW.Example.com', sni_endpoint: null })
  t.match(added, {
    status: 201,
    body: {
      hostname: 'www.example.com',
      kind: 'custom',
      cname: 'demo.localhost',
      status: 'succeeded',
      acm_status: null,
      sni_endpoint: null,
    },
  })
  const hosts = (await world.call(ann, 'GET /apps/demo/domains')).body.map(
    (d: { kind: string; hostname: string }) => `${d.kind} ${d.hostname}`,
  )
  t.strictSame(hosts, ['heroku demo.localhost', 'custom www.example.com'])
  for (const reference of ['www.example.com', added.body.id])
    t.equal((await world.call(ann, `GET /apps/demo/domains/${reference}`)).body.id, added.body.id)
  t.match((await world.call(ann, 'GET /apps/demo/domains/demo.localhost')).body, { kind: 'heroku', cname: null })
  t.match(await world.call(ann, 'DELETE /apps/demo/domains/demo.localhost'), { status: 422 })
  t.match(await world.call(ann, 'POST /apps/demo/domains', { hostname: 'www.example.com' }), {
    status: 422,
    body: { message: /in use/ },
  })
  t.equal((await world.call(ann, 'DELETE /apps/demo/domains/www.example.com')).status, 200)
  t.match(await world.call(ann, 'GET /apps/demo/domains/www.example.com'), {
    status: 404,
    body: { resource: 'domain' },
  })
})

t.test('builds show their output, and buildpacks are set in order', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  const app = (await world.call(ann, 'POST /apps', { name: 'demo' })).body
  const build = await insertBuild(world.db, {
    appId: app.id,
    accountId: ann.account.id,
    commit: 'c'.repeat(40),
    commitDescription: 'Fix',
  })
  t.match((await world.call(ann, `GET /apps/demo/builds/${build.id}/result`)).body, {
    build: { status: 'pending' },
    exit_code: null,
    lines: [],
  })
  await finishBuild(world.db, build.id, {
    status: 'failed',
    output: '-----> Python\n !     No Procfile\n',
    failure: 'No Procfile',
    buildpacks: ['heroku/python'],
  })
  const listed = (await world.call(ann, 'GET /apps/demo/builds')).body
  t.match(listed, [
    {
      id: build.id,
      status: 'failed',
      failure: 'No Procfile',
      app: { id: app.id },
      release: null,
      slug: null,
      stack: 'paas-13',
      buildpacks: [{ name: 'heroku/python' }],
      source_blob: { version: 'c'.repeat(40), version_description: 'Fix' },
      user: { email: 'ann@example.com' },
    },
  ])
  const result = (await world.call(ann, `GET /apps/demo/builds/${build.id}/result`)).body
  t.match(result, {
    exit_code: 1,
    lines: [{ stream: 'STDOUT', line: '-----> Python\n' }, { line: ' !     No Procfile\n' }],
  })
  const stream = await world.call(undefined, `GET ${new URL(listed[0].output_stream_url).pathname}`)
  t.equal(stream.text, '-----> Python\n !     No Procfile\n')

  const set = await world.call(ann, 'PUT /apps/demo/buildpack-installations', {
    updates: [{ buildpack: 'heroku/nodejs' }, { buildpack: { url: 'https://example.com/pack.tgz' } }],
  })
  t.strictSame(set.body, [
    { ordinal: 0, buildpack: { url: 'heroku/nodejs', name: 'heroku/nodejs' } },
    { ordinal: 1, buildpack: { url: 'https://example.com/pack.tgz', name: 'https://example.com/pack.tgz' } },
  ])
  t.strictSame((await world.call(ann, 'GET /apps/demo/buildpack-installations')).body, set.body)
  t.equal(
    (await world.call(ann, 'PUT /apps/demo/buildpack-installations', { updates: [{ buildpack: 'file:///etc' }] }))
      .status,
    422,
  )
  t.strictSame((await world.call(ann, 'PUT /apps/demo/buildpack-installations', { updates: [] })).body, [])
})
