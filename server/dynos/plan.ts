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
import { dynoKey, hasEnded, type ObservedApp, type ObservedDyno } from './observed.js'
import { type BootStep, isCommandRunning, isHeldBack, isHeldInVain, letGoSteps, limitSteps } from './plan-boot.js'
import { planOneOffs, type OneOffStep } from './plan-one-offs.js'
import { planReleaseCommands, type ReleaseCommandStep } from './plan-release-commands.js'
import { removalOf } from './plan-removal.js'
import { planSandboxes, type SandboxStep } from './plan-sandboxes.js'
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
  | SandboxStep
  | {
      readonly kind: 'start-dyno'
      readonly wanted: WantedDyno
      readonly attempt: number
      readonly isHeld: boolean
      readonly cause: string
    }
  | BootStep
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
  | { readonly kind: 'unhealthy'; readonly dyno: ObservedDyno }
  | { readonly kind: 'no-image' }
  | { readonly kind: 'unstartable'; readonly dyno: string; readonly sentence: string }

export function plan(desired: DesiredApp, observed: ObservedApp, now: Date, limits: PlanLimits): Step[] {
  const wanted = wantedNow(desired)
  const steps = [
    ...planSandboxes(desired, observed),
    ...planReleaseCommands(desired, observed, now, limits),
    ...startSteps(desired, observed, wanted, now, limits),
    ...letGoSteps(
      desired,
      [...wanted.rollout, ...wanted.current].map((w) => latestOf(w, observed)),
    ),
    ...cutOffSteps(observed),
    ...lateSteps(desired, observed, wanted, now, limits),
    ...outcomeSteps(desired, observed, now, limits),
    ...routeSteps(desired, observed, wanted),
    ...limitSteps(observed),
    ...stopSteps(desired, observed, wanted),
    ...planOneOffs(desired, observed, now, limits),
  ]
  const { dynos, oneOffs, releaseCommands, sandboxes } = observed
  const nothingLeft = dynos.length + oneOffs.length + releaseCommands.length + sandboxes.length === 0
  return desired.app.destroyedAt && steps.length === 0 && nothingLeft ? [{ kind: 'remove-app' }] : steps
}

interface WantedNow {
  /** The formation on the current release. */
  readonly current: readonly WantedDyno[]
  /** While the target is rolled out, and before that while its command runs: its web dynos, beside the current ones. */
  readonly rollout: readonly WantedDyno[]
}

function isRollingOut(desired: DesiredApp): boolean {
  const target = desired.target
  return target?.status === 'pending' && (target.commandState === 'none' || target.commandState === 'succeeded')
}

function wantedNow(desired: DesiredApp): WantedNow {
  const isComing = isRollingOut(desired) || isHeldBack(desired)
  const rollout = isComing ? wantedDynos(desired, desired.target).filter((w) => w.type === 'web') : []
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
  const steps: Step[] = []
  const all = [...wanted.rollout, ...wanted.current]
  let restarting = all.some((w) => w.type === 'web' && isBooting(latestOf(w, observed)))
  for (const dyno of all) {
    const latest = latestOf(dyno, observed)
    if (latest && isAlive(latest)) continue
    const isCurrents = dyno.release.id === desired.current?.id
    // A target waits for add-ons that came with it; the current release has had all of its own.
    if (!isCurrents && !desired.addOnsReady) continue
    const isHeld = !isCurrents && isHeldBack(desired)
    if (isHeld && !isCommandRunning(desired, observed)) continue
    const older = observed.dynos.filter((d) => d.dyno === dyno.dyno && !isOf(dyno, d) && !hasEnded(d))
    // A worker waits until its older copy is gone: two clocks or two consumers can do harm.
    if (dyno.type !== 'web' && older.length > 0) continue
    // Restarted web dynos go one at a time; those of a rollout come up together.
    const isRestart = isCurrents && older.some((d) => d.version === dyno.release.version)
    if (dyno.type === 'web' && isRestart && restarting) continue
    if (latest === undefined || latest.state === 'created') {
      const cause = `${dyno.dyno} of v${dyno.release.version} is wanted, ${latest ? 'made but not started' : 'none found'}`
      steps.push({ kind: 'start-dyno', wanted: dyno, attempt: latest?.attempt ?? 0, isHeld, cause })
      restarting ||= dyno.type === 'web'
    }
    // A crash during the rollout fails the release; only a current release's dyno is started again.
    else if (isCurrents) steps.push(...restartCrashed(dyno, latest, now, limits))
    else if (isHeldBack(desired)) steps.push(removalOf(latest, 'it ended before its command was started'))
  }
  return steps
}

