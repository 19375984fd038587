import t from 'tap'
import { at, dyno, pending, planOf, release } from './situation.js'

const v1 = release(1)

t.test('a first deploy starts its web dynos, succeeds when all are up, and only then is routed', async (t) => {
  const target = pending(1)
  t.same(planOf({ target, formation: 'web=2' }), [
    'start web.1 v1: web.1 of v1 is wanted, none found',
    'start web.2 v1: web.2 of v1 is wanted, none found',
  ])
  t.same(planOf({ target, formation: 'web=2', dynos: ['web.1 v1 up', 'web.2 v1'] }), [])
  t.same(planOf({ target, formation: 'web=2', dynos: ['web.1 v1 up', 'web.2 v1 up'] }), ['settle v1 succeeded'])
  t.same(planOf({ current: v1, formation: 'web=2', dynos: ['web.1 v1 up', 'web.2 v1 up'] }), [
    'publish hello up [hello.localhost] → [web.1_w1v1a0,web.2_w2v1a0]',
  ])
  t.same(planOf({ current: v1, formation: 'web=2', dynos: ['web.1 v1 up routed', 'web.2 v1 up routed'] }), [])
})

t.test('an app without a release has routes that say so, and wants nothing', async (t) => {
  t.same(planOf({ routes: 'unpublished' }), ['publish hello no-release [hello.localhost] → []'])
  const empty = release(1, { slugId: undefined, slug: undefined, processTypes: {} })
  t.same(planOf({ current: empty, dynos: [] }), [])
})

t.test('what the target needs waits for its add-ons; what the current release needs does not', async (t) => {
  const busy = { addOnsReady: false, current: v1, formation: 'web=1 worker=1' }
  t.same(planOf({ ...busy, target: pending(2), dynos: ['web.1 v1 up routed', 'worker.1 v1 exited to=99'] }), [
    'start worker.1 v1: crashed 1 times, waited 1000 ms',
  ])
  const workerOnly = pending(2, { processTypes: { worker: 'work' } })
  t.same(planOf({ ...busy, current: undefined, target: workerOnly, dynos: [] }), [])
  t.same(planOf({ ...busy, current: undefined, target: workerOnly, addOnsReady: true }), ['settle v2 succeeded'])
})

t.test('a rollout comes up beside the old dynos, takes their routes, and then they stop', async (t) => {
  const both = { current: v1, target: pending(2), formation: 'web=1' }
  t.same(planOf({ ...both, dynos: ['web.1 v1 up routed'] }), ['start web.1 v2: web.1 of v2 is wanted, none found'])
  t.same(planOf({ ...both, dynos: ['web.1 v1 up routed', 'web.1 v2'] }), [])
  t.same(planOf({ ...both, dynos: ['web.1 v1 up routed', 'web.1 v2 up'] }), ['settle v2 succeeded'])
  const done = { current: release(2), formation: 'web=1' }
  t.same(planOf({ ...done, dynos: ['web.1 v1 up routed', 'web.1 v2 up'] }), [
    'publish hello up [hello.localhost] → [web.1_w1v2a0]',
  ])
  t.same(planOf({ ...done, dynos: ['web.1 v1 up draining', 'web.1 v2 up routed'] }), [], 'requests in flight')
  t.same(planOf({ ...done, dynos: ['web.1 v1 up', 'web.1 v2 up routed'] }), ['stop web.1 v1: v2 is current'])
  t.same(planOf({ ...done, dynos: ['web.1 v1 up stopping', 'web.1 v2 up routed'] }), [])
  t.same(planOf({ ...done, dynos: ['web.1 v1 exited', 'web.1 v2 up routed'] }), ['remove w1v1a0: superseded'])
})

t.test('a crash while booting fails the release; the old dynos go on', async (t) => {
  const rollout = { current: v1, target: pending(2), formation: 'web=2' }
  const old = ['web.1 v1 up routed', 'web.2 v1 up routed']
  t.same(planOf({ ...rollout, dynos: [...old, 'web.1 v2 up', 'web.2 v2 exited'] }), ['settle v2 failed: crashed web.2'])
  t.same(planOf({ ...rollout, target: v1, dynos: [...old, 'web.1 v2 up', 'web.2 v2 exited'] }), [
    'stop web.1 v2: v1 is current',
    'remove w2v2a0: superseded',
  ])
})

