/** What the loop does to the world, each step cut short before and after. */
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { until } from '../support/world.js'
import { type CrashWorld, type Scenario, subject } from './crash-world.js'
import type { points } from './points.js'

/** An app with a release command, which fails where the config var FAIL says so, and runs long enough for web dynos to be held. */
export const commanded = 'commanded'

export async function pushCommanded(c: CrashWorld): Promise<void> {
  const repo = await c.world.checkout('whoami', commanded)
  const procfile = path.join(repo, 'Procfile')
  await writeFile(procfile, `${await readFile(procfile, 'utf8')}release: sleep 1; test "$FAIL" != yes\n`)
  await c.world.commitAll(repo, 'A release command')
  const pushed = await c.world.push(repo)
  if (pushed.code !== 0) throw new Error(pushed.output)
  c.prober.expectUp(commanded)
}

let count = 0
const setVar = (app: string, name: string) => (c: CrashWorld) =>
  c.world.api('PATCH', `/apps/${app}/config-vars`, { [name]: `value-${++count}` })

const oneOffsOf = (c: CrashWorld) =>
  c.rows.query<{ number: number; state: string }>('SELECT number, state FROM one_offs ORDER BY created_at DESC')

const doomed = 'doomed'

/** An app that has a repository, because somebody has asked git for it. */
async function makeDoomed(c: CrashWorld): Promise<void> {
  const { api, git, token, config, dir } = c.world
  await until('the name to be free', async () => (await api('POST', '/apps', { name: doomed })) !== undefined)
  c.prober.watch(doomed)
  const url = `http://127.0.0.1:${config.apiPort}/${doomed}.git`
  const listed = await git(['-c', `http.extraHeader=Authorization: Bearer ${token}`, 'ls-remote', url], dir)
  if (listed.code !== 0) throw new Error(listed.output)
}

export const loopScenarios: Readonly<Record<keyof (typeof points)['loop'], Scenario>> = {
  rollout: { act: setVar(subject, 'ROLLOUT') },
  reload: {
    // A setting of HAProxy's that differs has the router reloaded at the start.
    env: { PAAS_ROUTER_IDLE_TIMEOUT_MS: '54000' },
    act: async () => {},
  },
  releaseCommand: { act: setVar(commanded, 'COMMANDED') },
  failingReleaseCommand: {
    act: (c) => c.world.api('PATCH', `/apps/${commanded}/config-vars`, { FAIL: 'yes' }),
    after: async (t, c, _, state) => {
      const app = state.apps.find((one) => one.name === commanded)
      t.equal(app?.releases.at(-1)?.status, 'failed', 'the release whose command failed has failed')
      await c.world.api('PATCH', `/apps/${commanded}/config-vars`, { FAIL: 'no' })
    },
  },
  oneOff: {
    act: (c) => c.world.api('POST', `/apps/${subject}/dynos`, { command: 'true' }),
    after: async (_, c) => until('it to end', async () => (await oneOffsOf(c))[0]?.state === 'ended'),
  },
  stoppedOneOff: {
    act: async (c) => {
      const { name } = await c.world.api<{ name: string }>('POST', `/apps/${subject}/dynos`, { command: 'sleep 600' })
      await until('it to be up', async () => (await oneOffsOf(c))[0]?.state === 'up')
      await c.world.api('POST', `/apps/${subject}/dynos/${name}/actions/stop`)
    },
    after: async (_, c) => until('it to end', async () => (await oneOffsOf(c))[0]?.state === 'ended'),
  },
  attachedOneOff: {
    act: (c) => c.world.paas(['run', '-a', subject, '--no-tty', '--', 'sleep', '600']),
    after: async (_, c) =>
      until('it to end, for nobody is attached to it any more', async () =>
        (await oneOffsOf(c)).every((o) => o.state === 'ended'),
      ),
  },
  destroyed: {
    prepare: makeDoomed,
    act: (c) => c.world.api('DELETE', `/apps/${doomed}`),
    after: async (t, c, _, state) => {
      t.notOk(state.apps.some((app) => app.name === doomed))
      t.equal((await c.world.get(doomed)).status, 404)
    },
  },
}