/** Once its back-off is over. After a steady run the crashes before it are forgotten, with the container that tells of them. */
function restartCrashed(wanted: WantedDyno, ended: ObservedDyno, now: Date, limits: PlanLimits): Step[] {
  const endedAt = ended.endedAt?.getTime() ?? 0
  const wasSteady = endedAt - (ended.startedAt?.getTime() ?? endedAt) >= steadyAfterMs
  const doublings = wasSteady ? 0 : Math.min(ended.attempt, 20)
  const waitMs = Math.min(limits.crashBackoffMs * 2 ** doublings, limits.crashBackoffMaxMs)
  if (now.getTime() < endedAt + waitMs) return []
  if (wasSteady) return [removalOf(ended, 'it ran steadily before it ended')]
  const cause = `crashed ${ended.attempt + 1} times, waited ${waitMs} ms`
  return [{ kind: 'start-dyno', wanted, attempt: ended.attempt + 1, isHeld: false, cause }]
}

function isAlive(dyno: ObservedDyno): boolean {
  return !hasEnded(dyno) && dyno.state !== 'created'
}

function isBooting(dyno: ObservedDyno | undefined): boolean {
  return dyno !== undefined && isAlive(dyno) && !dyno.isUp && !dyno.isHeld
}

function isLate(dyno: ObservedDyno, now: Date, limits: PlanLimits): boolean {
  if (dyno.type !== 'web' || dyno.state !== 'running' || dyno.startedAt === undefined) return false
  if (dyno.isUp || dyno.isChecking || dyno.isRouted || dyno.isStopping || isUnhealthy(dyno)) return false
  const askedSince = Math.max(dyno.startedAt.getTime(), limits.watchingSince?.getTime() ?? 0)
  return now.getTime() - askedSince > limits.bootTimeoutMs
}

/** It has failed its health checks and never had a request. */
function isUnhealthy(dyno: ObservedDyno): boolean {
  return dyno.unhealthy !== undefined && dyno.state === 'running' && !dyno.isRouted && !dyno.isStopping
}

/** A dyno that can't be reached any more is killed, and then counts as crashed. */
function cutOffSteps(observed: ObservedApp): Step[] {
  return observed.dynos
    .filter((d) => d.isCutOff && !d.isStopping)
    .map((dyno) => ({ kind: 'stop-dyno', dyno, cause: 'cut off from its network', kill: true }))
}

/** A current release's web dyno that never binds its port (R10) or is unhealthy is killed and counts as crashed. */
function lateSteps(
  desired: DesiredApp,
  observed: ObservedApp,
  wanted: WantedNow,
  now: Date,
  limits: PlanLimits,
): Step[] {
  return wanted.current
    .map((w) => latestOf(w, observed))
    .filter((d): d is ObservedDyno => d !== undefined && d.releaseId === desired.current?.id)
    .filter((d) => isUnhealthy(d) || isLate(d, now, limits))
    .map((dyno) => ({ kind: 'stop-dyno', dyno, cause: isUnhealthy(dyno) ? 'unhealthy' : 'R10', kill: true }))
}