t.test('a release whose web dyno is not up within the boot time fails as late', async (t) => {
  const rollout = { current: v1, target: pending(2), dynos: ['web.1 v1 up routed', 'web.1 v2 from=0'] }
  t.same(planOf({ ...rollout, now: 60 }), [])
  t.same(planOf({ ...rollout, now: 61 }), ['settle v2 failed: late web.1'])
})

t.test('a dyno that is asked its health checks is not late, and one that fails them fails the release', async (t) => {
  const rollout = { current: v1, target: pending(2), formation: 'web=1', now: 500 }
  t.same(planOf({ ...rollout, dynos: ['web.1 v1 up routed', 'web.1 v2 checking from=0'] }), [])
  t.same(planOf({ ...rollout, dynos: ['web.1 v1 up routed', 'web.1 v2 unhealthy from=0'] }), [
    'settle v2 failed: unhealthy web.1',
  ])
  const ended = 'web.1 v2 unhealthy exited'
  t.same(planOf({ ...rollout, dynos: ['web.1 v1 up routed', ended] }), ['settle v2 failed: crashed web.1'])
})

t.test(
  'an unhealthy dyno of the current release is killed, counts as crashed, and the one before it serves',
  async (t) => {
    const restart = { current: v1, restarts: { '': 90 }, formation: 'web=1', now: 100 }
    const old = 'web.1 v1 up routed'
    t.same(planOf({ ...restart, dynos: [old, 'web.1 v1 gen=90 checking'] }), [])
    t.same(planOf({ ...restart, dynos: [old, 'web.1 v1 gen=90 unhealthy'] }), ['stop web.1 v1: unhealthy'])
    t.same(planOf({ ...restart, dynos: [old, 'web.1 v1 gen=90 unhealthy stopping'] }), [])
    t.same(planOf({ ...restart, dynos: [old, 'web.1 v1 gen=90 unhealthy exited to=99'] }), [
      'start web.1 v1: crashed 1 times, waited 1000 ms',
    ])
  },
)

t.test('a web dyno of the current release that is late is killed and counts as crashed', async (t) => {
  const late = { current: v1, routes: 'booting', now: 61 } as const
  t.same(planOf({ ...late, dynos: ['web.1 v1 from=0'] }), ['stop web.1 v1: R10'])
  t.same(planOf({ ...late, dynos: ['web.1 v1 from=0 stopping'] }), [])
})

t.test('a control plane that has just begun to ask whether dynos are up gives them the whole boot time', async (t) => {
  const old = { dynos: ['web.1 v1 from=0'], routes: 'booting', limits: { watchingSince: at(1000) } } as const
  t.same(planOf({ ...old, current: v1, now: 1060 }), [])
  t.same(planOf({ ...old, current: v1, now: 1061 }), ['stop web.1 v1: R10'])
  t.same(planOf({ ...old, target: pending(1), routes: 'no-release', now: 1060 }), [])
})

t.test('a release whose slug is gone fails', async (t) => {
  t.same(planOf({ current: v1, target: pending(2, { slug: undefined }), dynos: ['web.1 v1 up routed'] }), [
    'settle v2 failed: no-image',
  ])
})

t.test('a config change during a rollout takes over from it, and its dynos go at once', async (t) => {
  const old = ['web.1 v1 up routed']
  t.same(planOf({ current: v1, target: pending(14), dynos: [...old, 'web.1 v13'] }), [
    'start web.1 v14: web.1 of v14 is wanted, none found',
    'remove w1v13a0: overtaken before it served',
  ])
})

t.test('when the newer release fails, the overtaken one is the target again and boots afresh', async (t) => {
  const left = ['web.1 v1 up routed', 'web.1 v14 exited']
  t.same(planOf({ current: v1, target: pending(13), dynos: left }), [
    'start web.1 v13: web.1 of v13 is wanted, none found',
    'remove w1v14a0: superseded',
  ])
})

t.test('a dyno of a rollout that is scaled away leaves no exit that could fail the release', async (t) => {
  const dynos = ['web.1 v1 up routed', 'web.1 v2', 'web.2 v2']
  t.same(planOf({ current: v1, target: pending(2), dynos }), ['remove w2v2a0: overtaken before it served'])
})

