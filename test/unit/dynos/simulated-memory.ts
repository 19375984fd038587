/** What one control plane knows of the engine and forgets when it dies, and what it sees by it. */
import type { ObservedApp, ObservedContainer, ObservedDyno } from '../../../server/dynos/observed.js'
import { backendName, printRoutes } from '../../../server/dynos/routes.js'
import type { AppRoutes } from '../../../server/model/route-table.js'
import { at, limits } from './situation.js'
import { never, type SimulatedContainer, type SimulatedEngine } from './simulated-engine.js'

const drainTimeoutMs = 30_000
const { bootTimeoutMs } = limits
/** From asking a dyno for the first time to its answer. */
const answerMs = 8

export class SimulatedMemory {
  /** Told to stop → when it is killed. */
  readonly stopping = new Map<string, number>()
  readonly letGoAt = new Map<string, Date>()
  readonly #up = new Set<string>()
  readonly #asked = new Map<string, number>()
  readonly #unrouted = new Map<string, number>()

  constructor(
    private readonly engine: SimulatedEngine,
    readonly since: number,
  ) {}

  observe(routes: AppRoutes | undefined): ObservedApp {
    const of = (kind: SimulatedContainer['kind']) => this.engine.all().filter((c) => c.kind === kind)
    return {
      dynos: of('dyno').map((c) => this.#observeDyno(c, isRouted(c, routes))),
      oneOffs: of('one-off').map((c) => ({
        ...view(c),
        oneOffId: c.owner,
        isStopping: this.stopping.has(c.containerId),
      })),
      releaseCommands: of('release').map((c) => ({ ...view(c), releaseId: c.owner, sandboxId: c.sandboxId })),
      sandboxes: of('sandbox').map((c) => ({ ...view(c), buildId: c.owner })),
      publishedRoutes: routes && printRoutes(routes),
    }
  }

  #observeDyno(c: SimulatedContainer, isRouted: boolean): ObservedDyno {
    const id = c.containerId
    const isWeb = c.label.type === 'web'
    const isRunning = c.state === 'running'
    const isStopping = this.stopping.has(id)
    const letGoAt = this.letGoAt.get(id)
    const isHeld = c.isGated && isRunning && letGoAt === undefined && !isRouted
    if (isRouted) {
      c.wasRouted = true
      this.#up.add(id)
      this.#unrouted.delete(id)
    } else if (!this.#unrouted.has(id)) this.#unrouted.set(id, this.engine.now)
    if (isRunning && isWeb && !isHeld) {
      if (!this.#asked.has(id)) this.#asked.set(id, this.engine.now)
      if (this.#answersAt(c) <= this.engine.now) this.#up.add(id)
    }
    return {
      ...view(c),
      ...c.label,
      startedAt: isHeld ? undefined : (letGoAt ?? c.startedAt),
      releaseId: c.owner,
      size: 'Basic',
      address: `10.0.0.${c.label.ordinal}`,
      port: 5000 + c.label.version,
      isUp: isRunning && !isHeld && (!isWeb || this.#up.has(id)),
      isHeld,
      isBoosted: isRunning && c.isBoosted,
      isChecking: false,
      unhealthy: undefined,
      isRouted,
      isStopping,
      isDrained: !isRunning || (!isRouted && !isStopping && this.#drainedAt(c) <= this.engine.now),
    }
  }

  #answersAt(c: SimulatedContainer): number {
    return Math.max(c.upAt, (this.#asked.get(c.containerId) ?? never) + answerMs)
  }

  /** Requests in flight take as long as the dyno takes to stop. */
  #drainedAt(c: SimulatedContainer): number {
    const inFlightMs = c.wasRouted ? Math.min(c.ms.stop, drainTimeoutMs) : 0
    return (this.#unrouted.get(c.containerId) ?? never) + inFlightMs
  }

  /** When it will know more of a running container than now. */
  newsAt(c: SimulatedContainer): number[] {
    const letGoAt = this.letGoAt.get(c.containerId)
    return [
      ...(letGoAt === undefined ? [] : [letGoAt.getTime() - at(0).getTime() + bootTimeoutMs + 1]),
      this.#answersAt(c),
      this.#drainedAt(c),
      this.stopping.get(c.containerId) ?? never,
    ]
  }
}

export function isRouted(c: SimulatedContainer, routes: AppRoutes | undefined): boolean {
  const name = backendName({ ...c, ...c.label })
  return routes?.backends.some((b) => b.name === name) ?? false
}

function view(c: SimulatedContainer): ObservedContainer {
  const { containerId, containerName, state, startedAt, endedAt, exitCode, oomKilled } = c
  return { containerId, containerName, state, startedAt, endedAt, exitCode, oomKilled }
}