function outcomeSteps(desired: DesiredApp, observed: ObservedApp, now: Date, limits: PlanLimits): Step[] {
  const target = desired.target
  if (target?.status !== 'pending' || desired.app.destroyedAt) return []
  if (target.commandState === 'failed') return [{ kind: 'settle-release', release: target, status: 'failed' }]
  if (target.slugId !== undefined && !target.slug)
    return [{ kind: 'settle-release', release: target, status: 'failed', fault: { kind: 'no-image' } }]
  const unstartable = observed.failures?.find(
    (f) => f.releaseId === target.id && (f.isFinal || now.getTime() - f.since.getTime() > limits.bootTimeoutMs),
  )
  if (unstartable) {
    const dyno = unstartable.wanted?.dyno ?? 'The release command'
    const fault = { kind: 'unstartable' as const, dyno, sentence: unstartable.sentence }
    return [{ kind: 'settle-release', release: target, status: 'failed', fault }]
  }
  if (!isRollingOut(desired)) return []
  const web = wantedDynos(desired, target).filter((w) => w.type === 'web')
  const found = web.map((w) => latestOf(w, observed))
  const crashed = found.find((d) => d !== undefined && hasEnded(d))
  if (crashed)
    return [{ kind: 'settle-release', release: target, status: 'failed', fault: { kind: 'crashed', dyno: crashed } }]
  const unhealthy = found.find((d) => d !== undefined && isUnhealthy(d))
  if (unhealthy)
    return [
      { kind: 'settle-release', release: target, status: 'failed', fault: { kind: 'unhealthy', dyno: unhealthy } },
    ]
  const late = found.find((d) => d !== undefined && isLate(d, now, limits))
  if (late) return [{ kind: 'settle-release', release: target, status: 'failed', fault: { kind: 'late', dyno: late } }]
  // Without web dynos to wait for, add-ons that came with the release are waited for here.
  if (web.length === 0 && !desired.addOnsReady) return []
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
    if (match !== undefined && latestOf(match, observed)?.containerId === dyno.containerId) continue
    if (!isAlive(dyno)) steps.push(removalOf(dyno, match ? 'a later attempt replaced it' : 'superseded'))
    else if (dyno.isRouted || dyno.isStopping || isStillNeeded(dyno, desired, observed, wanted)) continue
    else if (isHeldInVain(dyno, desired))
      steps.push(removalOf(dyno, 'its release failed before its command was started'))
    else if (isUnsettled(dyno, desired)) steps.push(removalOf(dyno, 'overtaken before it served'))
    else if (dyno.type !== 'web' || dyno.isDrained)
      steps.push({ kind: 'stop-dyno', dyno, cause: stopCause(desired, dyno) })
  }
  return steps
}

/**
 * Whether the dyno's release may yet succeed or fail by it. Such a dyno goes container and all, for an exit that we caused
 * must not be taken for a crash when the release is the target again; it has never had a request.
 */
function isUnsettled(dyno: ObservedDyno, { app, target, current }: DesiredApp): boolean {
  return target?.status === 'pending' && dyno.version > (current?.version ?? 0) && app.destroyedAt === undefined
}

/** An outdated web dyno stays until the one that takes its place is up. */
function isStillNeeded(dyno: ObservedDyno, desired: DesiredApp, observed: ObservedApp, wanted: WantedNow): boolean {
  if (dyno.type !== 'web' || dyno.version !== desired.current?.version || !dyno.isUp) return false
  const successor = wanted.current.find((w) => w.dyno === dyno.dyno)
  return successor !== undefined && !latestOf(successor, observed)?.isUp
}

function stopCause(desired: DesiredApp, dyno: ObservedDyno): string {
  if (desired.app.destroyedAt) return 'the app is destroyed'
  if (dyno.version !== desired.current?.version)
    return desired.current ? `v${desired.current.version} is current` : 'no release is current'
  return wantedDynos(desired, desired.current).some((w) => w.dyno === dyno.dyno) ? 'restarted' : 'scaled down'
}
