/**
 * What holds in every world, however it came about. Worlds are random; `SimulatedWorld` throws when something happens that
 * never must: a routed dyno is stopped, the last serving one loses its route, two copies of a worker run, something runs a
 * second time that must run once, the same question gets two answers, a plan never rests.
 */
import fc from 'fast-check'
import t from 'tap'
import type { Boot } from './simulated-engine.js'
import type { ReleaseWish } from './simulated-rows.js'
import { SimulatedWorld } from './simulated-world.js'

type Act = (world: SimulatedWorld) => void

const boot = fc.constantFrom<Boot[]>('up', 'up', 'up', 'never', 'crash', 'crash-later')
const wish: fc.Arbitrary<ReleaseWish> = fc.record({
  types: fc.constantFrom(['web'], ['web', 'worker'], ['web', 'worker', 'clock'], ['worker']),
  boots: fc.array(boot, { minLength: 1, maxLength: 3 }),
  bootMs: fc.constantFrom(200, 1_201, 4_003),
  command: fc.option(fc.record({ ms: fc.constantFrom(300, 9_000, 700_000), exitCode: fc.constantFrom(0, 0, 1) }), {
    nil: undefined,
    freq: 3,
  }),
})
const good: ReleaseWish = { types: ['web', 'worker'], boots: ['up'], bootMs: 200, command: undefined }
const dynoName = fc.constantFrom('web.1', 'web.2', 'worker.1')
const killable = fc.oneof(dynoName, fc.constant('sandbox'))

/** An act by name, so that a counterexample can be read. */
function named<T>(values: fc.Arbitrary<T>, name: string, act: (world: SimulatedWorld, value: T) => void) {
  return values.map((value): Act => {
    const run: Act = (world) => {
      world.note(`** ${name} ${JSON.stringify(value)}`)
      act(world, value)
    }
    return Object.assign(run, { [fc.toStringMethod]: () => `${name} ${JSON.stringify(value)}` })
  })
}

const request = fc.oneof(
  { weight: 4, arbitrary: named(wish, 'deploy', (world, w) => world.rows.deploy(w, world.now())) },
  { weight: 3, arbitrary: named(fc.boolean(), 'build', (world, has) => world.rows.beginBuild(has)) },
  { weight: 1, arbitrary: named(fc.constant(''), 'build fails', (world) => world.rows.abandonBuild()) },
  { weight: 3, arbitrary: named(wish, 'config', (world, w) => world.rows.setConfig(w, world.now())) },
  {
    weight: 3,
    arbitrary: named(fc.tuple(fc.constantFrom('web', 'worker', 'clock'), fc.nat(3)), 'scale', (world, [type, n]) =>
      world.rows.formation.set(type, n),
    ),
  },
  {
    weight: 2,
    arbitrary: named(fc.constantFrom('', 'web', 'worker', 'web.1', 'web.2'), 'restart', (world, name) =>
      world.rows.restarts.set(name, world.now()),
    ),
  },
  {
    weight: 1,
    arbitrary: named(fc.boolean(), 'maintenance', (world, on) => {
      world.rows.maintenance = on
    }),
  },
  {
    weight: 2,
    arbitrary: named(
      fc.record({ attached: fc.boolean(), ms: fc.constantFrom(50, 5_000, 900_000) }),
      'run',
      (world, o) => world.rows.createOneOff(o.attached, o.ms, world.now()),
    ),
  },
  { weight: 2, arbitrary: named(fc.constant(''), 'attach', (world) => world.attach()) },
  {
    weight: 1,
    arbitrary: named(fc.nat(2), 'stop run', (world, index) => {
      const row = world.rows.oneOffs[index]
      if (row && row.state !== 'ended') row.state = 'stopping'
    }),
  },
)
const misfortune = fc.oneof(
  named(fc.tuple(killable, fc.boolean()), 'kill', (world, [name, isRemoved]) => world.kill(name, isRemoved)),
  named(fc.constant(''), 'reboot', (world) => world.reboot()),
  named(fc.nat(6), 'die after', (world, effects) => {
    world.deathsAt = [effects]
  }),
  named(fc.constantFrom(0, 5_000, 130_000), 'die for', (world, ms) => world.sleep(ms)),
)
const addOns = named(fc.boolean(), 'add-ons ready', (world, isReady) => {
  world.rows.addOnsReady = isReady
})
const destroy = named(fc.constant(''), 'destroy', (world) => {
  world.rows.destroyedAt = world.now()
})
const pause = named(fc.constantFrom(0, 10, 400, 3_000, 30_000, 130_000), 'wait', (world, ms) => world.advance(ms))

