// A database that takes another one's place: POST /addon-attachments with `confirm`.
import t from 'tap'
import { startTestApi } from '../support/api.js'

t.setTimeout(120_000)

t.test('a database is promoted: its attachment takes the name that another had, in one release', async (t) => {
  const world = await startTestApi(t)
  const ann = await world.person('ann@example.com')
  await world.call(ann, 'POST /apps', { name: 'demo' })
  const create = async () => (await world.call(ann, 'POST /apps/demo/addons', { plan: 'heroku-postgresql' })).body.name
  const [old, fresh] = [await create(), await create()]
  const vars = async () => (await world.call(ann, 'GET /apps/demo/config-vars')).body
  const attach = (body: object) => world.call(ann, 'POST /addon-attachments', { app: { name: 'demo' }, ...body })
  const before = await vars()
  t.match(before.DATABASE_URL, `@${old}:`)
  const wish = { name: 'DATABASE', addon: { name: fresh }, namespace: null }
  for (const confirm of [undefined, null, 'other'])
    t.match(await attach({ ...wish, ...(confirm === undefined ? {} : { confirm }) }), {
      status: 423,
      body: { id: 'confirmation_required', message: `demo has an attachment DATABASE already, to ${old}.` },
    })
  t.match(await attach({ ...wish, confirm: 'demo' }), { status: 422, body: { message: /the only attachment of/ } })
  t.match(await attach({ ...wish, addon: { name: old }, confirm: 'demo' }), {
    status: 422,
    body: { message: /already/ },
  })
  t.strictSame(await vars(), before, 'a refusal changes nothing')

  const kept = await attach({ addon: { name: old }, confirm: 'demo' })
  t.equal(kept.status, 201)
  const releases = async () => (await world.call(ann, 'GET /apps/demo/releases')).body
  const count = (await releases()).length
  t.match(await attach({ ...wish, confirm: 'demo' }), {
    status: 201,
    body: { name: 'DATABASE', addon: { name: fresh } },
  })
  const after = await vars()
  t.match(after.DATABASE_URL, `@${fresh}:`)
  t.match(after[kept.body.config_vars[0]], `@${old}:`)
  t.equal(Object.keys(after).length, 3)
  t.equal((await releases()).length, count + 1)
  t.equal((await releases()).at(-1).description, `Attach DATABASE (${fresh}), Detach DATABASE (${old})`)
  t.equal((await world.call(ann, 'GET /apps/demo/addon-attachments')).body.length, 3)
  const third = { plan: 'heroku-postgresql', attachment: { name: 'DATABASE' } }
  t.equal((await world.call(ann, 'POST /apps/demo/addons', third)).status, 423)
  t.equal((await world.call(ann, 'POST /apps/demo/addons', { ...third, confirm: 'demo' })).status, 201)
  t.equal((await world.call(ann, 'GET /apps/demo/addons')).body.length, 3)
})