t.test('scaling up starts what is missing; scaling down unroutes, drains and stops', async (t) => {
  const up = { current: v1, dynos: ['web.1 v1 up routed'] }
  t.same(planOf({ ...up, formation: 'web=3' }), [
    'start web.2 v1: web.2 of v1 is wanted, none found',
    'start web.3 v1: web.3 of v1 is wanted, none found',
  ])
  const down = { current: v1, formation: 'web=1' }
  t.same(planOf({ ...down, dynos: ['web.1 v1 up routed', 'web.2 v1 up routed'] }), [
    'publish hello up [hello.localhost] → [web.1_w1v1a0]',
  ])
  t.same(planOf({ ...down, dynos: ['web.1 v1 up routed', 'web.2 v1 up'] }), ['stop web.2 v1: scaled down'])
  const zero = { current: v1, formation: 'web=0' }
  t.same(planOf({ ...zero, dynos: ['web.1 v1 up routed'] }), ['publish hello no-web [hello.localhost] → []'])
  t.same(planOf({ ...zero, dynos: ['web.1 v1 up'], routes: 'no-web' }), ['stop web.1 v1: scaled down'])
})

t.test('a restart replaces one web dyno at a time, each only after its successor is up', async (t) => {
  const two = { current: v1, formation: 'web=2', restarts: { '': 10 } }
  const plans = [
    planOf({ ...two, dynos: ['web.1 v1 up routed', 'web.2 v1 up routed'] }),
    planOf({ ...two, dynos: ['web.1 v1 up routed', 'web.1 v1 gen=10', 'web.2 v1 up routed'] }),
    planOf({ ...two, dynos: ['web.1 v1 up routed', 'web.2 v1 up routed', 'web.1 v1 up gen=10'] }),
    planOf({ ...two, dynos: ['web.1 v1 up', 'web.1 v1 up routed gen=10', 'web.2 v1 up routed', 'web.2 v1 gen=10'] }),
  ]
  t.same(plans, [
    ['start web.1 v1: web.1 of v1 is wanted, none found'],
    [],
    [
      'start web.2 v1: web.2 of v1 is wanted, none found',
      'publish hello up [hello.localhost] → [web.1_w1v1g10a0,web.2_w2v1a0]',
    ],
    ['stop web.1 v1: restarted'],
  ])
  const outOfTurn = ['web.1 v1 up routed', 'web.2 v1 up routed', 'web.2 v1 gen=10']
  t.same(planOf({ ...two, dynos: outOfTurn }), [], 'web.2 is under way, web.1 waits')
})

t.test('a restart of one type or one dyno leaves the others alone, and a newer release has answered it', async (t) => {
  const running = ['web.1 v1 up routed', 'worker.1 v1']
  const both = { current: v1, formation: 'web=1 worker=1', dynos: running }
  t.same(planOf({ ...both, restarts: { worker: 10 } }), ['stop worker.1 v1: restarted'])
  t.same(planOf({ ...both, restarts: { 'web.1': 10 } }), ['start web.1 v1: web.1 of v1 is wanted, none found'])
  t.same(planOf({ ...both, restarts: { '': -1 } }), [])
})

t.test('the old copy of a web dyno serves on while its successor crashes', async (t) => {
  const dynos = ['web.1 v1 up routed', 'web.1 v1 gen=10 exited to=99']
  t.same(planOf({ current: v1, restarts: { '': 10 }, dynos, now: 99.5 }), [])
  t.same(planOf({ current: v1, restarts: { '': 10 }, dynos, now: 100 }), [
    'start web.1 v1: crashed 1 times, waited 1000 ms',
  ])
})

t.test('a restart in the middle of a rollout starts its dynos anew', async (t) => {
  const dynos = ['web.1 v1 up routed', 'web.1 v2 up']
  t.same(planOf({ current: v1, target: pending(2), restarts: { '': 10 }, dynos }), [
    'start web.1 v2: web.1 of v2 is wanted, none found',
    'remove w1v2a0: overtaken before it served',
  ])
})

