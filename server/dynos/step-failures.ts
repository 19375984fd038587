/**
 * What is remembered of steps that failed, for one platform: when each may be tried again, and what to say of it. A step
 * that always fails is tried at times that double, and keeps no other from being done. Lost with the process: the next one
 * tries at once.
 */
import { EngineError } from '../engine/engine.js'
import type { StepFailure } from './observed.js'
import type { Step } from './plan.js'

/** What can't be mended by trying again; the message is a sentence for the app's owner. */
export class FinalStepError extends Error {}

export interface StepFailuresOptions {
  readonly backoffMs: number
  readonly backoffMaxMs: number
}

interface Remembered extends StepFailure {
  readonly count: number
  readonly dueAt: number
}

const longestWaitMs = 60_000
const sentenceChars = 300

export class StepFailures {
  readonly #apps = new Map<string, Map<string, Remembered>>()
  readonly #options: StepFailuresOptions

  constructor(options: StepFailuresOptions) {
    this.#options = options
  }

  /** The steps whose time has come; what is no longer planned is forgotten. */
  due(appId: string, steps: readonly Step[], now: Date): Step[] {
    const known = this.#apps.get(appId)
    if (known === undefined) return [...steps]
    const planned = new Set(steps.map(stepKey))
    for (const key of known.keys()) if (!planned.has(key)) known.delete(key)
    if (known.size === 0) this.#apps.delete(appId)
    return steps.filter((step) => now.getTime() >= (known.get(stepKey(step))?.dueAt ?? 0))
  }

  /** Remembers it and returns what is to be said. */
  failed(appId: string, step: Step, error: unknown, now: Date): { readonly sentence: string; readonly waitMs: number } {
    const known = this.#apps.get(appId) ?? new Map<string, Remembered>()
    this.#apps.set(appId, known)
    const before = known.get(stepKey(step))
    const count = (before?.count ?? 0) + 1
    const most = Math.min(this.#options.backoffMaxMs, longestWaitMs)
    const waitMs = Math.min(this.#options.backoffMs * 2 ** Math.min(count - 1, 20), most)
    const sentence = sentenceOf(error)
    known.set(stepKey(step), {
      ...subjectOf(step),
      sentence,
      since: before?.since ?? now,
      isFinal: error instanceof FinalStepError,
      count,
      dueAt: now.getTime() + waitMs,
    })
    return { sentence, waitMs }
  }

  succeeded(appId: string, step: Step): void {
    this.#apps.get(appId)?.delete(stepKey(step))
  }

  of(appId: string): readonly StepFailure[] {
    return [...(this.#apps.get(appId)?.values() ?? [])]
  }

  /** Until the next step may be tried again; undefined when none waits. */
  waitMs(appId: string, now: Date): number | undefined {
    const dues = [...(this.#apps.get(appId)?.values() ?? [])].map((f) => f.dueAt - now.getTime())
    return dues.length === 0 ? undefined : Math.max(0, Math.min(...dues))
  }

  forget(appId: string): void {
    this.#apps.delete(appId)
  }
}

function sentenceOf(error: unknown): string {
  if (error instanceof EngineError && error.kind === 'no_space') return 'The disk of the platform is full.'
  const text = error instanceof Error ? error.message : String(error)
  return text.replaceAll('\n', ' ').slice(0, sentenceChars)
}

/** The same for the same wish, in whatever round it is planned. */
export function stepKey(step: Step): string {
  switch (step.kind) {
    case 'create-release-command':
    case 'start-release-command':
    case 'settle-release-command':
    case 'settle-release':
      return `${step.kind} ${step.release.id}`
    case 'start-sandbox':
      return `${step.kind} ${step.buildId}`
    case 'start-dyno':
      return `${step.kind} ${step.wanted.dyno} ${step.wanted.release.id} ${step.wanted.generation}`
    case 'stop-dyno':
    case 'let-go-dyno':
    case 'limit-dyno':
      return `${step.kind} ${step.dyno.containerId}`
    case 'remove-container':
      return `${step.kind} ${step.containerId}`
    case 'start-one-off':
    case 'stop-one-off':
    case 'settle-one-off':
      return `${step.kind} ${step.oneOff?.id ?? step.container?.containerId ?? ''}`
    case 'publish-routes':
    case 'remove-app':
      return step.kind
  }
}

/** What doesn't run for it. */
function subjectOf(step: Step): Pick<StepFailure, 'releaseId' | 'wanted' | 'oneOffId'> {
  const none = { releaseId: undefined, wanted: undefined, oneOffId: undefined }
  switch (step.kind) {
    case 'create-release-command':
    case 'start-release-command':
      return { ...none, releaseId: step.release.id }
    case 'start-dyno':
      return { ...none, releaseId: step.wanted.release.id, wanted: step.wanted }
    case 'let-go-dyno':
      return { ...none, releaseId: step.dyno.releaseId }
    case 'start-one-off':
      return { ...none, oneOffId: step.oneOff.id }
    default:
      return none
  }
}

/** Who is spoken of in the app's log, and how the sentence begins. */
export function failedDeed(step: Step): { readonly dyno: string; readonly deed: string } {
  switch (step.kind) {
    case 'create-release-command':
    case 'start-release-command':
      return { dyno: `release.${step.release.version}`, deed: 'Could not be started' }
    case 'start-sandbox':
      return { dyno: 'release', deed: 'Its networks could not be made ready beforehand' }
    case 'start-dyno':
      return { dyno: step.wanted.dyno, deed: 'Could not be started' }
    case 'start-one-off':
      return { dyno: `run.${step.oneOff.number}`, deed: 'Could not be started' }
    case 'let-go-dyno':
      return { dyno: step.dyno.dyno, deed: 'Could not be started' }
    case 'limit-dyno':
      return { dyno: step.dyno.dyno, deed: 'Could not be limited to its size' }
    case 'stop-dyno':
      return { dyno: step.dyno.dyno, deed: 'Could not be stopped' }
    case 'publish-routes':
      return { dyno: 'router', deed: "The app's routes could not be published" }
    default:
      return { dyno: 'api', deed: `A step of the platform failed (${step.kind})` }
  }
}
