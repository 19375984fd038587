// Goal: nobody gets further than they may, on any route, those to come included.
// Method: walk the routes the API itself declares, with every kind of caller; unknown and foreign things must answer alike.
import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { ApiRoute } from '../../server/api/context.js'
import { revokeAuthorization } from '../../server/store/accounts.js'
import { insertBuild } from '../../server/store/builds.js'
import { recordDynos } from '../../server/store/dynos.js'
import { type Answer, type Person, startTestApi, type TestApi } from '../support/api.js'

interface Belongings {
  readonly [parameter: string]: string
}

/** An app with one of everything, and the ids that routes name. */
async function furnish(world: TestApi, owner: Person, name: string): Promise<Belongings> {
  const make = async (line: string, body: unknown) => {
    const answer = await world.call(owner, line, body)
    if (answer.status !== 201) throw new Error(`${line} answered ${answer.status}: ${answer.text}`)
    return answer.body
  }
  const app = await make('POST /apps', { name })
  const release = await world.deploy(app.id)
  await recordDynos(world.db, app.id, [
    {
      name: 'web.1',
      type: 'web',
      size: 'Basic',
      command: 'serve',
      state: 'up',
      releaseId: release.id,
      releaseVersion: release.version,
    },
  ])
  const addOn = await make(`POST /apps/${name}/addons`, { plan: 'heroku-postgresql' })
  const domain = await make(`POST /apps/${name}/domains`, { hostname: `www.${name}.example.com` })
  const attachments = (await world.call(owner, `GET /apps/${name}/addon-attachments`)).body
  const dynos = (await world.call(owner, `GET /apps/${name}/dynos`)).body
  const build = await insertBuild(world.db, {
    appId: app.id,
    accountId: owner.account.id,
    commit: 'b'.repeat(40),
    commitDescription: '',
  })
  return {
    app: name,
    addon: addOn.id,
    attachment: attachments[0].id,
    authorization: owner.authorizationId,
    build: build.id,
    domain: domain.id,
    dyno: dynos[0].id,
    release: release.id,
    slug: release.slugId ?? '',
    type: 'web',
    feature: 'none',
    name: 'none',
    secret: 'none',
    service: 'heroku-postgresql',
    session: 'none',
  }
}

function lineOf(route: ApiRoute, values: Belongings): string {
  const url = route.url.replace(/:(\w+)/g, (_, parameter: string) => {
    const value = values[parameter]
    if (value === undefined) throw new Error(`the test knows no value for :${parameter} of ${route.url}; add one`)
    return value
  })
  return `${route.method} ${url}`
}

/** A body that gets as far as the handler where there is one that does no harm; `{}` otherwise. */
function bodyFor(route: ApiRoute): unknown {
  return route.method === 'GET' || route.method === 'DELETE' ? undefined : {}
}

/** A few at a time: one by one is slow, all at once is a test of the machine. */
async function each<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const waiting = [...items]
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item)
  }
  await Promise.all([worker(), worker(), worker(), worker()])
}

const passesGate = (answer: Answer) =>
  answer.status !== 401 && answer.status !== 403 && !(answer.status === 404 && answer.body?.resource === 'app')

// Hundreds of calls, on a machine that may be busy.
t.setTimeout(180_000)

t.test('every route lets in whom it permits and nobody else', async (t) => {
  const world = await startTestApi(t, { env: { PAAS_API_RATE_LIMIT: '100000' } })
  const owner = await world.person('owner@example.com')
  const stranger = await world.person('stranger@example.com')
  const admin = await world.person('admin@example.com', { isAdmin: true })
  const revoked = await world.person('revoked@example.com')
  await revokeAuthorization(world.db, revoked.account.id, revoked.authorizationId)
  const expired = await world.person('expired@example.com', { expiresInSeconds: -1 })
  const theirs = await furnish(world, owner, 'owners-app')
  const routes = world.api.apiRoutes
  t.ok(routes.length > 80, `there are ${routes.length} routes`)

  const nobodies: readonly (readonly [string, Person | string | undefined])[] = [
    ['nobody', undefined],
    ['a wrong token', 'PAAS-wrong-token-of-some-length'],
    ['a revoked token', revoked],
    ['an expired token', expired],
  ]
  const guarded = routes.filter((r) => r.permission !== 'public')
  await each(guarded, async (route) => {
    for (const [who, caller] of nobodies) {
      const answer = await world.call(caller, lineOf(route, theirs), bodyFor(route))
      const expected = { id: 'unauthorized', message: 'Invalid credentials provided.' }
      if (answer.status !== 401 || JSON.stringify(answer.body) !== JSON.stringify(expected))
        t.fail(`${route.method} ${route.url} answered ${who} with ${answer.status}: ${answer.text}`)
      if (answer.headers['www-authenticate'] === undefined) t.fail(`${route.url} names no way to authenticate`)
    }
  })
  for (const route of routes.filter((r) => r.permission === 'public'))
    t.ok(passesGate(await world.call(undefined, lineOf(route, theirs))), `anybody may ask ${route.url}`)

  const ofApps = routes.filter((r) => r.permission === 'app')
  await each(ofApps, async (route) => {
    const foreign = await world.call(stranger, lineOf(route, theirs), bodyFor(route))
    const unknown = await world.call(stranger, lineOf(route, { ...theirs, app: 'no-such-app' }), bodyFor(route))
    const told = { status: foreign.status, body: foreign.body }
    if (foreign.status !== 404) t.fail(`${route.method} ${route.url} answered a stranger with ${foreign.status}`)
    t.strictSame(
      told,
      { status: unknown.status, body: unknown.body },
      `${route.method} ${route.url} tells a stranger nothing`,
    )
  })

  const mayUse = { owner, admin }
  for (const [who, caller] of Object.entries(mayUse))
    await each([...routes.entries()], async ([index, route]) => {
      // A DELETE does what it says, so each has an app of its own.
      const things = route.method === 'DELETE' ? await furnish(world, owner, `app-${who}-${index}`) : theirs
      const isToken = route.url.startsWith('/oauth/authorizations/:')
      const line = lineOf(route, isToken ? { ...things, authorization: randomUUID() } : things)
      const answer = await world.call(caller, line, bodyFor(route))
      if (!passesGate(answer) || answer.status >= 500)
        t.fail(`${line} answered the ${who} with ${answer.status}: ${answer.text}`)
    })
  t.strictSame(
    world.logged.filter((l) => l.level === 'error'),
    [],
    'nothing went wrong inside',
  )
})