t.test('a new worker starts only when the old one is gone, and not before its release is current', async (t) => {
  const both = { current: v1, target: pending(2), formation: 'web=1 worker=1' }
  t.same(planOf({ ...both, dynos: ['web.1 v1 up routed', 'web.1 v2 up', 'worker.1 v1'] }), ['settle v2 succeeded'])
  const done = { current: release(2), formation: 'web=1 worker=1' }
  const web = 'web.1 v2 up routed'
  t.same(planOf({ ...done, dynos: [web, 'worker.1 v1'] }), ['stop worker.1 v1: v2 is current'])
  t.same(planOf({ ...done, dynos: [web, 'worker.1 v1 stopping'] }), [])
  t.same(planOf({ ...done, dynos: [web, 'worker.1 v1 exited'] }), [
    'start worker.1 v2: worker.1 of v2 is wanted, none found',
    'remove worker1v1a0: superseded',
  ])
})

t.test('an app of workers only needs no route: its release succeeds at once', async (t) => {
  const processTypes = { worker: 'work' }
  t.same(planOf({ target: pending(1, { processTypes }), formation: 'worker=1' }), ['settle v1 succeeded'])
  const current = release(1, { processTypes })
  t.same(planOf({ current, formation: 'worker=1', routes: 'no-web' }), [
    'start worker.1 v1: worker.1 of v1 is wanted, none found',
  ])
  t.same(planOf({ current, formation: 'worker=1', routes: 'no-web', dynos: ['worker.1 v1'] }), [])
})

t.test('the back-off of a crashed dyno doubles up to its cap, and a steady run ends it', async (t) => {
  const crashed = (words: string, now: number) =>
    planOf({ current: v1, routes: 'crashed', dynos: [`web.1 v1 exited ${words}`], now })
  t.same(crashed('to=60', 60.9), [])
  t.same(crashed('to=60', 61), ['start web.1 v1: crashed 1 times, waited 1000 ms'])
  t.same(crashed('to=60 attempt=3', 67.9), [])
  t.same(crashed('to=60 attempt=3', 68), ['start web.1 v1: crashed 4 times, waited 8000 ms'])
  t.same(crashed('to=60 attempt=40', 359), [])
  t.same(crashed('to=60 attempt=40', 360), ['start web.1 v1: crashed 41 times, waited 300000 ms'])
  t.same(crashed('from=0 to=300 attempt=9', 300.9), [])
  t.same(crashed('from=0 to=300 attempt=9', 301), ['remove w1v1a9: it ran steadily before it ended'])
})

t.test('of several attempts only the last counts', async (t) => {
  t.same(planOf({ current: v1, routes: 'crashed', dynos: ['web.1 v1 exited', 'web.1 v1 attempt=1'] }), [
    'remove w1v1a0: a later attempt replaced it',
  ])
})

t.test('a container removed by hand is made anew, one made but not started is started', async (t) => {
  t.same(planOf({ current: v1, formation: 'web=2', dynos: ['web.2 v1 up routed'] }), [
    'start web.1 v1: web.1 of v1 is wanted, none found',
  ])
  t.same(planOf({ current: v1, routes: 'crashed', dynos: ['web.1 v1 created attempt=2'], formation: 'web=1' }), [
    'start web.1 v1: web.1 of v1 is wanted, made but not started',
    'publish hello booting [hello.localhost] → []',
  ])
})

t.test('containers of unknown and older releases, and never started ones, are cleared away', async (t) => {
  const dynos = ['web.1 v3 up routed', 'web.1 v1 created', 'web.7 v2', 'clock.1 v9', 'web.1 v9 exited']
  t.same(planOf({ current: release(3), dynos }), [
    'remove w1v1a0: superseded',
    'stop web.7 v2: v3 is current',
    'stop clock.1 v9: v3 is current',
    'remove w1v9a0: superseded',
  ])
  t.same(planOf({ dynos: ['web.1 v1'] }), ['stop web.1 v1: no release is current'])
})

t.test('a process type that is called like something every object has is none', async (t) => {
  t.same(planOf({ current: v1, formation: 'constructor=1 release=1', routes: 'no-web' }), [])
})

