// Goal: each command asks the API what Heroku's CLI would ask, and says what Heroku's CLI would say.
// Method: the bundled CLI runs as a process of its own against a server that answers from a table; compared are the
// requests, what is on stdout and stderr, and the exit code.
import t, { type Test } from 'tap'
import { type Step, steps } from './command-steps.js'
import { type Answers, type Api, app, bundleCli, type Cli, release, startApi, token } from './stand-in.js'

// Each run of the CLI is a process of its own; on a busy machine many of them take a while.
t.setTimeout(180_000)

const dyno = {
  id: 'd1',
  name: 'web.1',
  type: 'web',
  size: 'Basic',
  state: 'up',
  command: 'gunicorn site.wsgi',
  created_at: '2026-01-02T03:04:05Z',
  updated_at: '2026-01-02T03:04:05Z',
}
const addon = {
  id: 'addon-1',
  name: 'postgresql-round-1234',
  state: 'provisioned',
  app: { id: app.id, name: 'my-app' },
  addon_service: { name: 'heroku-postgresql' },
  plan: { name: 'heroku-postgresql:standard-0', price: { cents: 0, unit: 'month' } },
  config_vars: ['DATABASE_URL'],
  created_at: '2026-01-02T03:04:05Z',
}
const attachment = {
  id: 'att-1',
  name: 'DATABASE',
  addon: { id: 'addon-1', name: addon.name },
  app: { id: app.id, name: 'my-app' },
}
const domain = {
  id: 'dom-1',
  hostname: 'www.example.com',
  kind: 'custom',
  cname: 'my-app.localhost',
  status: 'pending',
}
const formation = [
  { type: 'web', quantity: 2, size: 'Basic' },
  { type: 'worker', quantity: 1, size: 'Basic' },
]
const build = {
  id: 'build-1',
  status: 'succeeded',
  created_at: '2026-01-02T03:04:05Z',
  updated_at: '2026-01-02T03:05:05Z',
  user: { email: 'me@example.com' },
  source_blob: { version: 'abcdef0123456789' },
}
const buildpack = (name: string, ordinal: number) => ({ ordinal, buildpack: { name, url: name } })
const authorization = {
  id: 'auth-1',
  description: 'CI',
  scope: ['global'],
  created_at: '2026-01-02T03:04:05Z',
  access_token: { token: 'HRKU-new', expires_in: null },
}
const releases = [release(3, { current: true }), release(2, { status: 'failed' }), release(1)]

const answers: Answers = {
  'GET /account': { body: { id: 'acc-1', email: 'me@example.com', name: 'Me' } },
  'GET /apps': { body: [{ ...app, name: 'other', maintenance: true }, app] },
  'POST /apps': { status: 201, body: app },
  'GET /apps/my-app': { body: app },
  'PATCH /apps/my-app': { body: { ...app, name: 'new-name', web_url: 'http://new-name.localhost/' } },
  'DELETE /apps/my-app': { body: app },
  'GET /apps/my-app/config-vars': { body: { B: "it's", A: '1\n2', EMPTY: '' } },
  'PATCH /apps/my-app/config-vars': { body: { A: '1', B: '2' } },
  'GET /apps/my-app/releases': { body: releases },
  'GET /apps/my-app/releases/1': { body: release(1) },
  'POST /apps/my-app/releases': { status: 201, body: release(4, { status: 'pending' }) },
  'GET /apps/my-app/dynos': { body: [{ ...dyno, name: 'run.7', type: 'run', command: 'bash' }, dyno] },
  'DELETE /apps/my-app/dynos': { status: 202 },
  'DELETE /apps/my-app/dynos/web.1': { status: 202 },
  'DELETE /apps/my-app/formations/web': { status: 202 },
  'POST /apps/my-app/dynos/web.1/actions/stop': { status: 202 },
  'GET /apps/my-app/formation': { body: formation },
  'PATCH /apps/my-app/formation': { body: formation },
  'GET /apps/my-app/domains': { body: [domain, { ...domain, kind: 'heroku', hostname: 'my-app.localhost' }] },
  'POST /apps/my-app/domains': { status: 201, body: domain },
  'GET /apps/my-app/domains/www.example.com': { body: { ...domain, status: 'succeeded' } },
  'DELETE /apps/my-app/domains/www.example.com': { body: domain },
  'GET /apps/my-app/addons': { body: [addon] },
  'GET /apps/my-app/addon-attachments': { body: [attachment] },
  'POST /apps/my-app/addons': { status: 201, body: { ...addon, state: 'provisioning' } },
  'GET /addons/addon-1': { body: addon },
  'GET /addons': { body: [addon] },
  'GET /addons/addon-1/addon-attachments': { body: [attachment] },
  'POST /actions/addons/resolve': { body: [addon] },
  'POST /addon-attachments': { status: 201, body: { ...attachment, name: 'SHARED' } },
  'DELETE /addon-attachments/att-1': { body: attachment },
  'DELETE /apps/my-app/addons/addon-1': { body: addon },
  'GET /addon-services': { body: [{ name: 'heroku-postgresql', human_name: 'PostgreSQL', state: 'ga' }] },
  'GET /addon-services/heroku-postgresql/plans': {
    body: [
      {
        name: 'heroku-postgresql:standard-0',
        human_name: 'standard-0',
        description: '1 GB',
        default: true,
        price: { cents: 0, unit: 'month' },
      },
    ],
  },
  'GET /client/v11/databases/addon-1': {
    body: {
      info: [
        { name: 'Status', values: ['Available'] },
        { name: 'X', values: [] },
      ],
    },
  },
  'GET /apps/my-app/buildpack-installations': { body: [buildpack('heroku/nodejs', 1), buildpack('heroku/python', 0)] },
  'PUT /apps/my-app/buildpack-installations': ({ body }) => ({
    body: (body as { updates: { buildpack: string }[] }).updates.map((u, i) => buildpack(u.buildpack, i)),
  }),
  'GET /apps/my-app/builds': { body: [build] },
  'GET /apps/my-app/builds/build-1': { body: { ...build, output_stream_url: '/streams/build-1' } },
  'GET /streams/build-1': { text: '-----> Python app detected\r\n\x1b[2J\x1b]0;x\x07Done' },
  'GET /oauth/authorizations': { body: [authorization] },
  'POST /oauth/authorizations': { status: 201, body: authorization },
  'DELETE /oauth/authorizations/auth-1': { body: authorization },
  'GET /health': { body: { status: 'ok', checks: { database: 'ok' } } },
}

