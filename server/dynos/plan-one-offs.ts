/** The part of the plan for one-off dynos: each row is started once, and its container kept until the row knows its end. */
import type { DesiredApp } from './desired.js'
import { hasEnded, type ObservedApp, type ObservedOneOff } from './observed.js'

type DesiredOneOff = DesiredApp['oneOffs'][number]

export type OneOffStep =
  | {
      readonly kind: 'start-one-off'
      readonly oneOff: DesiredOneOff
      readonly container: ObservedOneOff | undefined
      readonly cause: string
    }
  | {
      readonly kind: 'stop-one-off'
      readonly oneOff: DesiredOneOff | undefined
      readonly container: ObservedOneOff
      readonly cause: string
    }
  | {
      readonly kind: 'settle-one-off'
      readonly oneOff: DesiredOneOff | undefined
      readonly container: ObservedOneOff | undefined
      readonly cause: string
    }

/** An attached one-off is started by whoever attaches to it; nobody coming within this time ends it. */
const attachWithinMs = 60_000

export interface OneOffLimits {
  /** Since when this control plane runs: whoever was attached before went with its predecessor. */
  readonly watchingSince?: Date
}

export function planOneOffs(
  desired: DesiredApp,
  observed: ObservedApp,
  now: Date,
  limits: OneOffLimits = {},
): OneOffStep[] {
  const known = new Set(desired.oneOffs.map((o) => o.id))
  return [
    ...desired.oneOffs.flatMap((oneOff) => {
      const container = observed.oneOffs.find((c) => c.oneOffId === oneOff.id)
      const endCause = endCauseOf(desired, oneOff, now, limits)
      const isUnstartable = observed.failures?.some((f) => f.oneOffId === oneOff.id && f.isFinal) ?? false
      return container === undefined
        ? missingSteps(desired, oneOff, endCause, isUnstartable)
        : oneOffSteps(oneOff, container, endCause, now)
    }),
    ...observed.oneOffs.filter((c) => !known.has(c.oneOffId)).flatMap(orphanSteps),
  ]
}

/** Why it must not run any longer, if so. */
function endCauseOf(
  desired: DesiredApp,
  oneOff: DesiredOneOff,
  now: Date,
  { watchingSince }: OneOffLimits,
): string | undefined {
  if (now.getTime() > oneOff.createdAt.getTime() + oneOff.timeToLiveSeconds * 1000) return 'its time is over'
  if (oneOff.state === 'stopping' || desired.app.destroyedAt !== undefined) return 'asked to stop'
  const isOrphaned = oneOff.attached && watchingSince !== undefined && oneOff.createdAt < watchingSince
  return isOrphaned ? 'whoever was attached to it is gone' : undefined
}

function missingSteps(
  desired: DesiredApp,
  oneOff: DesiredOneOff,
  endCause: string | undefined,
  isUnstartable: boolean,
): OneOffStep[] {
  // One that was up has run: it is never run a second time.
  if (oneOff.state === 'up')
    return [{ kind: 'settle-one-off', oneOff, container: undefined, cause: 'its container is gone' }]
  if (endCause !== undefined || isUnstartable)
    return [{ kind: 'settle-one-off', oneOff, container: undefined, cause: 'it was never made' }]
  return desired.addOnsReady ? [{ kind: 'start-one-off', oneOff, container: undefined, cause: 'asked for' }] : []
}

function oneOffSteps(
  oneOff: DesiredOneOff,
  container: ObservedOneOff,
  endCause: string | undefined,
  now: Date,
): OneOffStep[] {
  if (hasEnded(container))
    return [{ kind: 'settle-one-off', oneOff, container, cause: `ended with ${container.exitCode}` }]
  if (container.state === 'created') {
    if (endCause !== undefined) return [{ kind: 'settle-one-off', oneOff, container, cause: 'never started' }]
    if (!oneOff.attached) return [{ kind: 'start-one-off', oneOff, container, cause: 'made but not started' }]
    const isLeft = now.getTime() > oneOff.createdAt.getTime() + attachWithinMs
    return isLeft ? [{ kind: 'settle-one-off', oneOff, container, cause: 'nobody attached to it' }] : []
  }
  if (endCause !== undefined)
    return container.isStopping ? [] : [{ kind: 'stop-one-off', oneOff, container, cause: endCause }]
  // The control plane died between starting it and noting so: starting it again changes nothing but the row.
  return oneOff.state === 'starting' && !oneOff.attached
    ? [{ kind: 'start-one-off', oneOff, container, cause: 'its row is behind' }]
    : []
}

/** Containers whose row has ended or is gone. */
function orphanSteps(container: ObservedOneOff): OneOffStep[] {
  const cause = 'its row has ended'
  if (hasEnded(container) || container.state === 'created')
    return [{ kind: 'settle-one-off', oneOff: undefined, container, cause }]
  return container.isStopping ? [] : [{ kind: 'stop-one-off', oneOff: undefined, container, cause }]
}
