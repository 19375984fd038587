/**
 * The loop: every app is looked at when somebody nudges, when the engine says something happened to it, and every so often
 * anyway. A pass loads what should run, observes what does, plans, and executes until nothing is left to do. A step that
 * fails keeps no other from being done and is tried again later; an engine or database that is away ends the pass, and the
 * next one begins afresh. Starting up is the same loop.
 */
import { EngineError } from '../engine/engine.js'
import { createQueue } from '../lib/queue.js'
import { labelNames } from '../model/labels.js'
import { listAppIds } from '../store/apps.js'
import { isUnavailable } from '../model/errors.js'
import { type DesiredApp, loadDesired } from './desired.js'
import { execute } from './execute.js'
import type { LoopContext } from './loop-context.js'
import { hasEnded, type ObservedApp } from './observed.js'
import { type Asking, createObserver } from './observe.js'
import { plan, type Step } from './plan.js'
import { printStep } from './print-step.js'
import { createSightings } from './sightings.js'
import { failedDeed, FinalStepError, StepFailures } from './step-failures.js'

/** Only dynos of these two releases may yet come up. */
function askingOf({ hosts, target, current }: DesiredApp): Asking {
  return {
    host: hosts[0] ?? 'localhost',
    healthChecks: (id) => [target, current].find((release) => release?.id === id)?.slug?.healthChecks ?? [],
  }
}

export interface Reconciler {
  /** Looks at one app soon; nudges that come while it is looked at make it look once more. */
  nudge(appId: string): void
  /** Looks at every app once, then goes on by itself. */
  start(): Promise<void>
  /** Ends after the passes under way. */
  stop(): Promise<void>
}

const roundsPerPass = 60
const drainPollMs = 200
const changePollMs = 1_000

