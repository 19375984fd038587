// The manners of the API that every client counts on: errors, bodies, pages, ids, and the document that describes it.
import fc from 'fast-check'
import t from 'tap'
import { openapiDocument } from '../../server/api/openapi.js'
import { PlatformError } from '../../server/model/errors.js'
import { startTestApi, type TestApi } from '../support/api.js'

t.setTimeout(180_000)

t.test('every answer has a request id, and refusals are JSON with an id and a sentence', async (t) => {
  const world = await startTestApi(t, { env: { PAAS_REQUEST_BODY_BYTES: '2k' } })
  const ann = await world.person('ann@example.com')
  await world.call(ann, 'POST /apps', { name: 'demo' })
  const cases: readonly (readonly [string, unknown, Record<string, string>, number, string])[] = [
    ['GET /nothing/here', undefined, {}, 404, 'not_found'],
    ['GET /apps/no-such-app', undefined, {}, 404, 'not_found'],
    ['PUT /apps/demo', {}, {}, 405, 'method_not_allowed'],
    ['HEAD /apps', undefined, {}, 405, ''],
    ['POST /apps', '{"name": ', {}, 400, 'bad_request'],
    ['POST /apps', '{"__proto__": {"name": "x"}}', {}, 400, 'bad_request'],
    ['POST /apps', 'name=demo', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
    ['POST /apps', 'hello', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['POST /apps', { name: 'x'.repeat(3_000) }, {}, 413, 'too_large'],
    ['POST /apps', { name: 'other', color: 'red' }, {}, 422, 'invalid_params'],
    ['POST /apps', { name: 'nul\0' }, {}, 422, 'invalid_params'],
    ['GET /apps/nul%00', undefined, {}, 404, 'not_found'],
    ['GET /apps/%E0%A4%A', undefined, {}, 400, 'bad_request'],
    ['GET /apps/demo/slugs/not-a-uuid', undefined, {}, 404, 'not_found'],
    [`GET /apps/${'x'.repeat(500)}`, undefined, {}, 404, 'not_found'],
  ]
  for (const [line, body, headers, status, id] of cases) {
    const answer = await world.call(ann, line, body, headers)
    t.equal(answer.status, status, `${line.slice(0, 40)} ${JSON.stringify(body)?.slice(0, 30) ?? ''}`)
    t.match(String(answer.headers['request-id']), /^[0-9a-f-]{36}$/)
    t.equal(answer.headers['x-request-id'], answer.headers['request-id'])
    if (id === '') continue
    t.equal(answer.body.id, id)
    t.match(answer.body.message, /^[A-Z'].*[.?]$/, 'a sentence')
  }
  t.equal((await world.call(ann, 'PUT /apps/demo', {})).headers.allow, 'DELETE, GET, PATCH')
  for (const [line, sentence] of [
    ['POST /apps/demo/log-drains', /^Log drains are not supported here/],
    ['POST /apps/demo/webhooks', /^Webhooks are not supported here/],
    ['POST /apps/demo/collaborators', /^Collaborators are not supported here/],
    ['POST /account/keys', /^SSH keys are not supported here/],
    ['POST /pipelines', /^Pipelines are not supported here/],
  ] as const)
    t.match(await world.call(ann, line, {}), { status: 405, body: { id: 'method_not_allowed', message: sentence } })
  t.match((await world.call(ann, 'GET /nothing')).body.message, /endpoint was not found/)
  t.strictSame(
    world.logged.filter((l) => l.level === 'error'),
    [],
    'none of it is a bug',
  )
})

t.test('a body that does not fit is refused with a sentence naming the field', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  const app = (await world.call(ann, 'POST /apps', { name: 'demo' })).body
  await world.deploy(app.id)
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['POST /apps', { name: 3 }, "The field 'name' must be a string or null."],
    ['POST /apps', { colour: 1 }, "Unknown field 'colour' in the request body; leave it out."],
    ['POST /apps', [], 'The request body must be an object or null.'],
    [
      'PATCH /apps/demo',
      undefined,
      'The request has no body; send one as JSON, with the header Content-Type: application/json.',
    ],
    ['PATCH /apps/demo', { maintenance: 'yes' }, "The field 'maintenance' must be true or false."],
    ['POST /apps/demo/log-sessions', { lines: 'ten' }, "The field 'lines' must be a whole number or null."],
    ['POST /oauth/authorizations', { expires_in: '0' }, "The field 'expires_in' must be >= 1."],
    [
      'PATCH /apps/demo/formation',
      { updates: [{ quantity: 1 }] },
      "The field 'updates[0].type' is missing from the request body.",
    ],
    [
      'PATCH /apps/demo/formation',
      { updates: [{ type: 'web', quantity: [] }] },
      "The field 'updates[0].quantity' must be a whole number or a string.",
    ],
    [
      'PATCH /apps/demo/formation',
      { updates: [{ type: 'web', count: 1 }] },
      "Unknown field 'updates[0].count' in the request body; leave it out.",
    ],
    ['PATCH /apps/demo/config-vars', { LIMIT: 5 }, "The field 'LIMIT' must be a string or null."],
    ['POST /apps/demo/dynos', {}, "The field 'command' is missing from the request body."],
    ['POST /apps/demo/dynos', { command: 'ls', env: { 'A-B': '1' } }, "'A-B' is not a name that 'env' can have."],
    [
      'POST /apps/demo/addons',
      { plan: { label: 'x' } },
      "Unknown field 'plan.label' in the request body; leave it out.",
    ],
    ['POST /apps/demo/domains', { hostname: null }, "The field 'hostname' must be a string."],
    ['POST /oauth/authorizations', { expires_in: 0 }, "The field 'expires_in' must be >= 1."],
  ]
  for (const [line, body, sentence] of cases) {
    const answer = await world.call(ann, line, body)
    t.equal(answer.status, 422, `${line} ${JSON.stringify(body)}`)
    t.ok(answer.body.message.startsWith(sentence), answer.body.message)
  }
})

t.test('what clients send beside the point is taken', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  const create = {
    name: 'demo',
    region: { name: 'local' },
    stack: 'heroku-24',
    feature_flags: '',
    space: null,
    team: null,
  }
  const accept = { accept: 'application/vnd.heroku+json; version=3.sdk', range: 'id ..; max=1000', 'request-id': 'a,b' }
  t.equal((await world.call(ann, 'POST /apps', create, accept)).status, 201)
  t.equal((await world.call(ann, 'GET /apps/demo', undefined, { 'content-type': 'application/json' })).status, 200)
  t.equal(
    (await world.call(ann, 'POST /apps', undefined, { 'content-type': 'application/json' })).status,
    201,
    'an empty body',
  )
  t.equal(
    (await world.call(ann, 'DELETE /apps/demo/dynos', undefined, { 'content-type': 'application/json' })).status,
    202,
  )
  const vnd = { 'content-type': 'application/vnd.heroku+json; version=3; charset=utf-8' }
  t.equal((await world.call(ann, 'PATCH /apps/demo/config-vars', '{"A":"1"}', vnd)).status, 200)
  t.equal((await world.call(ann, 'PUT /apps/demo/buildpack-installations', { updates: [] }, { range: '' })).status, 200)
  for (const [field, value] of [
    ['team', 'us'],
    ['space', { name: 'private' }],
    ['region', 'tokyo'],
    ['stack', 'windows'],
    ['stack', 'container'],
  ] as const) {
    const answer = await world.call(ann, 'POST /apps', { name: 'other', [field]: value })
    t.equal(answer.status, 422, field)
    t.match(answer.body.message, /leave '\w+' out[.,]/)
  }
  for (const region of ['us', 'eu', { name: 'eu' }])
    t.match(await world.call(ann, 'POST /apps', { region }), { status: 201, body: { region: { name: 'local' } } })
})

t.test('numbers and truths are taken as strings where clients write them so', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  const app = (await world.call(ann, 'POST /apps', { name: 'demo' })).body
  await world.deploy(app.id)
  t.match(await world.call(ann, 'POST /oauth/authorizations', { expires_in: '60' }), {
    status: 201,
    body: { access_token: { expires_in: 60 } },
  })
  t.equal((await world.call(ann, 'POST /apps/demo/log-sessions', { lines: '10' })).status, 201)
  t.equal((await world.call(ann, 'POST /apps/demo/dynos', { command: 'ls', time_to_live: '60' })).status, 201)
  for (const [maintenance, is] of [
    ['true', true],
    ['0', false],
    [1, true],
    ['false', false],
    ['1', true],
    [0, false],
  ])
    t.match(await world.call(ann, 'PATCH /apps/demo', { maintenance }), { status: 200, body: { maintenance: is } })
})

