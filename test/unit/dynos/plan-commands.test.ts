/** The plan for what runs once: release commands and one-off dynos. */
import t from 'tap'
import { command, oneOff, oneOffContainer, planOf, release, sandbox, withCommand } from './situation.js'

const v1 = release(1)
const serving = { current: v1, dynos: ['web.1 v1 up routed'] }

t.test('a release command runs before the rollout: made, started, settled, removed', async (t) => {
  const waiting = { ...serving, target: withCommand(2, 'waiting') }
  t.same(planOf(waiting), ['create-release-command v2'])
  t.same(planOf({ ...waiting, commands: [command(2, 'created')] }), ['start-release-command v2'])
  const started = { ...serving, target: withCommand(2, 'started') }
  t.same(planOf({ ...started, dynos: [...serving.dynos, 'web.1 v2 held'], commands: [command(2, 'running')] }), [])
  t.same(planOf({ ...started, commands: [command(2, 'exited')] }), ['settle-release-command v2'])
  const succeeded = { ...serving, target: withCommand(2, 'succeeded') }
  t.same(planOf({ ...succeeded, commands: [command(2, 'exited')] }), [
    'remove release-v2: its end is recorded',
    'start web.1 v2: web.1 of v2 is wanted, none found',
  ])
  t.same(planOf({ ...succeeded, dynos: [...serving.dynos, 'web.1 v2 up'] }), ['settle v2 succeeded'])
})

t.test('while a release command runs its web dynos are made ready, and run nothing before it ended well', async (t) => {
  const started = { ...serving, target: withCommand(2, 'started'), commands: [command(2, 'running')] }
  const ready = [...serving.dynos, 'web.1 v2 held']
  t.same(planOf(started), ['start web.1 v2, held: web.1 of v2 is wanted, none found'])
  t.same(planOf({ ...started, dynos: ready, now: 500 }), [], 'it is not late')
  t.same(planOf({ ...started, dynos: ready, commands: [command(2, 'exited')] }), ['settle-release-command v2'])
  t.same(planOf({ ...started, dynos: [...serving.dynos, 'web.1 v2 exited'] }), [
    'remove w1v2a0: it ended before its command was started',
  ])
  const succeeded = { ...serving, target: withCommand(2, 'succeeded') }
  t.same(planOf({ ...succeeded, dynos: ready }), ['let-go web.1 v2'])
  t.same(planOf({ ...serving, target: v1, dynos: ready }), [
    'remove w1v2a0: its release failed before its command was started',
  ])
  t.same(planOf({ ...serving, target: withCommand(3, 'waiting'), dynos: ready }), [
    'create-release-command v3',
    'remove w1v2a0: its release failed before its command was started',
  ])
  t.same(planOf({ current: release(2), dynos: ['web.1 v1 up routed', 'web.1 v2 held'] }), ['let-go web.1 v2'])
  t.same(planOf({ current: v1, dynos: ['web.1 v1 up routed', 'web.2 v1 held draining'] }), [], 'it may have served')
})

t.test('a release command that is to come finds its networks ready, and nothing is left of them', async (t) => {
  const build = { id: 'b1', hasReleaseCommand: true, releaseId: undefined }
  t.same(planOf({ ...serving, pendingBuild: { ...build, hasReleaseCommand: false } }), [])
  t.same(planOf({ ...serving, pendingBuild: build }), ['start-sandbox for b1'])
  t.same(planOf({ ...serving, pendingBuild: build, sandboxes: [sandbox('b1')] }), [])
  t.same(planOf({ ...serving, pendingBuild: build, sandboxes: [sandbox('b1', 'created')] }), [
    'remove sandbox-b1: no release command is to come',
  ])
  t.same(planOf({ ...serving, pendingBuild: build, sandboxes: [sandbox('b0')] }), [
    'remove sandbox-b0: no release command is to come',
    'start-sandbox for b1',
  ])
  t.same(planOf({ ...serving, sandboxes: [sandbox('b1')] }), ['remove sandbox-b1: no release command is to come'])

  const released = { ...serving, pendingBuild: { ...build, releaseId: 'r2' }, sandboxes: [sandbox('b1')] }
  const waiting = { ...released, target: withCommand(2, 'waiting') }
  const joined = { sandboxId: 'sandbox-b1' }
  t.same(planOf(waiting), ['create-release-command v2 in sandbox-b1'])
  t.same(planOf({ ...waiting, sandboxes: [] }), ['create-release-command v2'], 'it is too late for one')
  t.same(planOf({ ...waiting, sandboxes: [sandbox('b1', 'exited')] }), [
    'remove sandbox-b1: no release command is to come',
    'create-release-command v2',
  ])
  t.same(planOf({ ...waiting, commands: [command(2, 'created', joined)] }), ['start-release-command v2'])
  t.same(planOf({ ...waiting, sandboxes: [], commands: [command(2, 'created', joined)] }), [
    'remove release-v2: its sandbox is gone',
  ])
  t.same(planOf({ ...waiting, pendingBuild: { ...build, id: 'b3', releaseId: 'r3' } }), [
    'remove sandbox-b1: no release command is to come',
    'create-release-command v2',
  ])

  const running = { ...released, target: withCommand(2, 'started'), dynos: [...serving.dynos, 'web.1 v2 held'] }
  t.same(
    planOf({ ...running, pendingBuild: undefined, commands: [command(2, 'running', joined)] }),
    [],
    'it stays while its command runs, whatever became of the push',
  )
  t.same(planOf({ ...running, pendingBuild: undefined, commands: [command(2, 'exited', joined)] }), [
    'remove sandbox-b1: no release command is to come',
    'settle-release-command v2',
  ])
})