export function createReconciler(context: LoopContext): Reconciler {
  const observer = createObserver({
    engine: context.engine,
    instance: context.config.instance,
    bootChecks: context.bootChecks,
    routes: context.routes,
    drainTimeoutMs: context.config.dynos.drainTimeoutMs,
    stopping: context.stopping,
    letGoAt: context.letGoAt,
  })
  const sightings = createSightings(context)
  const failures = new StepFailures({
    backoffMs: context.config.dynos.crashBackoffMs,
    backoffMaxMs: context.config.dynos.crashBackoffMaxMs,
  })
  const queue = createQueue(context.config.dynos.passConcurrency)
  const passes = new Map<string, { again: boolean; done: Promise<void> }>()
  const timers = new Map<string, NodeJS.Timeout>()
  const events = new AbortController()
  let interval: NodeJS.Timeout | undefined
  let stopped = false
  // A dyno can't be late in a time when nobody looked.
  const watchingSince = new Date()

  const nudge = (appId: string): Promise<void> => {
    if (stopped) return Promise.resolve()
    const under = passes.get(appId)
    if (under) {
      under.again = true
      return under.done
    }
    const pass = { again: false, done: Promise.resolve() }
    passes.set(appId, pass)
    pass.done = (async () => {
      do {
        pass.again = false
        await queue.run(() => reconcileApp(appId))
      } while (pass.again && !stopped)
      passes.delete(appId)
    })()
    return pass.done
  }

  const lookAgain = (appId: string, afterMs: number) => {
    if (stopped || timers.has(appId)) return
    timers.set(
      appId,
      setTimeout(() => {
        timers.delete(appId)
        void nudge(appId)
      }, afterMs),
    )
  }

  const reconcileApp = async (appId: string): Promise<void> => {
    try {
      await onePass(appId)
    } catch (error) {
      context.log[isAway(error) ? 'debug' : 'error'](
        { err: error, app: appId },
        'a pass ended early; the next begins afresh',
      )
      lookAgain(appId, changePollMs)
    }
  }

  const onePass = async (appId: string): Promise<void> => {
    for (let round = 0; round < roundsPerPass && !stopped; round++) {
      const desired = await loadDesired(context.db, appId, context.config.domain)
      if (!desired) return clearOrphan(appId)
      const now = new Date()
      const seen = await observer.observe(appId, askingOf(desired), now)
      const observed = { ...seen, failures: failures.of(appId) }
      followOutputs(appId, desired, observed)
      await sightings.record(desired, observed, now)
      const steps = plan(desired, observed, now, { ...context.config.dynos, watchingSince })
      if (!steps.some((s) => s.kind === 'publish-routes')) tellPublished(desired)
      const due = failures.due(appId, steps, now)
      if (due.length === 0) return schedule(appId, desired, observed)
      for (const step of due) context.log.debug({ app: desired.app.name, step: printStep(step) }, 'step')
      await executeAll(desired, due)
    }
    lookAgain(appId, changePollMs)
  }

  /** Whoever waits for the current release goes on while the rest of the plan is done. */
  const tellPublished = ({ app, current }: DesiredApp) => {
    if (current) context.releaseNews.publish(app.id, { kind: 'published', version: current.version })
  }

  /**
   * Everything in the plan's order, up to a settled release, which has routes to publish; then starts, side by side, while
   * what has ended is removed, which takes the engine as long. Each stands on what was observed, none on another.
   */
  const executeAll = async (desired: DesiredApp, steps: readonly Step[]): Promise<void> => {
    const slow = ['start-dyno', 'start-sandbox', 'remove-container']
    for (const step of steps.filter((s) => !slow.includes(s.kind))) {
      const isDone = await attempt(desired, step)
      if (isDone && step.kind === 'publish-routes') tellPublished(desired)
      if (step.kind === 'limit-dyno') observer.forgetLimits(step.dyno.containerId)
      if (step.kind === 'settle-release') return
    }
    const removing = async () => {
      for (const step of steps.filter((s) => s.kind === 'remove-container')) await attempt(desired, step)
    }
    const starts = steps.filter((s) => s.kind === 'start-dyno' || s.kind === 'start-sandbox')
    const results = await Promise.allSettled([...starts.map((step) => attempt(desired, step)), removing()])
    const away = results.find((r): r is PromiseRejectedResult => r.status === 'rejected')
    if (away) throw away.reason
  }

  /** Whether it was done. Throws only when whoever is needed for every other step too is away. */
  const attempt = async (desired: DesiredApp, step: Step): Promise<boolean> => {
    const { id, name } = desired.app
    try {
      await execute(context, desired, step)
      failures.succeeded(id, step)
      return true
    } catch (error) {
      if (isAway(error)) throw error
      const { sentence, waitMs } = failures.failed(id, step, error, new Date())
      context.log.error({ err: error, app: name, step: printStep(step), waitMs }, 'a step failed; it is tried again')
      const { dyno, deed } = failedDeed(step)
      const next = error instanceof FinalStepError ? '' : ` It is tried again in ${Math.ceil(waitMs / 1000)} s.`
      context.appLog(id, { source: 'heroku', dyno, text: `${deed}: ${sentence}${next}` })
      return false
    }
  }

  const followOutputs = (appId: string, desired: DesiredApp, observed: ObservedApp) => {
    const follow = (containerId: string, dyno: string) =>
      context.output.follow({ id: containerId, appId, dyno, source: 'app' })
    for (const dyno of observed.dynos) if (dyno.state !== 'created') follow(dyno.containerId, dyno.dyno)
    for (const command of observed.releaseCommands) {
      if (command.state === 'created') continue
      context.output.announceTo(command.containerId, command.releaseId)
      follow(command.containerId, `release.${/v(\d+)$/.exec(command.containerName)?.[1] ?? '1'}`)
    }
    // What an attached one writes goes to whoever attached, and to nobody else.
    const detached = new Map(desired.oneOffs.filter((o) => !o.attached).map((o) => [o.id, `run.${o.number}`]))
    for (const container of observed.oneOffs) {
      const name = detached.get(container.oneOffId)
      if (name !== undefined && container.state !== 'created') follow(container.containerId, name)
    }
  }

  /** What is on its way is looked at again sooner than the interval. */
  const schedule = (appId: string, desired: DesiredApp, observed: ObservedApp) => {
    const isDraining = observed.dynos.some(
      (d) => !hasEnded(d) && !d.isRouted && d.isUp && !d.isStopping && d.type === 'web',
    )
    const isChanging =
      observed.dynos.some((d) => hasEnded(d) || !d.isUp) ||
      observed.oneOffs.length > 0 ||
      observed.sandboxes.length > 0 ||
      desired.target?.status === 'pending' ||
      !desired.addOnsReady
    const waitMs = failures.waitMs(appId, new Date())
    if (isDraining) lookAgain(appId, drainPollMs)
    else if (isChanging) lookAgain(appId, changePollMs)
    else if (waitMs !== undefined) lookAgain(appId, waitMs)
  }

  /** Containers and routes of an app that has no row. */
  const clearOrphan = async (appId: string): Promise<void> => {
    failures.forget(appId)
    await context.routes.withdraw(appId)
    const left = await context.engine.listContainers({
      [labelNames.instance]: context.config.instance,
      [labelNames.app]: appId,
    })
    for (const container of left) await context.engine.removeContainer(container.id, { force: true })
  }

  const lookAtAll = async (): Promise<void> => {
    try {
      const ids = new Set([
        ...(await listAppIds(context.db)),
        ...context.routes.appIds(),
        ...(await observer.appsWithContainers()),
      ])
      await Promise.all([...ids].map((id) => nudge(id)))
    } catch (error) {
      context.log.warn({ err: error }, 'the apps could not be listed; trying again')
    }
  }

  return {
    nudge: (appId) => void nudge(appId),
    async start() {
      void context.engine.followEvents(
        { [labelNames.instance]: context.config.instance },
        (event) => {
          const appId = event.labels[labelNames.app]
          if (event.action === 'die') observer.noteDeath(event.containerId)
          if (appId && /^(start|die|oom|destroy)/.test(event.action)) void nudge(appId)
        },
        events.signal,
      )
      await lookAtAll()
      interval = setInterval(() => void lookAtAll(), context.config.dynos.passIntervalMs)
    },
    async stop() {
      stopped = true
      clearInterval(interval)
      events.abort()
      for (const timer of timers.values()) clearTimeout(timer)
      await Promise.all([...passes.values()].map((p) => p.done))
      context.bootChecks.close()
    },
  }
}

function isAway(error: unknown): boolean {
  if (error instanceof EngineError) return error.kind === 'unavailable'
  return isUnavailable(error)
}
