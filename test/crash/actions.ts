/** What users ask for through the API, each cut short before and after its rows are committed. */
import { until } from '../support/world.js'
import { type CrashWorld, type Scenario, steady, subject } from './crash-world.js'
import type { points } from './points.js'

/** Calls that died with the control plane's answer still to come say nothing about what became of them. */
const fresh = (() => {
  let count = 0
  return (name: string) => `${name}-${++count}`
})()

const exists = async (c: CrashWorld, app: string) =>
  (await c.world.api<{ id?: string }>('GET', `/apps/${app}`, undefined, [404])).id !== 'not_found'

const formation = (quantity: number) => ({ updates: [{ type: 'worker', quantity }] })

const addOnOf = async (c: CrashWorld, app: string) =>
  (await c.world.api<{ id: string; name: string }[]>('GET', `/apps/${app}/addons`))[0]

/** The subject's database, ready. */
async function ensureAddOn(c: CrashWorld): Promise<string> {
  const present = await addOnOf(c, subject)
  if (present === undefined) await c.world.api('POST', `/apps/${subject}/addons`, { plan: 'heroku-postgresql' })
  return until('the database', async () => {
    const addOns = await c.rows.query<{ id: string }>("SELECT id FROM add_ons WHERE state = 'provisioned'")
    return addOns[0]?.id
  })
}

const attachmentOf = async (c: CrashWorld, app: string) =>
  (await c.world.api<{ id: string }[]>('GET', `/apps/${app}/addon-attachments`))[0]?.id

async function ensureAttached(c: CrashWorld): Promise<void> {
  const addon = await ensureAddOn(c)
  if ((await attachmentOf(c, steady)) === undefined)
    await c.world.api('POST', '/addon-attachments', { addon, app: steady })
}

async function ensureDetached(c: CrashWorld): Promise<void> {
  await ensureAddOn(c)
  const attachment = await attachmentOf(c, steady)
  if (attachment !== undefined) await c.world.api('DELETE', `/addon-attachments/${attachment}`)
}

let app = ''
let token: { id: string; token: string } | undefined
let previous = 0

