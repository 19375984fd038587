/** What runs of one app, as the engine tells it now: containers by their labels. */
import type { ContainerState } from '../engine/engine.js'
import type { WantedDyno } from './wanted.js'

export interface ObservedContainer {
  readonly containerId: string
  readonly containerName: string
  readonly state: ContainerState
  readonly startedAt: Date | undefined
  readonly endedAt: Date | undefined
  readonly exitCode: number
  /** A process of it, the first one or another, was killed for memory at some time. */
  readonly oomKilled: boolean
}

export interface ObservedDyno extends ObservedContainer {
  /** `web.1`. */
  readonly dyno: string
  readonly type: string
  readonly ordinal: number
  readonly releaseId: string
  readonly version: number
  readonly generation: string
  readonly attempt: number
  readonly size: string
  readonly address: string
  readonly port: number
  /** Web: it has answered on its port and passed its health checks. Others: it runs. */
  readonly isUp: boolean
  /** Web: its health checks are under way; they have deadlines of their own. */
  readonly isChecking: boolean
  /** Web: what it got that failed a health check. It is never up any more. */
  readonly unhealthy: string | undefined
  /** In the route table as last published. */
  readonly isRouted: boolean
  /** Not routed, and without requests in flight or past its drain time. */
  readonly isDrained: boolean
  /** Told to stop by this control plane. */
  readonly isStopping: boolean
  /** Its command has not been started: it waits for its release's command to end. */
  readonly isHeld: boolean
  /** It may use more of the processors than its size says, for the time of its boot. */
  readonly isBoosted: boolean
  /** It runs, but the engine says that it has lost the address by which it was to be reached. */
  readonly isCutOff?: boolean
}

export interface ObservedOneOff extends ObservedContainer {
  readonly oneOffId: string
  readonly isStopping: boolean
}

export interface ObservedReleaseCommand extends ObservedContainer {
  readonly releaseId: string
  /** The container it has its network from, where that isn't its own. */
  readonly sandboxId: string | undefined
}

/** Networks made ready for a release command that is to come. */
export interface ObservedSandbox extends ObservedContainer {
  readonly buildId: string
}

/** Something that should run and could not be started. */
export interface StepFailure {
  /** Of the dyno or release command. */
  readonly releaseId: string | undefined
  readonly wanted: WantedDyno | undefined
  readonly oneOffId: string | undefined
  readonly sentence: string
  /** When it failed for the first time. */
  readonly since: Date
  /** Trying again is of no use. */
  readonly isFinal: boolean
}

export interface ObservedApp {
  /** Steps that failed and wait to be tried again. */
  readonly failures?: readonly StepFailure[]
  readonly dynos: readonly ObservedDyno[]
  readonly oneOffs: readonly ObservedOneOff[]
  readonly releaseCommands: readonly ObservedReleaseCommand[]
  readonly sandboxes: readonly ObservedSandbox[]
  /** Whether the published routes equal what the plan would publish is the publisher's to say; this is its last word. */
  readonly publishedRoutes: string | undefined
}

/** Of a container whose first process was ended by SIGKILL. */
export const killedExitCode = 137

export function hasEnded(container: Pick<ObservedContainer, 'state'>): boolean {
  return container.state === 'exited' || container.state === 'dead'
}

/** Dynos of the formation are told apart by release, restart generation and attempt. */
export function dynoKey(dyno: Pick<ObservedDyno, 'version' | 'generation'>): string {
  return `v${dyno.version}.${dyno.generation}`
}