/** A release that is overtaken while it boots, by one that fails sooner. */
const overtaking = fc.tuple(
  named(fc.constant({ ...good, bootMs: 4_003 }), 'deploy', (world, w) => world.rows.deploy(w, world.now())),
  pause,
  named(fc.constant<ReleaseWish>({ ...good, boots: ['crash'] }), 'config', (world, w) =>
    world.rows.setConfig(w, world.now()),
  ),
)

const history = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: request.map((act) => [act]) },
      { weight: 4, arbitrary: misfortune.map((act) => [act]) },
      { weight: 6, arbitrary: pause.map((act) => [act]) },
      { weight: 1, arbitrary: addOns.map((act) => [act]) },
      { weight: 1, arbitrary: overtaking },
    ),
    { minLength: 1, maxLength: 25 },
  )
  .map((acts) => acts.flat())

/** An app with a good release, then these acts. */
function live(acts: readonly Act[], asksTwice = true): SimulatedWorld {
  const world = new SimulatedWorld()
  world.asksTwice = asksTwice
  world.rows.deploy(good, world.now())
  try {
    world.settle()
    for (const act of acts) {
      act(world)
      world.pass()
    }
  } catch (error) {
    throw new Error(`${String(error)}\n${world.log.join('\n')}`, { cause: error })
  }
  return world
}

/** Nothing is left to do, and what runs is what should. */
function checkEnd(world: SimulatedWorld): void {
  const problems = world.differences()
  if (problems.length > 0) throw new Error(`${problems.join('\n')}\n${world.describe()}\n${world.log.join('\n')}`)
}

t.test('every world settles, and runs what it should', async (t) => {
  fc.assert(
    fc.property(history, fc.option(destroy, { nil: undefined, freq: 4 }), (acts, last) => {
      const world = live(last ? [...acts, last] : acts)
      world.rows.addOnsReady = true
      world.settle()
      checkEnd(world)
      const rest = world.log.length
      world.advance(600_000)
      return world.log.length === rest
    }),
    { numRuns: 200 },
  )
  t.pass('held')
})

t.test('wherever the control plane dies, the end is the same', async (t) => {
  const last = fc.oneof({ weight: 6, arbitrary: request }, { weight: 1, arbitrary: destroy })
  fc.assert(
    fc.property(fc.array(fc.oneof(request, pause), { maxLength: 8 }), last, fc.nat(20), (acts, act, again) => {
      const begin = () => {
        const world = live(acts, false)
        world.settle()
        world.effects = 0
        return world
      }
      const end = (deaths: readonly number[]) => {
        const world = begin()
        world.deathsAt = deaths
        act(world)
        world.settle()
        return world
      }
      const undisturbed = end([])
      for (let effects = 0; effects <= undisturbed.effects; effects++)
        for (const deaths of [[effects], [effects, again]]) {
          const world = end(deaths)
          if (world.describe() !== undisturbed.describe())
            throw new Error(
              `${undisturbed.describe()}\n-- but, dying after ${deaths} effects --\n${world.describe()}\n${world.log.join('\n')}`,
            )
        }
    }),
    { numRuns: 30 },
  )
  t.pass('held')
})
