/**
 * The part of the plan for release commands: each runs at most once, one at a time, and its container is the record until
 * the row knows how it ended.
 */
import type { DesiredApp, RunnableRelease } from './desired.js'
import { hasEnded, type ObservedApp, type ObservedReleaseCommand } from './observed.js'
import { type RemovalStep, removalOf } from './plan-removal.js'
import { sandboxFor } from './plan-sandboxes.js'

export type ReleaseCommandStep =
  | {
      readonly kind: 'create-release-command'
      readonly release: RunnableRelease
      /** A container whose networks it is to have. */
      readonly sandboxId: string | undefined
    }
  | {
      readonly kind: 'start-release-command'
      readonly release: RunnableRelease
      readonly containerId: string
      /** It has networks of its own. */
      readonly joins: boolean
    }
  | {
      readonly kind: 'settle-release-command'
      readonly release: RunnableRelease
      /** Undefined: how it ended can't be known. */
      readonly containerId: string | undefined
      /** It still ran when its time was over. */
      readonly isLate?: boolean
    }
  | RemovalStep

export interface ReleaseCommandLimits {
  readonly releaseCommandTimeoutMs: number
}

export function planReleaseCommands(
  desired: DesiredApp,
  observed: ObservedApp,
  now: Date,
  limits: ReleaseCommandLimits,
): ReleaseCommandStep[] {
  const steps: ReleaseCommandStep[] = []
  for (const command of observed.releaseCommands) {
    const cause = removalCause(desired, command, now, limits)
    if (cause !== undefined) steps.push(removalOf(command, cause))
  }
  const { target } = desired
  if (!target?.slug || target.status !== 'pending' || desired.app.destroyedAt) return steps
  const container = observed.releaseCommands.find((c) => c.releaseId === target.id)
  if (container !== undefined && hasLostSandbox(container, observed))
    return [...steps, removalOf(container, 'its sandbox is gone')]
  const isOtherRunning = observed.releaseCommands.some((c) => c.releaseId !== target.id && isRunning(c))
  if (target.commandState === 'waiting' && desired.addOnsReady && !isOtherRunning)
    // The container is made before the row says started: a row that says so without one never runs it a second time.
    steps.push(
      container
        ? startOf(target, container)
        : { kind: 'create-release-command', release: target, sandboxId: sandboxFor(target, desired, observed) },
    )
  if (target.commandState === 'started') {
    if (container?.state === 'created') steps.push(startOf(target, container))
    else if (!container || hasEnded(container))
      steps.push({ kind: 'settle-release-command', release: target, containerId: container?.containerId })
    else if (isOverdue(container, now, limits))
      steps.push({ kind: 'settle-release-command', release: target, containerId: undefined, isLate: true })
  }
  return steps
}

function startOf(release: RunnableRelease, container: ObservedReleaseCommand): ReleaseCommandStep {
  const { containerId, sandboxId } = container
  return { kind: 'start-release-command', release, containerId, joins: sandboxId === undefined }
}

/** It has not been started, and can't be any more. */
function hasLostSandbox(container: ObservedReleaseCommand, { sandboxes }: ObservedApp): boolean {
  if (container.state !== 'created' || container.sandboxId === undefined) return false
  return !sandboxes.some((sandbox) => sandbox.containerId === container.sandboxId && sandbox.state === 'running')
}

/**
 * An overtaken release's command is neither cut short nor forgotten while the one that overtook it is pending: should that
 * fail, the release is the target again and its command has run already.
 */
function removalCause(
  { app, current, target }: DesiredApp,
  command: ObservedReleaseCommand,
  now: Date,
  limits: ReleaseCommandLimits,
): string | undefined {
  if (app.destroyedAt) return 'the app is destroyed'
  if (target?.status !== 'pending' || command.releaseId === current?.id) return 'its release is settled'
  if (command.releaseId !== target.id)
    return isRunning(command) && isOverdue(command, now, limits) ? 'its time is over' : undefined
  return target.commandState === 'succeeded' || target.commandState === 'failed' ? 'its end is recorded' : undefined
}

function isRunning(command: ObservedReleaseCommand): boolean {
  return command.state !== 'created' && !hasEnded(command)
}

function isOverdue({ startedAt }: ObservedReleaseCommand, now: Date, limits: ReleaseCommandLimits): boolean {
  return startedAt !== undefined && now.getTime() - startedAt.getTime() > limits.releaseCommandTimeoutMs
}