t.test('a bug is logged once with its request id and shown without its insides', async (t) => {
  const world = await startTestApi(t, {
    health: () => Promise.reject(new Error('secret insides')),
    caCertificatePem: () => Promise.reject(new PlatformError('unavailable', 'The router is not there yet; try again.')),
  })
  const answer = await world.call(undefined, 'GET /health')
  t.equal(answer.status, 500)
  t.equal(answer.body.id, 'internal_server_error')
  t.ok(answer.body.message.includes(String(answer.headers['request-id'])))
  t.notOk(answer.text.includes('secret insides'))
  const errors = world.logged.filter((l) => l.level === 'error')
  t.equal(errors.length, 1)
  t.match(errors[0]?.fields, {
    requestId: answer.headers['request-id'],
    err: { message: 'secret insides', stack: String },
  })
  const busy = await world.call(undefined, 'GET /certs/ca')
  t.equal(busy.status, 503)
  t.equal(String(busy.headers['retry-after']), '5')
  t.equal(world.logged.filter((l) => l.level === 'error').length, 1, 'a refusal is no bug')
})

t.test('health is public and says what is missing', async (t) => {
  let missing: string[] = ['router']
  const world = await startTestApi(t, { health: async () => ({ ready: missing.length === 0, missing }) })
  const starting = await world.call(undefined, 'GET /health')
  t.match(starting, { status: 503, body: { status: 'starting', missing: ['router'] } })
  missing = []
  t.match(await world.call(undefined, 'GET /health'), { status: 200, body: { status: 'ok', missing: [] } })
  const certificate = await world.call(undefined, 'GET /certs/ca')
  t.match(certificate.text, /^-----BEGIN CERTIFICATE-----/)
})

