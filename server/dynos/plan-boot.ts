/**
 * The part of the plan for the way from a started container to a dyno of its size.
 *
 * Starting a container takes the engine some tenths of a second, so while a release command runs the web dynos of its
 * release are started already, *held*: the container is there, its command is not. When the command has ended well they are
 * let go; when it hasn't they are removed, and nothing of theirs has run. A web dyno boots with all processors of the
 * machine and is limited to those of its size once it is up.
 */
import type { DesiredApp } from './desired.js'
import type { ObservedApp, ObservedDyno } from './observed.js'

export type BootStep =
  | { readonly kind: 'let-go-dyno'; readonly dyno: ObservedDyno }
  | { readonly kind: 'limit-dyno'; readonly dyno: ObservedDyno }

/** Whether the target's web dynos are to be there without running their command yet. */
export function isHeldBack({ target, app }: DesiredApp): boolean {
  return target?.status === 'pending' && target.commandState === 'started' && app.destroyedAt === undefined
}

/** Only then is there time to win by starting what is held. */
export function isCommandRunning({ target }: DesiredApp, { releaseCommands }: ObservedApp): boolean {
  return releaseCommands.some((c) => c.releaseId === target?.id && c.state === 'running')
}

/** `wanted`: the newest container of each wanted dyno. */
export function letGoSteps(desired: DesiredApp, wanted: readonly (ObservedDyno | undefined)[]): BootStep[] {
  const isHeldNow = (dyno: ObservedDyno) => isHeldBack(desired) && dyno.releaseId === desired.target?.id
  return wanted
    .filter((dyno) => dyno !== undefined)
    .filter((dyno) => dyno.isHeld && !isHeldNow(dyno))
    .map((dyno) => ({ kind: 'let-go-dyno', dyno }))
}

export function limitSteps({ dynos }: ObservedApp): BootStep[] {
  return dynos
    .filter((dyno) => dyno.isBoosted && dyno.isUp && !dyno.isStopping)
    .map((dyno) => ({ kind: 'limit-dyno', dyno }))
}

/** What was held for a release that failed has never run, so it needs no farewell. */
export function isHeldInVain(dyno: ObservedDyno, { current, target }: DesiredApp): boolean {
  return dyno.isHeld && dyno.version > (current?.version ?? 0) && dyno.releaseId !== target?.id
}
