/** A platform that is killed at named points, with an app beside that must never notice. */
import path from 'node:path'
import { writeFile } from 'node:fs/promises'
import type { Test as Tap } from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import { failpointsDeadlineMs } from './points.js'
import type { Database } from '../../server/store/database.js'
import { type Ran, startWorld, until, type World } from '../support/world.js'
import { holds } from './invariants.js'
import { openRows, type PlatformState } from './platform-state.js'
import { type Prober, startProber } from './prober.js'

export const steady = 'steady'
export const subject = 'subject'

export interface CrashWorld {
  readonly world: World
  readonly rows: Database
  readonly prober: Prober
  /** The subject's checkout; each push needs a commit of its own. */
  readonly repo: string
  /** Commits something new in a checkout and returns the commit. */
  change(repo: string, message: string): Promise<string>
  head(repo: string): Promise<string>
  idOf(app: string): Promise<string>
  /** The last assertion of a test, never of a teardown: what requests beside it all met. */
  nothingFell(t: Tap): Promise<void>
  stop(): Promise<void>
}

export interface Scenario {
  /** Undisturbed, before the control plane is armed. */
  prepare?(c: CrashWorld, point: string): Promise<unknown>
  /** The operation in the middle of which the control plane dies; how it ends is of no interest. */
  act(c: CrashWorld, point: string): Promise<unknown>
  /** What must be true beside the invariants, once they hold. */
  after?(t: Tap, c: CrashWorld, point: string, state: PlatformState): Promise<unknown>
  /** More settings of the control plane that dies. */
  readonly env?: Readonly<Record<string, string>>
}

/** Small times, so that what is waited for in a second is waited for in a test. */
const settings = {
  PAAS_WARM_BUILDS: '0',
  PAAS_BUILD_TIDY_DELAY_MS: '0',
  PAAS_POSTGRES_SPARES: '0',
  PAAS_ADDON_RETENTION_MS: '0',
  PAAS_STOP_GRACE_SECONDS: '5',
  PAAS_DRAIN_TIMEOUT_MS: '5000',
  PAAS_PASS_INTERVAL_MS: '1000',
  PAAS_CRASH_BACKOFF_MS: '200',
  PAAS_CRASH_BACKOFF_MAX_MS: '2000',
  PAAS_API_RATE_LIMIT: '100000',
}

export async function startCrashWorld(env: Readonly<Record<string, string>> = {}): Promise<CrashWorld> {
  const world = await startWorld({ env: { ...settings, ...env } })
  const rows = openRows(world)
  const prober = startProber(world)
  const made: CrashWorld = {
    world,
    rows,
    prober,
    repo: path.join(world.dir, 'repos', subject),
    async change(repo, message) {
      await writeFile(path.join(repo, 'changed'), `${message} ${Math.random()}\n`)
      await world.commitAll(repo, message)
      return made.head(repo)
    },
    head: async (repo) => (await world.git(['rev-parse', 'HEAD'], repo)).stdout.trim(),
    idOf: async (app) => (await world.api<{ id: string }>('GET', `/apps/${app}`)).id,
    async nothingFell(t) {
      await prober.stop()
      t.ok(prober.requests() > 0, `${prober.requests()} requests beside it all`)
      t.same(prober.faults(), [], 'none of them failed or was answered by another app')
    },
    async stop() {
      await prober.stop()
      await rows.close()
      await world.stop()
    },
  }
  for (const app of [steady, subject]) {
    const pushed = await world.push(await world.checkout('whoami', app))
    if (pushed.code !== 0) throw new Error(pushed.output)
    prober.expectUp(app)
  }
  return made
}

/** Runs `act` on a control plane that must die at `point`, whichever step of it that is. */
export async function dieAt(t: Tap, c: CrashWorld, point: string, scenario: Pick<Scenario, 'act' | 'env'>) {
  const { world } = c
  await world.endControlPlane('SIGKILL')
  // It may die before it answers at all.
  await world.startControlPlane({ PAAS_FAILPOINT: point, ...scenario.env }).catch(() => {})
  const acting = scenario.act(c, point).catch(() => {})
  const late = delay(failpointsDeadlineMs, { code: 'still alive', signal: null }, { ref: false })
  const ending = await Promise.race([world.controlPlaneEnded(), late])
  t.same(ending, { code: null, signal: 'SIGKILL' }, `died at ${point}`)
  if (ending.code !== null) await world.endControlPlane('SIGKILL')
  await acting
}

/** For each point: prepare, die there, start anew, and see that everything holds. */
export async function surviveAll(t: Tap, c: CrashWorld, points: readonly string[], scenario: Scenario): Promise<void> {
  for (const point of points) {
    await scenario.prepare?.(c, point)
    await dieAt(t, c, point, scenario)
    await c.world.startControlPlane()
    const state = await holds(t, c, `everything holds after a death at ${point}`)
    await scenario.after?.(t, c, point, state)
  }
}

/** A push of a new commit works, as the pusher sees it. */
export async function nextPushWorks(t: Tap, c: CrashWorld, repo = c.repo): Promise<void> {
  const commit = await c.change(repo, 'The next push')
  const pushed: Ran = await c.world.push(repo)
  t.equal(pushed.code, 0, `the next push works:\n${pushed.output}`)
  const app = path.basename(repo)
  await until('the new commit to answer', async () => (await c.world.get(app)).body.includes(commit))
  await holds(t, c, 'everything holds after the next push')
}
