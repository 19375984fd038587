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

export function planOneOffs(desired: DesiredApp, observed: ObservedApp, now: Date): OneOffStep[] {
  const steps: OneOffStep[] = []
  for (const oneOff of desired.oneOffs) {
    const container = observed.oneOffs.find((c) => c.oneOffId === oneOff.id)
    const isOverdue = now.getTime() > oneOff.createdAt.getTime() + oneOff.timeToLiveSeconds * 1000
    const mustEnd = oneOff.state === 'stopping' || isOverdue || desired.app.destroyedAt !== undefined
    if (container && hasEnded(container))
      steps.push({ kind: 'settle-one-off', oneOff, container, cause: `ended with ${container.exitCode}` })
    else if (container?.state === 'running' && mustEnd && !container.isStopping)
      steps.push({ kind: 'stop-one-off', oneOff, container, cause: isOverdue ? 'its time is over' : 'asked to stop' })
    else if (!container && (mustEnd || oneOff.state === 'up'))
      steps.push({ kind: 'settle-one-off', oneOff, container, cause: 'its container is gone' })
    else if (container?.state === 'created' && oneOff.attached) {
      if (mustEnd || now.getTime() > oneOff.createdAt.getTime() + attachWithinMs)
        steps.push({ kind: 'settle-one-off', oneOff, container, cause: 'nobody attached to it' })
    } else if (
      (!container || container.state === 'created') &&
      oneOff.state === 'starting' &&
      desired.addOnsReady &&
      !mustEnd
    )
      steps.push({ kind: 'start-one-off', oneOff, container, cause: 'asked for' })
  }
  const known = new Set(desired.oneOffs.map((o) => o.id))
  for (const container of observed.oneOffs.filter((c) => !known.has(c.oneOffId)))
    steps.push(
      hasEnded(container) || container.state === 'created'
        ? { kind: 'settle-one-off', oneOff: undefined, container, cause: 'its row has ended' }
        : { kind: 'stop-one-off', oneOff: undefined, container, cause: 'its row has ended' },
    )
  return steps
}