t.test('lists come in pages of 200 with the way to the next', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  const app = (await world.call(ann, 'POST /apps', { name: 'demo' })).body
  for (let version = 2; version <= 7; version++) await world.deploy(app.id)
  const versions = async (range: string) => {
    const answer = await world.call(ann, 'GET /apps/demo/releases', undefined, { range })
    return [answer.status, answer.body.map((r: { version: number }) => r.version), answer.headers['next-range']]
  }
  t.strictSame(await versions(''), [200, [1, 2, 3, 4, 5, 6, 7], undefined])
  t.strictSame(await versions('version ..; order=desc,max=1'), [206, [7], 'version ]7..; order=desc,max=1'])
  t.strictSame(await versions('version ]7..; order=desc,max=3'), [206, [6, 5, 4], 'version ]4..; order=desc,max=3'])
  t.strictSame(await versions('version ]4..; order=desc,max=3'), [200, [3, 2, 1], undefined])
  t.strictSame(await versions('version 5..; max=2'), [206, [5, 6], 'version ]6..; max=2'])
  t.strictSame(await versions('version 2..3'), [200, [2, 3], undefined])
  t.strictSame(await versions('id ..; max=1000;'), [200, [1, 2, 3, 4, 5, 6, 7], undefined])
  t.strictSame((await versions('version 99999999999..'))[0], 200)
  t.strictSame((await versions('id 00000000-0000-4000-8000-000000000000..'))[0], 200)
  const rows = Array.from({ length: 205 }, (_, index) => `('app-${1000 + index}')`).join(',')
  await world.db.query(`INSERT INTO apps (name, owner_id) SELECT v.name, $1 FROM (VALUES ${rows}) v(name)`, [
    ann.account.id,
  ])
  const first = await world.call(ann, 'GET /apps')
  t.equal(first.status, 206)
  t.equal(first.body.length, 200)
  const second = await world.call(ann, 'GET /apps', undefined, { range: String(first.headers['next-range']) })
  t.equal(second.status, 200)
  t.equal(second.body.length, 6)
})

t.test('no value of a list gets into a header', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  for (const description of ['€', 'a\nb: c', '\u202e'])
    t.equal((await world.call(ann, 'POST /oauth/authorizations', { description })).status, 201)
  for (const field of ['description', 'constructor', 'user', '__proto__']) {
    const seen: string[] = []
    let range: string | undefined = `${field} ..; order=desc,max=1`
    for (let pages = 0; range !== undefined && pages < 9; pages++) {
      const answer = await world.call(ann, 'GET /oauth/authorizations', undefined, { range })
      seen.push(...answer.body.map((authorization: { id: string }) => authorization.id))
      range = answer.headers['next-range'] as string | undefined
      t.equal(answer.status, range === undefined ? 200 : 206)
      t.match(range ?? 'id ]0..;', /^id \][0-9a-f-]+\.\.;/, field)
    }
    t.equal(new Set(seen).size, seen.length)
    t.ok(seen.length >= 3, `${field}: each authorization once`)
  }
})