t.test('a destroyed app stops everything, its routes first, and then goes', async (t) => {
  const destroyed = { current: v1, app: { destroyedAt: new Date(0) }, formation: 'web=1 worker=1' }
  t.same(planOf({ ...destroyed, dynos: ['web.1 v1 up routed', 'worker.1 v1'] }), [
    'publish hello no-web [] → []',
    'stop worker.1 v1: the app is destroyed',
  ])
  t.same(planOf({ ...destroyed, routes: 'no-web', dynos: ['web.1 v1 up', 'worker.1 v1 stopping'] }), [
    'stop web.1 v1: the app is destroyed',
  ])
  t.same(planOf({ ...destroyed, routes: 'no-web', dynos: ['web.1 v1 up stopping', 'worker.1 v1 exited'] }), [
    'remove worker1v1a0: superseded',
  ])
  t.same(planOf({ ...destroyed, routes: 'no-web', dynos: ['web.1 v1 up stopping'] }), [])
  t.same(planOf({ ...destroyed, routes: 'no-web' }), ['remove the app'])
  t.same(planOf({ ...destroyed, target: pending(2), routes: 'no-web' }), ['remove the app'])
})

t.test('routes say why an app has no dyno that answers', async (t) => {
  const routesOf = (situation: Parameters<typeof planOf>[0]) =>
    planOf({ ...situation, routes: 'unpublished' }).find((line) => line.startsWith('publish'))
  const line = (text: string) => `publish hello ${text.replace(' ', ' [hello.localhost] → [')}]`
  t.equal(routesOf({ target: pending(1) }), line('no-release '))
  t.equal(routesOf({ current: v1, formation: 'web=0' }), line('no-web '))
  t.equal(routesOf({ current: release(1, { processTypes: { worker: 'work' } }) }), line('no-web '))
  t.equal(routesOf({ current: v1, dynos: ['web.1 v1'] }), line('booting '))
  t.equal(routesOf({ current: v1, dynos: ['web.1 v1 exited to=99.9'] }), line('crashed '))
  t.equal(routesOf({ current: v1, dynos: ['web.1 v1 up'] }), line('up web.1_w1v1a0'))
  const app = { maintenance: true }
  t.equal(routesOf({ current: v1, app, dynos: ['web.1 v1 up'] }), line('maintenance web.1_w1v1a0'))
})

t.test('maintenance changes the routes and leaves the dynos alone', async (t) => {
  const app = { maintenance: true }
  t.same(planOf({ current: v1, app, dynos: ['web.1 v1 up routed'] }), [
    'publish hello maintenance [hello.localhost] → [web.1_w1v1a0]',
  ])
  t.same(planOf({ current: v1, app, routes: 'maintenance', dynos: ['web.1 v1 up routed'] }), [])
})

t.test('until a dyno of the current release is up, what is routed stays routed and runs', async (t) => {
  const reborn = { current: release(2), formation: 'web=2' }
  const old = ['web.2 v1 up routed', 'web.1 v1 up routed'].reverse()
  t.same(planOf({ ...reborn, dynos: [...old, 'web.1 v2', 'web.2 v2'] }), [])
  t.same(planOf({ ...reborn, dynos: [...old, 'web.1 v2 up', 'web.2 v2'] }), [
    'publish hello up [hello.localhost] → [web.1_w1v2a0]',
  ])
  const scaledDown = ['web.1 v1 exited to=99.9', 'web.2 v1 up routed']
  t.same(planOf({ current: v1, dynos: scaledDown }), [], 'the last one that serves')
  t.same(planOf({ current: v1, dynos: [dyno('web.1 v1 up stopping')], routes: 'crashed', formation: 'web=2' }), [
    'start web.2 v1: web.2 of v1 is wanted, none found',
    'publish hello booting [hello.localhost] → []',
  ])
})

t.test('the order in which the engine lists containers changes nothing', async (t) => {
  const dynos = ['web.1 v1 up routed', 'web.2 v1 up routed', 'web.1 v2', 'web.2 v2']
  t.same(planOf({ current: release(2), formation: 'web=2', dynos }), [])
  const shuffled = [dynos[1], dynos[3], dynos[0], dynos[2]].filter((d) => d !== undefined)
  const published = planOf({ current: release(2), formation: 'web=2', dynos: shuffled })
  t.same(published, ['publish hello up [hello.localhost] → [web.1_w1v1a0,web.2_w2v1a0]'], 'the same order as before')
})