async function check(t: Test, cli: Cli, api: Api, step: Step): Promise<void> {
  api.takeAsked()
  const ended = await cli.run(step.run.split(' '), { api })
  const asked = api.takeAsked()
  const lines = asked.map(({ line, body }) => (body === undefined ? line : `${line} ${JSON.stringify(body)}`))
  const whole = `paas ${step.run}`
  t.same([...lines].sort(), [...step.asks].sort(), `${whole}: requests`)
  for (const [name, want, got] of [
    ['stdout', step.says, ended.stdout],
    ['stderr', step.adds ?? '', ended.stderr],
  ] as const)
    if (typeof want === 'string') t.equal(got, want, `${whole}: ${name}`)
    else t.match(got, want, `${whole}: ${name}`)
  t.equal(ended.code, step.code ?? 0, `${whole}: exit code`)
  for (const { headers, line } of asked)
    if (!line.includes('/streams/')) t.equal(headers.authorization, `Bearer ${token}`, `${line} carries the token`)
    else t.notOk(headers.authorization, `${line} carries no token`)
}

t.test('every command asks and says what Heroku users know', async (t) => {
  const cli = await bundleCli(t)
  const api = await startApi(t, answers)
  for (const step of steps) await check(t, cli, api, step)
})

t.test('lists ask for what they need and follow pages to the end', async (t) => {
  const cli = await bundleCli(t)
  const api = await startApi(t, {
    'GET /apps/my-app/releases': { body: [release(2)] },
    'GET /apps': ({ headers }) =>
      headers.range === undefined
        ? { status: 206, headers: { 'next-range': 'id ]a..' }, body: [app] }
        : { body: [{ ...app, name: 'second' }] },
  })
  await cli.run(['releases', '-a', 'my-app', '-n', '5'], { api })
  t.equal(api.takeAsked()[0]?.headers.range, 'version ..; order=desc,max=5')
  t.match((await cli.run(['apps'], { api })).stdout, /my-app\nsecond\n/)
  t.same(
    api.takeAsked().map((a) => a.headers.range),
    [undefined, 'id ]a..'],
  )
})

t.test('a database is promoted after the one before it has another name', async (t) => {
  const cli = await bundleCli(t)
  const other = { ...addon, id: 'addon-2', name: 'postgresql-flat-2' }
  const amber = { ...attachment, id: 'att-2', name: 'AMBER', addon: { id: 'addon-2', name: other.name } }
  const api = await startApi(t, {
    ...answers,
    'GET /apps/my-app/addons': { body: [addon, other] },
    'GET /apps/my-app/addon-attachments': { body: [attachment, amber] },
    'GET /client/v11/databases/addon-2/wait_status': { body: { 'waiting?': false, message: 'available' } },
    'POST /addon-attachments': ({ body }) => ({
      status: 201,
      body: { ...attachment, name: 'PINK', ...(body as object) },
    }),
  })
  const ended = await cli.run(['pg:promote', 'AMBER_URL', '-a', 'my-app'], { api })
  t.equal(ended.code, 0)
  t.match(
    ended.stderr,
    /^Ensuring an alternate alias for existing DATABASE_URL\.\.\. done, PINK_URL\nPromoting postgresql-flat-2 to DATABASE_URL on ⬢ my-app\.\.\. done, v\d+\n$/,
  )
  const attached = api.takeAsked().filter((asked) => asked.line === 'POST /addon-attachments')
  t.same(
    attached.map((asked) => asked.body),
    [
      { addon: addon.name, app: 'my-app' },
      { addon: other.name, app: 'my-app', name: 'DATABASE', confirm: 'my-app' },
    ],
  )
  const again = await cli.run(['pg:promote', addon.name, '-a', 'my-app'], { api })
  t.equal(again.code, 1)
  t.match(again.stderr, /is promoted already/)
  t.same(
    api.takeAsked().filter((asked) => asked.line.startsWith('POST')),
    [],
  )
  api.answers['GET /client/v11/databases/addon-2/wait_status'] = {
    body: { 'waiting?': true, message: 'being created' },
  }
  const early = await cli.run(['pg:promote', 'AMBER', '-a', 'my-app'], { api })
  t.equal(early.code, 1)
  t.match(early.stderr, /not ready: being created/)
})

t.test('an add-on that other apps use is destroyed only after a --confirm', async (t) => {
  const cli = await bundleCli(t)
  const refusal = { status: 423, body: { id: 'confirmation_required', message: 'It is attached to other too.' } }
  const api = await startApi(t, {
    ...answers,
    'DELETE /apps/my-app/addons/addon-1': ({ body }) => (body === undefined ? refusal : { body: addon }),
  })
  const ended = await cli.run(['addons:destroy', 'DATABASE', '--confirm', 'my-app'], { api })
  t.equal(ended.code, 0)
  t.same(api.takeAsked().at(-1)?.body, { confirm: 'my-app' })
})
