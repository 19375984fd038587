/**
 * Decides what to do next for one app, and does none of it.
 *
 * `plan` may be asked at any moment, any number of times: it remembers nothing between calls, so a control plane that died
 * in the middle of a rollout carries on by asking again. Doing is `execute.ts`; looking is `observe.ts`.
 *
 * A dyno that can still receive a request is never planned to stop. That one rule makes a rollout gapless; the rest of this
 * file is counting. A release is settled here too: it succeeds when its command ended well and all its web dynos are up,
 * and fails when one of them crashed or came too late.
 */
import type { AppRoutes } from '../model/route-table.js'
import type { DesiredApp, RunnableRelease } from './desired.js'
import { dynoKey, hasEnded, type ObservedApp, type ObservedDyno, type ObservedOneOff } from './observed.js'
import { planOneOffs, type OneOffStep } from './plan-one-offs.js'
import { planReleaseCommands, type ReleaseCommandStep } from './plan-release-commands.js'
import { appRoutes, printRoutes } from './routes.js'
import { type WantedDyno, wantedDynos } from './wanted.js'

export interface PlanLimits {
  readonly bootTimeoutMs: number
  readonly crashBackoffMs: number
  readonly crashBackoffMaxMs: number
  readonly releaseCommandTimeoutMs: number
  /**
   * Since when this control plane has been asking dynos whether they are up. One that was started before is late only when
   * it has been asked for the whole boot time.
   */
  readonly watchingSince?: Date
}

/** A dyno that ran this long before it ended starts its back-off anew. */
export const steadyAfterMs = 300_000

export type Step =
  | ReleaseCommandStep
  | { readonly kind: 'remove-container'; readonly containerId: string; readonly name: string; readonly cause: string }
  | { readonly kind: 'start-dyno'; readonly wanted: WantedDyno; readonly attempt: number; readonly cause: string }
  | {
      readonly kind: 'settle-release'
      readonly release: RunnableRelease
      readonly status: 'succeeded' | 'failed'
      readonly fault?: ReleaseFault
    }
  | { readonly kind: 'publish-routes'; readonly routes: AppRoutes }
  | { readonly kind: 'stop-dyno'; readonly dyno: ObservedDyno; readonly cause: string; readonly kill?: boolean }
  | OneOffStep
  | { readonly kind: 'remove-app' }

export type ReleaseFault =
  | { readonly kind: 'crashed'; readonly dyno: ObservedDyno }
  | { readonly kind: 'late'; readonly dyno: ObservedDyno }
  | { readonly kind: 'no-image' }

export function plan(desired: DesiredApp, observed: ObservedApp, now: Date, limits: PlanLimits): Step[] {
  const wanted = wantedNow(desired)
  const steps = [
    ...planReleaseCommands(desired, observed, now, limits),
    ...startSteps(desired, observed, wanted, now, limits),
    ...lateSteps(desired, observed, wanted, now, limits),
    ...outcomeSteps(desired, observed, now, limits),
    ...routeSteps(desired, observed, wanted),
    ...stopSteps(desired, observed, wanted),
    ...planOneOffs(desired, observed, now),
  ]
  const nothingLeft = observed.dynos.length + observed.oneOffs.length + observed.releaseCommands.length === 0
  return desired.app.destroyedAt && steps.length === 0 && nothingLeft ? [{ kind: 'remove-app' }] : steps
}

interface WantedNow {
  /** The formation on the current release. */
  readonly current: readonly WantedDyno[]
  /** While the target is rolled out: its web dynos, beside the current ones. */
  readonly rollout: readonly WantedDyno[]
}

function isRollingOut(desired: DesiredApp): boolean {
  const target = desired.target
  return target?.status === 'pending' && (target.commandState === 'none' || target.commandState === 'succeeded')
}

function wantedNow(desired: DesiredApp): WantedNow {
  const rollout = isRollingOut(desired) ? wantedDynos(desired, desired.target).filter((w) => w.type === 'web') : []
  return { current: wantedDynos(desired, desired.current), rollout }
}

function isOf(wanted: WantedDyno, dyno: ObservedDyno): boolean {
  return dyno.dyno === wanted.dyno && dynoKey(dyno) === `v${wanted.release.version}.${wanted.generation}`
}

