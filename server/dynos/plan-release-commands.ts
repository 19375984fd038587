/**
 * The part of the plan for release commands: each runs at most once, one at a time, and its container is the record until
 * the row knows how it ended.
 */
import type { DesiredApp, RunnableRelease } from './desired.js'
import { hasEnded, type ObservedApp, type ObservedReleaseCommand } from './observed.js'

export type ReleaseCommandStep =
  | { readonly kind: 'create-release-command'; readonly release: RunnableRelease }
  | { readonly kind: 'start-release-command'; readonly release: RunnableRelease; readonly containerId: string }
  | {
      readonly kind: 'settle-release-command'
      readonly release: RunnableRelease
      /** Undefined: how it ended can't be known. */
      readonly containerId: string | undefined
      /** It still ran when its time was over. */
      readonly isLate?: boolean
    }
  | {
      readonly kind: 'remove-container'
      readonly containerId: string
      readonly name: string
      readonly hasEnded: boolean
      readonly cause: string
    }

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
    if (cause !== undefined)
      steps.push({
        kind: 'remove-container',
        containerId: command.containerId,
        name: command.containerName,
        hasEnded: hasEnded(command),
        cause,
      })
  }
  const { target } = desired
  if (!target?.slug || target.status !== 'pending' || desired.app.destroyedAt) return steps
  const container = observed.releaseCommands.find((c) => c.releaseId === target.id)
  const isOtherRunning = observed.releaseCommands.some((c) => c.releaseId !== target.id && isRunning(c))
  if (target.commandState === 'waiting' && desired.addOnsReady && !isOtherRunning)
    // The container is made before the row says started: a row that says so without one never runs it a second time.
    steps.push(
      container
        ? { kind: 'start-release-command', release: target, containerId: container.containerId }
        : { kind: 'create-release-command', release: target },
    )
  if (target.commandState === 'started') {
    if (container?.state === 'created')
      steps.push({ kind: 'start-release-command', release: target, containerId: container.containerId })
    else if (!container || hasEnded(container))
      steps.push({ kind: 'settle-release-command', release: target, containerId: container?.containerId })
    else if (isOverdue(container, now, limits))
      steps.push({ kind: 'settle-release-command', release: target, containerId: undefined, isLate: true })
  }
  return steps
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
