/** The containers of one app: made, started, up, crashed, stopped and killed as time goes by. Time is a number. */
import type { ObservedContainer, ObservedDyno } from '../../../server/dynos/observed.js'
import { at } from './situation.js'

/** What a dyno does once started: comes up, never does, dies before it is up, or dies some time later. */
export type Boot = 'up' | 'never' | 'crash' | 'crash-later'

/** What must never happen has happened. */
export class Violation extends Error {}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export interface SimulatedContainer extends Mutable<ObservedContainer> {
  readonly kind: 'dyno' | 'release' | 'one-off' | 'sandbox'
  /** Id of the release, one-off or build. */
  readonly owner: string
  readonly label: Pick<ObservedDyno, 'dyno' | 'type' | 'ordinal' | 'version' | 'generation' | 'attempt'>
  /** How long after its start it is up and ends by itself, and after SIGTERM it ends, in milliseconds. */
  readonly ms: { readonly up: number; readonly end: number; readonly stop: number }
  readonly naturalExit: number
  /** The container it has its networks from. */
  readonly sandboxId: string | undefined
  upAt: number
  endAt: number
  /** It waits for somebody to let it go before its command starts. */
  readonly isGated: boolean
  isLetGo: boolean
  isBoosted: boolean
  /** SIGTERM has been sent to it. */
  isTold: boolean
  wasRouted: boolean
}

export const never = Number.POSITIVE_INFINITY

export type ContainerWish = Pick<SimulatedContainer, 'kind' | 'containerName' | 'owner' | 'ms' | 'naturalExit'> & {
  readonly sandboxId?: string | undefined
  readonly label?: SimulatedContainer['label'] | undefined
  readonly isGated?: boolean
}

export class SimulatedEngine {
  now = 0
  readonly #containers = new Map<string, SimulatedContainer>()
  readonly #runs = new Map<string, number>()
  #made = 0

  all(): SimulatedContainer[] {
    return [...this.#containers.values()]
  }

  running(): SimulatedContainer[] {
    return this.all().filter((c) => c.state === 'running')
  }

  named(name: string): SimulatedContainer | undefined {
    return this.all().find((c) => c.containerName === name)
  }

  find(id: string): SimulatedContainer | undefined {
    return this.#containers.get(id)
  }

  /** Creates a container unless one of that name is there. */
  create(wish: ContainerWish): void {
    if (this.named(wish.containerName)) return
    const containerId = String(++this.#made).padStart(12, '0')
    this.#containers.set(containerId, {
      ...wish,
      label: wish.label ?? { dyno: wish.containerName, type: '', ordinal: 1, version: 0, generation: '0', attempt: 0 },
      containerId,
      state: 'created',
      startedAt: undefined,
      endedAt: undefined,
      exitCode: 0,
      oomKilled: false,
      upAt: never,
      endAt: never,
      sandboxId: wish.sandboxId,
      isGated: wish.isGated ?? false,
      isLetGo: false,
      isBoosted: wish.label?.type === 'web',
      isTold: false,
      wasRouted: false,
    })
  }

  start(c: SimulatedContainer): void {
    if (c.state === 'running') return
    if (c.state !== 'created') throw new Violation(`${c.containerName} is started again after it ended`)
    if (c.sandboxId !== undefined && this.find(c.sandboxId)?.state !== 'running')
      throw new Violation(`${c.containerName} is started without its sandbox`)
    const twin = this.running().find(
      (o) => o.kind === c.kind && (c.kind === 'release' || o.label.dyno === c.label.dyno),
    )
    if (twin && c.label.type !== 'web') throw new Violation(`${c.containerName} runs beside ${twin.containerName}`)
    const runs = (this.#runs.get(c.containerName) ?? 0) + 1
    this.#runs.set(c.containerName, runs)
    if (c.kind !== 'dyno' && c.kind !== 'sandbox' && runs > 1)
      throw new Violation(`${c.containerName} runs a second time`)
    c.state = 'running'
    c.startedAt = at(this.now / 1000)
    if (!c.isGated) this.#boot(c)
  }

  /** The gate of a container that waits is opened; once it is, opening it again does nothing. */
  letGo(c: SimulatedContainer): void {
    if (c.state !== 'running' || !c.isGated || c.isLetGo) return
    c.isLetGo = true
    this.#boot(c)
  }

  #boot(c: SimulatedContainer): void {
    c.upAt = this.now + c.ms.up
    c.endAt = this.now + c.ms.end
  }

  /** SIGTERM; every third dyno ignores it. */
  terminate(c: SimulatedContainer): void {
    c.isTold = true
    if (c.label.ordinal % 3 !== 0 || (c.isGated && !c.isLetGo)) c.endAt = Math.min(c.endAt, this.now + c.ms.stop)
  }

  end(c: SimulatedContainer, exitCode: number): void {
    if (c.state !== 'running') return
    c.state = 'exited'
    c.endedAt = at(this.now / 1000)
    c.exitCode = exitCode
    c.upAt = never
    c.endAt = never
  }

  remove(id: string): void {
    this.#containers.delete(id)
  }

  isUp(c: SimulatedContainer): boolean {
    return c.state === 'running' && c.upAt <= this.now
  }
}