/** The newest container made for a wanted dyno, whatever its state. */
function latestOf(wanted: WantedDyno, observed: ObservedApp): ObservedDyno | undefined {
  return observed.dynos.filter((d) => isOf(wanted, d)).sort((a, b) => b.attempt - a.attempt)[0]
}

function startSteps(
  desired: DesiredApp,
  observed: ObservedApp,
  wanted: WantedNow,
  now: Date,
  limits: PlanLimits,
): Step[] {
  if (!desired.addOnsReady) return []
  const steps: Step[] = []
  let restarting = false
  for (const dyno of [...wanted.rollout, ...wanted.current]) {
    const latest = latestOf(dyno, observed)
    if (latest && !hasEnded(latest) && latest.state !== 'created') {
      restarting ||= dyno.type === 'web' && !latest.isUp
      continue
    }
    const older = observed.dynos.filter((d) => d.dyno === dyno.dyno && !isOf(dyno, d) && !hasEnded(d))
    // A worker waits until its older copy is gone: two clocks or two consumers can do harm.
    if (dyno.type !== 'web' && older.length > 0) continue
    // Restarted web dynos go one at a time; those of a rollout come up together.
    const isRestart = dyno.release.id === desired.current?.id && older.some((d) => d.version === dyno.release.version)
    if (dyno.type === 'web' && isRestart && restarting) continue
    if (latest === undefined || latest.state === 'created') {
      const cause = `${dyno.dyno} of v${dyno.release.version} is wanted, ${latest ? 'made but not started' : 'none found'}`
      steps.push({ kind: 'start-dyno', wanted: dyno, attempt: latest?.attempt ?? 0, cause })
      restarting ||= dyno.type === 'web'
      continue
    }
    // A crash during the rollout fails the release; only a current release's dyno is started again.
    if (dyno.release.id !== desired.current?.id) continue
    const ranMs = (latest.endedAt?.getTime() ?? 0) - (latest.startedAt?.getTime() ?? 0)
    const attempt = ranMs >= steadyAfterMs ? 0 : latest.attempt
    const waitMs = Math.min(limits.crashBackoffMs * 2 ** Math.min(attempt, 20), limits.crashBackoffMaxMs)
    if (now.getTime() >= (latest.endedAt?.getTime() ?? 0) + waitMs)
      steps.push({
        kind: 'start-dyno',
        wanted: dyno,
        attempt: latest.attempt + 1,
        cause: `crashed ${latest.attempt + 1} times, waited ${waitMs} ms`,
      })
  }
  return steps
}

function isLate(dyno: ObservedDyno, now: Date, limits: PlanLimits): boolean {
  return (
    dyno.type === 'web' &&
    dyno.state === 'running' &&
    !dyno.isUp &&
    !dyno.isStopping &&
    dyno.startedAt !== undefined &&
    now.getTime() - dyno.startedAt.getTime() > limits.bootTimeoutMs
  )
}

/** A current release's web dyno that never binds its port is killed and counts as crashed (R10). */
function lateSteps(
  desired: DesiredApp,
  observed: ObservedApp,
  wanted: WantedNow,
  now: Date,
  limits: PlanLimits,
): Step[] {
  return wanted.current
    .map((w) => latestOf(w, observed))
    .filter((d): d is ObservedDyno => d !== undefined && d.releaseId === desired.current?.id && isLate(d, now, limits))
    .map((dyno) => ({ kind: 'stop-dyno', dyno, cause: 'R10', kill: true }))
}

