// Goal: a step that always fails is tried less and less often, is forgotten when it is no longer wanted, and never keeps
// another waiting; and a pending release whose steps fail in the end fails itself.
import t from 'tap'
import { EngineError } from '../../../server/engine/engine.js'
import type { StepFailure } from '../../../server/dynos/observed.js'
import type { Step } from '../../../server/dynos/plan.js'
import { FinalStepError, StepFailures } from '../../../server/dynos/step-failures.js'
import { at as situationAt, dyno, oneOff, oneOffContainer, pending, planOf, release } from './situation.js'

const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000)
const remove = (containerId: string): Step => ({
  kind: 'remove-container',
  containerId,
  name: containerId,
  hasEnded: true,
  cause: '',
})
const make = (limits = {}) => new StepFailures({ backoffMs: 1000, backoffMaxMs: 300_000, ...limits })
const [one, other] = [remove('one'), remove('other')]

t.test('the wait doubles up to a minute, for that step alone', async (t) => {
  const failures = make()
  const waits = Array.from({ length: 9 }, () => failures.failed('app', one, new Error('no'), at(0)).waitMs / 1000)
  t.same(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60])
  t.same(failures.due('app', [one, other], at(59)), [other])
  t.same(failures.due('app', [one, other], at(60)), [one, other])
  t.same(failures.due('another app', [one], at(0)), [one], 'another app knows nothing of it')
  t.equal(failures.waitMs('app', at(50)), 10_000)
})

t.test('a step that succeeds, or is no longer planned, begins anew', async (t) => {
  const failures = make()
  failures.failed('app', one, new Error('no'), at(0))
  failures.failed('app', one, new Error('no'), at(0))
  failures.due('app', [other], at(0))
  t.equal(failures.failed('app', one, new Error('no'), at(0)).waitMs, 1000)
  failures.succeeded('app', one)
  t.same([failures.of('app'), failures.waitMs('app', at(0))], [[], undefined])
  t.equal(failures.failed('app', one, new Error('no'), at(0)).waitMs, 1000)
})

t.test('it says what went wrong, since when, and whether trying again is of use', async (t) => {
  const failures = make()
  failures.failed('app', one, new Error('first\nline'), at(0))
  failures.failed('app', one, new EngineError('no_space', 'writing: no space left on device'), at(5))
  failures.failed('app', other, new FinalStepError('The image is gone.'), at(6))
  t.match(failures.of('app'), [
    { sentence: 'The disk of the platform is full.', since: at(0), isFinal: false },
    { sentence: 'The image is gone.', since: at(6), isFinal: true },
  ])
})

const failure = (change: Partial<StepFailure>): StepFailure => ({
  releaseId: undefined,
  wanted: undefined,
  oneOffId: undefined,
  sentence: 'The disk is full.',
  since: situationAt(0),
  isFinal: false,
  ...change,
})

t.test('a pending release fails when its steps have failed for as long as a boot may take, or at once', async (t) => {
  const rollout = { current: release(1), target: pending(2), dynos: ['web.1 v1 up routed'] }
  const start = 'start web.1 v2: web.1 of v2 is wanted, none found'
  const fails = 'settle v2 failed: unstartable The release command'
  t.same(planOf({ ...rollout, now: 60, failures: [failure({ releaseId: 'r2' })] }), [start])
  t.same(planOf({ ...rollout, now: 61, failures: [failure({ releaseId: 'r2' })] }), [start, fails])
  t.same(planOf({ ...rollout, now: 1, failures: [failure({ releaseId: 'r2', isFinal: true })] }), [start, fails])
  t.same(planOf({ ...rollout, now: 99, failures: [failure({ releaseId: 'r1', isFinal: true })] }), [start])
})

t.test('a one-off dyno that can never be started ends', async (t) => {
  const wish = { current: release(1), dynos: ['web.1 v1 up routed'], oneOffs: [oneOff()] }
  t.same(planOf({ ...wish, failures: [failure({ oneOffId: 'o1' })] }), ['start-one-off run.1: asked for'])
  t.same(planOf({ ...wish, failures: [failure({ oneOffId: 'o1', isFinal: true })] }), [
    'settle-one-off run.1: it was never made',
  ])
})

t.test('an attached one-off dyno of a control plane that died is ended', async (t) => {
  const ofOne = (state: 'starting' | 'up', found: 'created' | 'running', since: number) =>
    planOf({
      current: release(1),
      dynos: ['web.1 v1 up routed'],
      oneOffs: [oneOff({ attached: true, state })],
      oneOffContainers: [oneOffContainer(found)],
      limits: { watchingSince: situationAt(since) },
    })
  t.same(ofOne('up', 'running', 89), [], 'somebody may be attached to it')
  t.same(ofOne('up', 'running', 91), ['stop-one-off run.1: whoever was attached to it is gone'])
  t.same(ofOne('starting', 'created', 91), ['settle-one-off run.1: never started'])
})

t.test('a dyno that has lost its address is killed, routed or not, and only once', async (t) => {
  const cutOff = { ...dyno('web.1 v1 routed'), isCutOff: true }
  t.same(planOf({ current: release(1), dynos: [cutOff] })[0], 'stop web.1 v1: cut off from its network')
  t.notMatch(planOf({ current: release(1), dynos: [{ ...cutOff, isStopping: true }] }).join('\n'), /cut off/)
})
