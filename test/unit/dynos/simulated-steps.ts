/**
 * The effects of a plan's steps, one by one, as `execute` has them; and the watch over what must never happen, which throws
 * a `Violation`.
 */
import type { Step } from '../../../server/dynos/plan.js'
import { wantedDynos } from '../../../server/dynos/wanted.js'
import type { AppRoutes } from '../../../server/model/route-table.js'
import {
  type ContainerWish,
  never,
  type SimulatedContainer,
  type SimulatedEngine,
  Violation,
} from './simulated-engine.js'
import { isRouted, type SimulatedMemory } from './simulated-memory.js'
import type { OneOffRow, ReleaseRow, SimulatedRows } from './simulated-rows.js'
import { at, limits as usual } from './situation.js'

export const limits = { ...usual, crashBackoffMaxMs: 8_000 }

/** What there is beside rows and containers. */
export interface Live {
  routes: AppRoutes | undefined
  memory: SimulatedMemory
  isGone: boolean
}

export class SimulatedSteps {
  constructor(
    private readonly rows: SimulatedRows,
    private readonly engine: SimulatedEngine,
    private readonly live: Live,
  ) {}

  effectsOf(step: Step): (() => void)[] {
    switch (step.kind) {
      case 'create-release-command':
        return [
          () =>
            this.#create(
              'release',
              `release-v${step.release.version}`,
              step.release.id,
              this.rows.release(step.release),
              { sandboxId: step.sandboxId },
            ),
        ]
      case 'start-sandbox':
        return [
          () => this.#createSandbox(step.buildId),
          () => this.engine.start(this.#named(`sandbox-${step.buildId}`)),
        ]
      case 'start-release-command':
        return [
          () => this.rows.moveCommand(this.rows.release(step.release), 'waiting', 'started'),
          () => this.engine.start(this.#container(step.containerId)),
        ]
      case 'settle-release-command':
        return [() => this.#settleCommand(this.rows.release(step.release), step.containerId)]
      case 'remove-container':
        return [() => this.#remove(step.containerId)]
      case 'start-dyno': {
        const { dyno, type, ordinal, release, generation } = step.wanted
        const label = { dyno, type, ordinal, version: release.version, generation, attempt: step.attempt }
        const name = `${dyno}-v${release.version}-${generation}-${step.attempt}`
        return [
          () => this.#create('dyno', name, release.id, this.rows.release(release), { label, isGated: step.isHeld }),
          () => this.engine.start(this.#named(name)),
        ]
      }
      case 'let-go-dyno':
        return [() => this.#letGo(step.dyno.containerId)]
      case 'limit-dyno':
        return [
          () => {
            this.#container(step.dyno.containerId).isBoosted = false
          },
        ]
      case 'settle-release':
        return [
          () => {
            if (step.fault?.kind === 'crashed' || step.fault?.kind === 'late')
              this.#checkFault(step.fault.kind, step.fault.dyno.containerId)
            this.rows.settleRelease(this.rows.release(step.release), step.status)
          },
        ]
      case 'publish-routes':
        return [() => this.#publish(step.routes)]
      case 'stop-dyno':
        return [
          () => {
            if (step.kill) this.#checkFault('late', step.dyno.containerId)
            this.#stop(step.dyno.containerId, step.kill ?? false)
          },
        ]
      case 'start-one-off':
        return this.#startOneOff(step.oneOff.id)
      case 'stop-one-off':
        return [() => this.#stop(step.container.containerId, false)]
      case 'settle-one-off': {
        const row = this.rows.oneOffs.find((o) => o.id === step.oneOff?.id)
        const { container } = step
        return [
          ...(row ? [() => this.rows.moveOneOff(row, 'ended', container?.exitCode ?? 255)] : []),
          ...(container ? [() => this.#remove(container.containerId)] : []),
        ]
      }
      case 'remove-app':
        return [() => this.#removeApp()]
    }
  }

  #startOneOff(id: string): (() => void)[] {
    const row = this.rows.oneOffs.find((o) => o.id === id) as OneOffRow
    const name = `run.${row.number}`
    return [
      () => this.#create('one-off', name, row.id, this.rows.release(row.release), { oneOffMs: row.ms }),
      ...(row.attached ? [] : [() => this.engine.start(this.#named(name)), () => this.rows.moveOneOff(row, 'up')]),
    ]
  }

  #create(
    kind: SimulatedContainer['kind'],
    containerName: string,
    owner: string,
    { wish }: ReleaseRow,
    more: Pick<ContainerWish, 'label' | 'isGated' | 'sandboxId'> & { readonly oneOffMs?: number },
  ): void {
    const { label, oneOffMs = 0, ...rest } = more
    const { ordinal, attempt } = label ?? { ordinal: 1, attempt: 2 }
    const boot = attempt < 2 ? (wish.boots[(ordinal + attempt) % wish.boots.length] ?? 'up') : 'up'
    const up = wish.bootMs + 137 * ordinal
    const end = { up: never, never, crash: up, 'crash-later': up + 9_000 }[boot]
    this.engine.create({
      kind,
      containerName,
      owner,
      label,
      ...rest,
      ms: {
        up: boot === 'up' || boot === 'crash-later' ? up : never,
        end: kind === 'dyno' ? end : kind === 'release' ? (wish.command?.ms ?? 0) : oneOffMs,
        stop: 40 + 700 * ordinal + (wish.bootMs % 5) * 1_000,
      },
      naturalExit: kind === 'dyno' ? 1 : kind === 'release' ? (wish.command?.exitCode ?? 0) : 0,
    })
  }

  #createSandbox(buildId: string): void {
    const ms = { up: never, end: never, stop: 0 }
    this.engine.create({ kind: 'sandbox', containerName: `sandbox-${buildId}`, owner: buildId, ms, naturalExit: 137 })
  }

  #letGo(id: string): void {
    const c = this.#container(id)
    const release = this.rows.releases.find((r) => r.id === c.owner)
    if (release?.commandState !== 'succeeded')
      throw new Violation(`${c.containerName} runs before its release command ended`)
    this.live.memory.letGoAt.set(id, at(this.engine.now / 1000))
    this.engine.letGo(c)
  }

  end(c: SimulatedContainer, exitCode: number): void {
    this.engine.end(c, exitCode)
    this.live.memory.stopping.delete(c.containerId)
  }

  #stop(id: string, isKilled: boolean): void {
    const c = this.#container(id)
    if (c.state !== 'running') return
    if (isRouted(c, this.live.routes)) throw new Violation(`${c.containerName} is stopped while it is routed`)
    if (this.live.memory.stopping.has(id)) throw new Violation(`${c.containerName} is told to stop twice`)
    this.live.memory.stopping.set(id, this.engine.now + (isKilled ? 0 : 30_000))
    this.engine.terminate(c)
  }

  #remove(id: string): void {
    const c = this.engine.find(id)
    if (!c) return
    if (c.kind === 'dyno' && c.state === 'running' && isRouted(c, this.live.routes))
      throw new Violation(`${c.containerName} is removed while it is routed`)
    if (c.kind === 'release') this.#checkForgotten(c)
    const user = this.engine.running().find((other) => other.sandboxId === id)
    if (user) throw new Violation(`the sandbox of ${user.containerName} is taken from it`)
    this.engine.remove(id)
  }

  /** How the command of a release that may yet be the target ended is known before its container goes. */
  #checkForgotten(c: SimulatedContainer): void {
    const row = this.rows.releases.find((r) => r.id === c.owner)
    if (row?.status !== 'pending' || row.commandState !== 'started' || this.rows.destroyedAt) return
    const isLate = c.state === 'running' && this.engine.now > since(c.startedAt) + limits.releaseCommandTimeoutMs
    if (!isLate) throw new Violation(`${c.containerName} is cut short or forgotten`)
  }

  #publish(routes: AppRoutes): void {
    const wantsWeb = wantedDynos(this.rows.desired(), this.rows.current()).some((w) => w.type === 'web')
    const before = this.serving(this.live.routes)
    this.live.routes = routes
    if (wantsWeb && before.length > 0 && this.serving(routes).length === 0)
      throw new Violation(`nothing serves where ${before.map((c) => c.containerName).join(', ')} did`)
    if (routes.backends.length > 0 && !wantsWeb) throw new Violation('routes for an app that wants no web dyno')
  }

  /** Containers that a request gets to and that answer it. */
  serving(routes: AppRoutes | undefined): SimulatedContainer[] {
    return this.engine.all().filter((c) => isRouted(c, routes) && this.engine.isUp(c))
  }

  /** A dyno is blamed only for what it did itself. */
  #checkFault(kind: 'crashed' | 'late' | 'unhealthy', containerId: string): void {
    const c = this.#container(containerId)
    if (kind === 'unhealthy') throw new Violation('no dyno is asked for its health here')
    if (kind === 'crashed' && c.isTold) throw new Violation(`${c.containerName} was stopped and is blamed for a crash`)
    if (kind === 'late' && this.engine.isUp(c))
      throw new Violation(`${c.containerName} is up and blamed for being late`)
  }

  #settleCommand(row: ReleaseRow, containerId: string | undefined): void {
    const ended = containerId === undefined ? undefined : this.engine.find(containerId)
    if (ended && ended.state !== 'exited') throw new Violation('a release command is settled while it runs')
    if (ended?.exitCode === 0) this.rows.moveCommand(row, 'started', 'succeeded')
    else if (this.rows.moveCommand(row, 'started', 'failed')) this.rows.settleRelease(row, 'failed')
  }

  #removeApp(): void {
    if (this.engine.all().length > 0) throw new Violation('the app goes while something of it is there')
    this.live.isGone = true
  }

  #container(id: string): SimulatedContainer {
    const found = this.engine.find(id)
    if (!found) throw new Violation(`${id} is not there`)
    return found
  }

  #named(name: string): SimulatedContainer {
    const found = this.engine.named(name)
    if (!found) throw new Violation(`${name} is not there`)
    return found
  }
}

/** Milliseconds since the beginning; never for what has not happened. */
export function since(date: Date | undefined): number {
  return date === undefined ? never : date.getTime() - at(0).getTime()
}