function outcomeSteps(desired: DesiredApp, observed: ObservedApp, now: Date, limits: PlanLimits): Step[] {
  const target = desired.target
  if (!target || target.status !== 'pending' || desired.app.destroyedAt) return []
  if (target.commandState === 'failed') return [{ kind: 'settle-release', release: target, status: 'failed' }]
  if (target.slugId !== undefined && !target.slug)
    return [{ kind: 'settle-release', release: target, status: 'failed', fault: { kind: 'no-image' } }]
  if (!isRollingOut(desired)) return []
  const web = wantedDynos(desired, target).filter((w) => w.type === 'web')
  const found = web.map((w) => latestOf(w, observed))
  const crashed = found.find((d) => d !== undefined && hasEnded(d))
  if (crashed)
    return [{ kind: 'settle-release', release: target, status: 'failed', fault: { kind: 'crashed', dyno: crashed } }]
  const late = found.find((d) => d !== undefined && isLate(d, now, limits))
  if (late) return [{ kind: 'settle-release', release: target, status: 'failed', fault: { kind: 'late', dyno: late } }]
  return found.every((d) => d?.isUp) ? [{ kind: 'settle-release', release: target, status: 'succeeded' }] : []
}

function routeSteps(desired: DesiredApp, observed: ObservedApp, wanted: WantedNow): Step[] {
  const routes = appRoutes(desired, observed, wanted.current)
  return printRoutes(routes) === observed.publishedRoutes ? [] : [{ kind: 'publish-routes', routes }]
}

function stopSteps(desired: DesiredApp, observed: ObservedApp, wanted: WantedNow): Step[] {
  const steps: Step[] = []
  const all = [...wanted.rollout, ...wanted.current]
  for (const dyno of observed.dynos) {
    const match = all.find((w) => isOf(w, dyno))
    const isLatest = match !== undefined && latestOf(match, observed)?.containerId === dyno.containerId
    if (isLatest) continue
    if (hasEnded(dyno) || dyno.state === 'created') {
      // The exit of a release that failed at boot is told before its container goes.
      const isVerdict = desired.target?.status === 'pending' && dyno.releaseId === desired.target.id
      if (!isVerdict)
        steps.push({
          kind: 'remove-container',
          containerId: dyno.containerId,
          name: dyno.containerName,
          cause: match ? 'a later attempt replaced it' : 'superseded',
        })
      continue
    }
    if (dyno.isRouted || dyno.isStopping || isStillNeeded(dyno, desired, observed, wanted)) continue
    if (dyno.type === 'web' && !dyno.isDrained) continue
    steps.push({ kind: 'stop-dyno', dyno, cause: stopCause(desired, dyno) })
  }
  return steps
}

/** An outdated web dyno stays until the one that takes its place is up. */
function isStillNeeded(dyno: ObservedDyno, desired: DesiredApp, observed: ObservedApp, wanted: WantedNow): boolean {
  if (dyno.type !== 'web' || dyno.version !== desired.current?.version || !dyno.isUp) return false
  const successor = wanted.current.find((w) => w.dyno === dyno.dyno)
  return successor !== undefined && !latestOf(successor, observed)?.isUp
}

function stopCause(desired: DesiredApp, dyno: ObservedDyno): string {
  if (desired.app.destroyedAt) return 'the app is destroyed'
  if (dyno.version !== desired.current?.version) return `v${desired.current?.version ?? 0} is current`
  return wantedDynos(desired, desired.current).some((w) => w.dyno === dyno.dyno) ? 'restarted' : 'scaled down'
}

/** One line a step, for tests and debug logs. */
export function printStep(step: Step): string {
  switch (step.kind) {
    case 'create-release-command':
    case 'start-release-command':
    case 'settle-release-command':
      return `${step.kind} v${step.release.version}`
    case 'start-dyno':
      return `start ${step.wanted.dyno} v${step.wanted.release.version}: ${step.cause}`
    case 'settle-release':
      return `settle v${step.release.version} ${step.status}${step.fault ? `: ${step.fault.kind}${'dyno' in step.fault ? ` ${step.fault.dyno.dyno}` : ''}` : ''}`
    case 'publish-routes':
      return `publish ${printRoutes(step.routes)}`
    case 'stop-dyno':
      return `stop ${step.dyno.dyno} v${step.dyno.version}: ${step.cause}`
    case 'remove-container':
      return `remove ${step.name}: ${step.cause}`
    case 'start-one-off':
    case 'stop-one-off':
    case 'settle-one-off':
      return `${step.kind} run.${step.oneOff?.number ?? '?'}: ${step.cause}`
    case 'remove-app':
      return 'remove the app'
  }
}

export type { ObservedOneOff }
