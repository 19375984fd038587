/**
 * Goal: the control plane may be killed anywhere, and nothing falls.
 * Method: three platforms side by side. In each, point by point: an operation is begun, the control plane dies there by
 * SIGKILL, another is started, and within a minute rows, containers, routes, branches, images and folders tell the same
 * story (invariants.ts). An app beside answers requests all the while, and none may fail.
 */
import t, { type Test as Tap } from 'tap'
import { actionScenarios } from './actions.js'
import { type CrashWorld, nextPushWorks, type Scenario, startCrashWorld, surviveAll } from './crash-world.js'
import { commanded, loopScenarios, pushCommanded } from './loop.js'
import { points } from './points.js'
import { pushScenarios } from './push.js'

/** Names of groups to run alone, for whoever works on one: all unless given. */
const wanted = process.argv.slice(2)

/** Side by side, each tells its story when it is over; alone, as it goes. */
const buffered = wanted.length === 0

type Group = Readonly<Record<string, readonly string[]>>

export interface Walk {
  /** One point of so many of each group is tried; 1: all of them, with a push after each group. */
  readonly oneOf: number
}

async function runGroup<G extends Group>(
  t: Tap,
  { oneOf, pushesBetween = oneOf === 1 }: Walk & { readonly pushesBetween?: boolean },
  group: G,
  scenarios: Readonly<Record<keyof G, Scenario>>,
  /** Returns what is to be seen at the end. */
  prepare: (c: CrashWorld) => Promise<() => Promise<void>> = async () => async () => {},
): Promise<void> {
  const names = Object.keys(group).filter((name) => wanted.length === 0 || wanted.includes(name))
  if (names.length === 0) return
  const c = await startCrashWorld()
  try {
    const conclude = await prepare(c)
    for (const name of names) {
      const begun = Date.now()
      const chosen = (group[name] ?? []).filter((_, index) => index % oneOf === 0)
      await surviveAll(t, c, chosen, scenarios[name] as Scenario)
      if (pushesBetween) await nextPushWorks(t, c)
      t.comment(`${name}: ${chosen.length} points in ${((Date.now() - begun) / 1000).toFixed(1)} s`)
    }
    if (!pushesBetween) await nextPushWorks(t, c)
    await conclude()
    await c.nothingFell(t)
  } catch (error) {
    t.comment((await c.world.controlPlaneLog()).slice(-6_000))
    throw error
  } finally {
    await c.stop()
  }
}

export function walkFailpoints(walk: Walk): void {
  t.setTimeout(2_700_000)
  t.jobs = 3
  t.test('what users ask for', { buffered }, (t) => runGroup(t, walk, points.actions, actionScenarios))
  t.test('what the loop does', { buffered }, (t) =>
    runGroup(t, walk, points.loop, loopScenarios, async (c) => {
      await pushCommanded(c)
      return watchReleaseCommands(t, c)
    }),
  )
  t.test('a push', { buffered }, (t) => runGroup(t, { ...walk, pushesBetween: true }, points.push, pushScenarios))
}

/** A release command runs at most once for a release. */
function watchReleaseCommands(t: Tap, c: CrashWorld): () => Promise<void> {
  const starts = new Map<string, number>()
  const watching = new AbortController()
  const { engine, config } = c.world
  const following = engine.followEvents(
    { 'paas.instance': config.instance, 'paas.kind': 'release' },
    ({ action, labels }) => {
      const version = `${commanded} v${labels['paas.version']}`
      if (action === 'start') starts.set(version, (starts.get(version) ?? 0) + 1)
    },
    watching.signal,
  )
  return async () => {
    watching.abort()
    await following
    t.ok(starts.size > 0 || wanted.length > 0, `${starts.size} release commands ran`)
    t.same(
      [...starts].filter(([, n]) => n > 1),
      [],
      'and none of them twice',
    )
  }
}