t.test("another's thing answers like one that does not exist, wherever its id is put", async (t) => {
  const world = await startTestApi(t)
  const owner = await world.person('owner@example.com')
  const stranger = await world.person('stranger@example.com')
  const theirs = await furnish(world, owner, 'owners-app')
  const mine = await furnish(world, stranger, 'strangers-app')
  const nested = ['addon', 'attachment', 'authorization', 'build', 'domain', 'dyno', 'release', 'slug']
  for (const route of world.api.apiRoutes.filter((r) => r.permission !== 'public'))
    for (const parameter of nested.filter((name) => route.url.includes(`:${name}`))) {
      const ask = (id: string) => world.call(stranger, lineOf(route, { ...mine, [parameter]: id }), bodyFor(route))
      const foreign = await ask(theirs[parameter] ?? '')
      const unknown = await ask(randomUUID())
      if (foreign.status < 400) t.fail(`${route.method} ${route.url} took a foreign ${parameter}`)
      t.strictSame(foreign.body, unknown.body, `${route.method} ${route.url}: a foreign ${parameter}`)
    }

  for (const [line, body] of [
    ['POST /addon-attachments', (id: string) => ({ addon: id, app: 'strangers-app' })],
    ['POST /addon-attachments', (id: string) => ({ addon: { id }, app: { name: 'strangers-app' } })],
    ['POST /actions/addons/resolve', (id: string) => ({ addon: id })],
    ['POST /actions/addon-attachments/resolve', (id: string) => ({ addon_attachment: id })],
  ] as const)
    for (const id of [theirs.addon ?? '', theirs.attachment ?? '']) {
      const foreign = await world.call(stranger, line, body(id))
      t.equal(foreign.status, 404, line)
      t.strictSame(foreign.body, (await world.call(stranger, line, body(randomUUID()))).body, `${line} tells nothing`)
    }
  const foreignApp = await world.call(stranger, 'POST /addon-attachments', { addon: mine.addon, app: 'owners-app' })
  const unknownApp = await world.call(stranger, 'POST /addon-attachments', { addon: mine.addon, app: 'no-such-app' })
  t.strictSame(foreignApp.body, unknownApp.body)
})

t.test('lists hold only what the caller may use', async (t) => {
  const world = await startTestApi(t)
  const owner = await world.person('owner@example.com')
  const stranger = await world.person('stranger@example.com')
  const admin = await world.person('admin@example.com', { isAdmin: true })
  await furnish(world, owner, 'owners-app')
  for (const url of ['/apps', '/users/~/apps', '/addons', '/addon-attachments']) {
    t.equal((await world.call(owner, `GET ${url}`)).body.length, 1, `${url} for the owner`)
    t.strictSame((await world.call(stranger, `GET ${url}`)).body, [], `${url} for a stranger`)
    t.equal((await world.call(admin, `GET ${url}`)).body.length, url === '/users/~/apps' ? 0 : 1, `${url} for an admin`)
  }
})

t.test('an add-on shared by two owners shows each only their own attachments', async (t) => {
  const world = await startTestApi(t)
  const owner = await world.person('owner@example.com')
  const admin = await world.person('admin@example.com', { isAdmin: true })
  const other = await world.person('other@example.com')
  const theirs = await furnish(world, owner, 'owners-app')
  await world.call(other, 'POST /apps', { name: 'others-app' })
  const attached = await world.call(admin, 'POST /addon-attachments', {
    addon: theirs.addon,
    app: 'others-app',
    name: 'SHARED',
  })
  t.equal(attached.status, 201)
  const seen = async (who: Person) =>
    (await world.call(who, `GET /addons/${theirs.addon}/addon-attachments`)).body.map((a: { name: string }) => a.name)
  t.strictSame(await seen(owner), ['DATABASE'])
  t.strictSame(await seen(other), ['SHARED'])
  t.strictSame((await world.call(other, `GET /addons/${theirs.addon}`)).body.config_vars, [])
  t.strictSame((await world.call(other, 'GET /apps/others-app/addons')).body[0].config_vars, ['SHARED_URL'])
})