t.test('the OpenAPI document has every route, with what it takes and answers', async (t) => {
  const world = await startTestApi(t)
  const document = (await world.call(undefined, 'GET /openapi.json')).body
  t.equal(document.openapi, '3.1.0')
  t.strictSame(document, JSON.parse(JSON.stringify(openapiDocument(world.api))))
  for (const { method, url, permission } of world.api.apiRoutes.filter((r) => !r.url.startsWith('/attach/'))) {
    const operation = document.paths[url.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]
    t.ok(operation?.summary, `${method} ${url} is described`)
    t.equal(operation?.security.length, permission === 'public' ? 0 : 2, `${method} ${url} says who may`)
    t.ok(operation?.responses['4XX'] ?? operation?.responses['4xx'], `${method} ${url} says how it refuses`)
    if (['POST', 'PUT', 'PATCH'].includes(method) && !url.includes('/actions/stop'))
      t.ok(operation?.requestBody, `${method} ${url} describes its body`)
  }
})

/** Values that break what takes them for granted. */
const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    '',
    '\0',
    '../..',
    '%00',
    "'; DROP TABLE apps; --",
    'web.1',
    '~',
    '\ud800',
    'x'.repeat(5_000),
    '1e999',
  ),
  fc.integer(),
  fc.double(),
  fc.constant(null),
  fc.boolean(),
  fc.array(fc.string(), { maxLength: 3 }),
  fc.jsonValue({ maxDepth: 4 }),
)

async function fuzz(world: TestApi, token: string, runs: number): Promise<readonly string[]> {
  const document = (await world.call(undefined, 'GET /openapi.json')).body
  const fields = new Map<string, string[]>()
  for (const route of world.api.apiRoutes) {
    const operation = document.paths[route.url.replace(/:(\w+)/g, '{$1}')]?.[route.method.toLowerCase()]
    const schema = operation?.requestBody?.content?.['application/json']?.schema
    const properties = schema?.properties ?? schema?.anyOf?.[0]?.properties ?? {}
    fields.set(`${route.method} ${route.url}`, Object.keys(properties))
  }
  const routes = world.api.apiRoutes.filter((r) => r.url !== '/openapi.json' && !r.url.startsWith('/attach/'))
  const broken: string[] = []
  const request = fc.constantFrom(...routes).chain((route) =>
    fc.record({
      route: fc.constant(route),
      parameters: fc.array(fc.oneof(fc.constantFrom('demo', 'web.1', '2', 'v2'), fc.string({ maxLength: 40 })), {
        minLength: 4,
        maxLength: 4,
      }),
      body: fc.oneof(
        fc.dictionary(fc.constantFrom(...(fields.get(`${route.method} ${route.url}`) ?? []), 'A', 'zz'), nasty, {
          maxKeys: 5,
        }),
        nasty,
      ),
      range: fc.oneof(fc.constant('id ..'), fc.string({ unit: 'grapheme-ascii', maxLength: 30 })),
    }),
  )
  await fc.assert(
    fc.asyncProperty(request, async ({ route, parameters, body, range }) => {
      const values = [...parameters]
      const url = route.url.replace(/:(\w+)/g, (_, name: string) =>
        name === 'app' ? 'demo' : encodeURIComponent((values.shift() ?? 'x').replace(/[\ud800-\udfff]/g, 'x')) || 'x',
      )
      // Destroying the app would leave nothing to ask.
      if (route.method === 'DELETE' && route.url === '/apps/:app') return
      if (route.method === 'DELETE' && route.url.startsWith('/oauth')) return
      if (route.url === '/apps/:app' && route.method === 'PATCH') return
      const payload = route.method === 'GET' ? undefined : (JSON.stringify(body) ?? 'null')
      const answer = await world.call(token, `${route.method} ${url}`, payload, { range: range.trim() })
      if (answer.status >= 500) broken.push(`${route.method} ${url} ${payload?.slice(0, 200)} → ${answer.status}`)
    }),
    { numRuns: runs, endOnFailure: true },
  )
  return broken
}

t.test('nothing that is sent makes it fail', async (t) => {
  const world = await startTestApi(t, { env: { PAAS_API_RATE_LIMIT: '1000000' } })
  const ann = await world.person('ann@example.com')
  const app = (await world.call(ann, 'POST /apps', { name: 'demo' })).body
  await world.deploy(app.id)
  const runs = Number(process.env.PAAS_TEST_FUZZ_RUNS ?? 1_500)
  t.strictSame(await fuzz(world, ann.token, runs), [])
  t.strictSame(
    world.logged.filter((l) => l.level === 'error'),
    [],
    'nothing went wrong inside',
  )
  t.equal((await world.call(ann, 'GET /apps/demo')).status, 200)
})