t.test('a web dyno is limited to its size once it is up', async (t) => {
  t.same(planOf({ current: v1, dynos: ['web.1 v1 up routed boosted'] }), ['limit web.1 v1'])
  t.same(
    planOf({ current: v1, target: withCommand(2, 'succeeded'), dynos: [...serving.dynos, 'web.1 v2 boosted'] }),
    [],
  )
})

t.test('a release command waits for add-ons that are still being made', async (t) => {
  t.same(planOf({ ...serving, target: withCommand(2, 'waiting'), addOnsReady: false }), [])
})

t.test('a failed release command fails its release and rolls nothing out', async (t) => {
  t.same(planOf({ ...serving, target: withCommand(2, 'failed'), commands: [command(2, 'exited')] }), [
    'remove release-v2: its end is recorded',
    'settle v2 failed',
  ])
  t.same(planOf({ ...serving, target: v1, commands: [command(2, 'exited')] }), [
    'remove release-v2: its release is settled',
  ])
})

t.test('a release command that may have run is never run again', async (t) => {
  const started = { ...serving, target: withCommand(2, 'started') }
  t.same(planOf({ ...started, commands: [] }), ['settle-release-command v2'], 'its container is gone')
  t.same(planOf({ ...started, commands: [command(2, 'created')] }), ['start-release-command v2'], 'it has not run')
})

t.test('a release command that runs too long is given up', async (t) => {
  const running = { ...serving, target: withCommand(2, 'started'), commands: [command(2, 'running', { from: 0 })] }
  t.same(planOf({ ...running, now: 600 }), ['start web.1 v2, held: web.1 of v2 is wanted, none found'])
  const [settle] = planOf({ ...running, now: 601 })
  t.same(settle, 'settle-release-command v2: late')
  t.same(planOf({ ...running, target: withCommand(2, 'failed'), now: 601 }), [
    'remove release-v2: its end is recorded',
    'settle v2 failed',
  ])
})

t.test(
  'the command of an overtaken release ends in peace, and its end is kept until the newer one is settled',
  async (t) => {
    const newer = { ...serving, target: withCommand(14, 'waiting') }
    t.same(planOf({ ...newer, commands: [command(13, 'running')] }), [], 'two never run at once')
    t.same(planOf({ ...newer, commands: [command(13, 'running', { from: 0 })], now: 601 }), [
      'remove release-v13: its time is over',
    ])
    t.same(planOf({ ...newer, commands: [command(13, 'exited')] }), ['create-release-command v14'])
    t.same(planOf({ ...newer, commands: [command(13, 'created')] }), ['create-release-command v14'])
    const again = { ...serving, target: withCommand(13, 'started') }
    t.same(planOf({ ...again, commands: [command(13, 'exited'), command(14, 'exited')] }), [
      'settle-release-command v13',
    ])
    t.same(planOf({ ...serving, target: v1, commands: [command(13, 'exited'), command(14, 'exited')] }), [
      'remove release-v13: its release is settled',
      'remove release-v14: its release is settled',
    ])
    t.same(planOf({ ...newer, commands: [command(1, 'exited')] }), [
      'remove release-v1: its release is settled',
      'create-release-command v14',
    ])
  },
)

t.test('a destroyed app runs no release command and keeps none', async (t) => {
  const destroyed = { current: v1, app: { destroyedAt: new Date(0) }, routes: 'no-web' } as const
  t.same(planOf({ ...destroyed, target: withCommand(2, 'waiting') }), ['remove the app'])
  t.same(planOf({ ...destroyed, target: withCommand(2, 'started'), commands: [command(2, 'running')] }), [
    'remove release-v2: the app is destroyed',
  ])
})