t.test('a token works as Bearer and as the password of Basic, and nowhere else', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` })
  const status = async (headers: Record<string, string>, url = '/account') =>
    (await world.call(undefined, `GET ${url}`, undefined, headers)).status
  t.equal(await status(basic(`:${ann.token}`)), 200)
  t.equal(await status(basic(`ann@example.com:${ann.token}`)), 200)
  t.equal(await status({ authorization: `bearer ${ann.token}` }), 200)
  for (const header of [
    '',
    'Basic',
    'Bearer',
    'Basic !!!',
    'Bearer  ',
    `Token ${ann.token}`,
    `Basic ${ann.token}`,
    ann.token,
  ])
    t.equal(await status({ authorization: header }), 401, `'${header.slice(0, 12)}'`)
  t.equal(await status(basic(`${ann.token}:`)), 401, 'as the user name')
  t.equal(await status({}, `/account?token=${ann.token}&access_token=${ann.token}`), 401, 'in the URL')
})

t.test('tokens are made, listed, shown once and revoked', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  const made = await world.call(ann, 'POST /oauth/authorizations', {
    description: 'ci',
    expires_in: 3600,
    scope: ['global'],
  })
  t.equal(made.status, 201)
  t.match(made.body, {
    description: 'ci',
    scope: ['global'],
    user: { email: 'ann@example.com' },
    access_token: { expires_in: 3600 },
  })
  t.match(made.body.access_token.token, /^PAAS-[\w-]{43}$/)
  const { token } = made.body.access_token
  t.equal((await world.call(token, 'GET /account')).body.email, 'ann@example.com')
  t.equal((await world.call(token, 'GET /oauth/authorizations/~')).body.id, made.body.id)
  const listed = await world.call(ann, 'GET /oauth/authorizations')
  t.equal(listed.body.length, 2)
  t.notOk(listed.text.includes(token), 'the list shows nobody a token they do not have')
  const shown = (a: { access_token: { token: string } }) => a.access_token.token
  t.strictSame(listed.body.map(shown), [ann.token, ''], 'the one that asks can be told by its token')
  const dump = JSON.stringify(await world.db.query('SELECT a.*, encode(token_hash, $1) FROM authorizations a', ['hex']))
  t.notOk(dump.includes(token), 'the database holds no token')
  t.equal((await world.call(ann, `DELETE /oauth/authorizations/${made.body.id}`)).status, 200)
  t.equal((await world.call(token, 'GET /account')).status, 401)
  t.equal((await world.call(ann, `DELETE /oauth/authorizations/${made.body.id}`)).body.resource, 'authorization')
  t.match((await world.call(ann, 'DELETE /oauth/sessions/~')).body, { id: 'not_found', resource: 'session' })
  t.equal((await world.call(ann, 'DELETE /oauth/authorizations/~')).status, 200)
  t.equal((await world.call(ann, 'GET /account')).status, 401)
})

t.test('a token that was to do less than everything is not made', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  for (const scope of [['read'], ['global', 'read-protected'], ['identity']]) {
    const refused = await world.call(ann, 'POST /oauth/authorizations', { scope })
    t.match(refused, { status: 422, body: { id: 'invalid_params', message: /^There is no scope '[a-z-]+' here: / } })
  }
  for (const scope of [['global'], [], null])
    t.equal((await world.call(ann, 'POST /oauth/authorizations', { scope })).status, 201, JSON.stringify(scope))
  t.equal((await world.call(ann, 'GET /oauth/authorizations')).body.length, 4)
})

t.test('calls are limited by token, and by address for those without one', async (t) => {
  const world = await startTestApi(t, { env: { PAAS_API_RATE_LIMIT: '3' } })
  const ann = await world.person('ann@example.com')
  const bob = await world.person('bob@example.com')
  const remaining: unknown[] = []
  for (let call = 0; call < 3; call++)
    remaining.push((await world.call(ann, 'GET /account')).headers['ratelimit-remaining'])
  t.strictSame(remaining.map(String), ['2', '1', '0'])
  const left = (await world.call(bob, 'GET /account/rate-limits')).body
  t.strictSame(left, { remaining: 2 }, 'who asks is told')
  const refused = await world.call(ann, 'GET /account')
  t.equal(refused.status, 429)
  t.equal(refused.body.id, 'rate_limit')
  t.match(String(refused.headers['retry-after']), /^\d+$/)
  t.equal((await world.call(bob, 'GET /account')).status, 200, "another's token is not affected")
  const guesses = ['PAAS-guess-one', 'PAAS-guess-two', 'PAAS-guess-three', 'PAAS-guess-four']
  const statuses: number[] = []
  for (const guess of guesses) statuses.push((await world.call(guess, 'GET /account')).status)
  t.strictSame(statuses, [401, 401, 401, 429], 'invented tokens have no limit each')
})