export const actionScenarios: Readonly<Record<keyof (typeof points)['actions'], Scenario>> = {
  appCreate: {
    prepare: async () => {
      app = fresh('made')
    },
    act: (c) => c.world.api('POST', '/apps', { name: app }),
    after: async (t, c, point) => {
      t.equal(await exists(c, app), point.endsWith('.committed'), 'the app is there when its row was committed')
      if (await exists(c, app)) await c.world.api('DELETE', `/apps/${app}`)
      await until('its name to be free', async () => (await c.world.api('POST', '/apps', { name: app })) !== undefined)
      await c.world.api('DELETE', `/apps/${app}`)
    },
  },
  appChange: {
    prepare: async (c) => c.prober.forget(subject),
    act: (c) => c.world.api('PATCH', `/apps/${subject}`, { maintenance: true }),
    after: async (t, c, _, state) => {
      t.equal(state.apps.find((one) => one.name === subject)?.maintenance, true)
      await c.world.api('PATCH', `/apps/${subject}`, { maintenance: false })
      await until('the subject', async () => (await c.world.get(subject)).status === 200)
      c.prober.expectUp(subject)
    },
  },
  appDestroy: {
    prepare: async (c) => {
      app = fresh('gone')
      await c.world.api('POST', '/apps', { name: app })
    },
    act: (c) => c.world.api('DELETE', `/apps/${app}`),
    after: async (t, c, point) => {
      t.equal(await exists(c, app), point.endsWith('.before-commit'))
      if (await exists(c, app)) await c.world.api('DELETE', `/apps/${app}`)
    },
  },
  configSet: {
    act: (c, point) => c.world.api('PATCH', `/apps/${subject}/config-vars`, { FROM: point }),
    after: async (t, c, point) => {
      const vars = await c.world.api<{ FROM?: string }>('GET', `/apps/${subject}/config-vars`)
      t.equal(vars.FROM === point, point.endsWith('.committed'), 'the change is there when it was committed')
    },
  },
  rollback: {
    prepare: async (c) => {
      await c.world.api('PATCH', `/apps/${subject}/config-vars`, { NEWER: fresh('value') })
      previous = (await newest(c)).version
      await until('it to be live', async () => (await newest(c)).status === 'succeeded')
    },
    act: (c) => c.world.api('POST', `/apps/${subject}/releases`, { release: String(previous - 1) }),
    after: async (t, c, point) => {
      const wasMade = (await newest(c)).description === `Rollback to v${previous - 1}`
      t.equal(wasMade, point.endsWith('.committed'))
    },
  },
  scale: {
    prepare: (c) => c.world.api('PATCH', `/apps/${subject}/formation`, formation(0)),
    act: (c) => c.world.api('PATCH', `/apps/${subject}/formation`, formation(2)),
    after: async (t, c, point, state) => {
      const entries = state.apps.find((one) => one.name === subject)?.formation
      t.equal(entries?.find((e) => e.type === 'worker')?.quantity, point.endsWith('.committed') ? 2 : 0)
      await c.world.api('PATCH', `/apps/${subject}/formation`, formation(1))
    },
  },
  restart: { act: (c) => c.world.api('DELETE', `/apps/${subject}/dynos`) },
  stop: { act: (c) => c.world.api('POST', `/apps/${subject}/dynos/web.1/actions/stop`) },
  run: {
    act: (c) => c.world.api('POST', `/apps/${subject}/dynos`, { command: 'true' }),
    after: async (t, c) => {
      const ended = await until('it to end', async () => {
        const rows = await c.rows.query<{ exit_code: number }>("SELECT exit_code FROM one_offs WHERE state = 'ended'")
        return rows[0]
      })
      t.equal(ended.exit_code, 0, 'what was committed was run')
    },
  },
  domainAdd: {
    act: (c) => c.world.api('POST', `/apps/${subject}/domains`, { hostname: 'www.example.test' }),
    after: async (t, c) => t.equal((await c.world.get('www.example.test')).status, 200),
  },
  domainRemove: {
    act: (c) => c.world.api('DELETE', `/apps/${subject}/domains/www.example.test`),
    after: async (t, c) => t.equal((await c.world.get('www.example.test')).status, 404),
  },
  authorizationCreate: {
    act: (c) => c.world.api('POST', '/oauth/authorizations', { description: 'crash' }),
    after: async (t, c) => {
      const all = await c.world.api<{ id: string; description: string }[]>('GET', '/oauth/authorizations')
      const made = all.filter((one) => one.description === 'crash')
      t.equal(made.length, 1, 'a token nobody was told can be found and revoked')
      for (const { id } of made) await c.world.api('DELETE', `/oauth/authorizations/${id}`)
    },
  },
  authorizationRevoke: {
    prepare: async (c) => {
      const made = await c.world.api<{ id: string; access_token: { token: string } }>(
        'POST',
        '/oauth/authorizations',
        {},
      )
      token = { id: made.id, token: made.access_token.token }
    },
    act: (c) => c.world.api('DELETE', `/oauth/authorizations/${token?.id}`),
    after: async (t, c) => {
      const headers = { authorization: `Bearer ${token?.token}` }
      t.equal((await fetch(`http://127.0.0.1:${c.world.config.apiPort}/account`, { headers })).status, 401)
    },
  },
  addOnCreate: {
    act: (c) => c.world.api('POST', `/apps/${subject}/addons`, { plan: 'heroku-postgresql' }),
    after: async (t, c, point) => t.equal((await addOnOf(c, subject)) !== undefined, point.endsWith('.committed')),
  },
  addOnAttach: {
    prepare: ensureDetached,
    act: async (c) => c.world.api('POST', '/addon-attachments', { addon: await ensureAddOn(c), app: steady }),
    after: async (t, c, point) => t.equal((await attachmentOf(c, steady)) !== undefined, point.endsWith('.committed')),
  },
  addOnDetach: {
    prepare: ensureAttached,
    act: async (c) => c.world.api('DELETE', `/addon-attachments/${await attachmentOf(c, steady)}`),
    after: async (t, c, point) => t.equal((await attachmentOf(c, steady)) === undefined, point.endsWith('.committed')),
  },
  addOnDestroy: {
    prepare: ensureAttached,
    act: async (c) =>
      c.world.api('DELETE', `/apps/${subject}/addons/${(await addOnOf(c, subject))?.name}`, { force: true }),
    after: async (t, c, point) => {
      const isGone = (await addOnOf(c, subject)) === undefined
      t.equal(isGone, point.endsWith('.committed'))
      t.equal((await attachmentOf(c, steady)) === undefined, isGone, 'it is detached everywhere, or nowhere')
    },
  },
}

async function newest(c: CrashWorld): Promise<{ version: number; status: string; description: string }> {
  const [row] = await c.rows.query<{ version: number; status: string; description: string }>(
    'SELECT version, status, description FROM releases WHERE app_id = $1 ORDER BY version DESC LIMIT 1',
    [await c.idOf(subject)],
  )
  if (row === undefined) throw new Error('there is no release')
  return row
}