t.test('a detached one-off is started once and settled when it ends', async (t) => {
  t.same(planOf({ ...serving, oneOffs: [oneOff()] }), ['start-one-off run.1: asked for'])
  t.same(planOf({ ...serving, oneOffs: [oneOff()], addOnsReady: false }), [])
  const made = { ...serving, oneOffs: [oneOff()], oneOffContainers: [oneOffContainer('created')] }
  t.same(planOf(made), ['start-one-off run.1: made but not started'])
  t.same(planOf({ ...made, addOnsReady: false }), ['start-one-off run.1: made but not started'])
  const up = { ...serving, oneOffs: [oneOff({ state: 'up' })] }
  t.same(planOf({ ...up, oneOffContainers: [oneOffContainer('running')] }), [])
  t.same(planOf({ ...up, oneOffContainers: [oneOffContainer('exited')] }), ['settle-one-off run.1: ended with 0'])
})

t.test('a one-off that runs while its row says starting gets its row set right', async (t) => {
  const behind = { ...serving, oneOffContainers: [oneOffContainer('running')] }
  t.same(planOf({ ...behind, oneOffs: [oneOff()] }), ['start-one-off run.1: its row is behind'])
  t.same(planOf({ ...behind, oneOffs: [oneOff({ attached: true })] }), [], 'whoever attached says so')
})

t.test('a one-off whose container is gone is not run a second time', async (t) => {
  t.same(planOf({ ...serving, oneOffs: [oneOff({ state: 'up' })] }), ['settle-one-off run.1: its container is gone'])
})

t.test('an attached one-off is made and left for whoever attaches, for a minute', async (t) => {
  const attached = { ...serving, oneOffs: [oneOff({ attached: true })] }
  t.same(planOf(attached), ['start-one-off run.1: asked for'])
  const made = { ...attached, oneOffContainers: [oneOffContainer('created')] }
  t.same(planOf({ ...made, now: 150 }), [])
  t.same(planOf({ ...made, now: 151 }), ['settle-one-off run.1: nobody attached to it'])
})

t.test('a one-off that is asked to stop or overdue is stopped once, whatever has become of it', async (t) => {
  const stopping = { ...serving, oneOffs: [oneOff({ state: 'stopping' })] }
  t.same(planOf(stopping), ['settle-one-off run.1: it was never made'])
  t.same(planOf({ ...stopping, oneOffContainers: [oneOffContainer('created')] }), [
    'settle-one-off run.1: never started',
  ])
  t.same(planOf({ ...stopping, oneOffContainers: [oneOffContainer('running')] }), ['stop-one-off run.1: asked to stop'])
  t.same(planOf({ ...stopping, oneOffContainers: [oneOffContainer('running', true)] }), [])
  const up = { ...serving, oneOffs: [oneOff({ state: 'up' })], oneOffContainers: [oneOffContainer('running')] }
  t.same(planOf({ ...up, now: 3690 }), [])
  t.same(planOf({ ...up, now: 3691 }), ['stop-one-off run.1: its time is over'])
})

t.test('a one-off container without a live row is stopped once and removed', async (t) => {
  t.same(planOf({ ...serving, oneOffContainers: [oneOffContainer('running')] }), [
    'stop-one-off run.?: its row has ended',
  ])
  t.same(planOf({ ...serving, oneOffContainers: [oneOffContainer('running', true)] }), [])
  for (const state of ['exited', 'created'] as const)
    t.same(planOf({ ...serving, oneOffContainers: [oneOffContainer(state)] }), [
      'settle-one-off run.?: its row has ended',
    ])
})

t.test('a destroyed app ends its one-offs, started or not, before it goes', async (t) => {
  const app = { destroyedAt: new Date(0) }
  const destroyed = { current: v1, app, routes: 'no-web', oneOffs: [oneOff()] } as const
  t.same(planOf(destroyed), ['settle-one-off run.1: it was never made'])
  t.same(planOf({ ...destroyed, oneOffContainers: [oneOffContainer('created')] }), [
    'settle-one-off run.1: never started',
  ])
  t.same(planOf({ ...destroyed, oneOffContainers: [oneOffContainer('running')] }), [
    'stop-one-off run.1: asked to stop',
  ])
})

t.test('what the formation needs comes before one-offs', async (t) => {
  const plan = planOf({ current: v1, dynos: ['web.1 v1 up', 'web.2 v1 exited'], oneOffs: [oneOff()] })
  t.same(plan, [
    'publish hello up [hello.localhost] → [web.1_w1v1a0]',
    'remove w2v1a0: superseded',
    'start-one-off run.1: asked for',
  ])
})
