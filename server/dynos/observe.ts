/** Looks at what runs of one app. Remembers only what can't change: how an ended container ended. */
import type { Container, ContainerDetail, Engine } from '../engine/engine.js'
import { findDynoSize } from '../model/formation.js'
import { labelNames } from '../model/labels.js'
import type { HealthCheck } from '../model/health-check.js'
import type { BootChecks, BootState } from './boot-check.js'
import type { ObservedApp, ObservedContainer, ObservedDyno } from './observed.js'
import type { RoutePublisher } from './route-publisher.js'
import { backendName } from './routes.js'

export interface ObserveOptions {
  readonly engine: Engine
  readonly instance: string
  readonly bootChecks: BootChecks
  readonly routes: RoutePublisher
  readonly drainTimeoutMs: number
  /** Containers this control plane has told to stop. */
  readonly stopping: ReadonlySet<string>
  /** Held dynos that it has let go, and when. */
  readonly letGoAt: Map<string, Date>
}

/** What web dynos of the app's releases are asked. */
export interface Asking {
  readonly host: string
  healthChecks(releaseId: string): readonly HealthCheck[]
}

export interface Observer {
  observe(appId: string, asking: Asking, now: Date): Promise<ObservedApp>
  /** Its limits have changed: the engine is asked again. */
  forgetLimits(containerId: string): void
  /** The engine told of its death. */
  noteDeath(containerId: string): void
  /** App ids of all labelled containers, rows or not. */
  appsWithContainers(): Promise<string[]>
}

export function createObserver(options: ObserveOptions): Observer {
  const details = new Map<string, ContainerDetail>()
  const unroutedSince = new Map<string, number>()
  const died = new Set<string>()
  const { engine, routes, bootChecks } = options

  const detailOf = async (container: Container): Promise<ContainerDetail | undefined> => {
    const known = details.get(container.id)
    // Engines tell of a death before their list shows it. An inspection waits until the death is recorded.
    const isOutdated = container.state === 'restarting' || (container.state === 'running' && died.has(container.id))
    if (known?.state === container.state && !isOutdated) return known
    const detail = await engine.findContainer(container.id)
    if (detail) details.set(container.id, detail)
    return detail
  }

  const drained = async (appId: string, name: string, containerId: string, now: Date): Promise<boolean> => {
    const since = unroutedSince.get(containerId) ?? now.getTime()
    unroutedSince.set(containerId, since)
    if (now.getTime() - since >= options.drainTimeoutMs) return true
    return (await routes.inFlight(appId, name)) === 0
  }

  /** Asked twice, for a dyno that has lost its address is stopped. */
  const hasLost = async (container: Container, address: string): Promise<boolean> => {
    const lacks = (one: Pick<Container, 'addresses'>) => !Object.values(one.addresses).includes(address)
    if (address === '' || !lacks(container)) return false
    const detail = await engine.findContainer(container.id)
    return detail?.state === 'running' && lacks(detail)
  }

  const toDyno = async (
    appId: string,
    base: ObservedContainer,
    container: Container,
    cpus: number,
    asking: Asking,
    now: Date,
  ): Promise<ObservedDyno> => {
    const label = (name: string) => container.labels[name] ?? ''
    const dyno = label(labelNames.dyno)
    const isRunning = base.state === 'running'
    const type = label(labelNames.type)
    const name = backendName({ dyno, containerId: container.id })
    const isRouted = routes.isRouted(appId, name)
    const address = label(labelNames.address)
    const port = Number(label(labelNames.port))
    if (isRouted) {
      // A dyno in the table answered before this process began; it is not asked again.
      bootChecks.markUp(container.id)
      // It was not in the table while it booted; its time to drain begins when it leaves.
      unroutedSince.delete(container.id)
    }
    const isStopping = options.stopping.has(container.id)
    const letGoAt = options.letGoAt.get(container.id)
    const isHeld = label(labelNames.held) === 'yes' && isRunning && letGoAt === undefined && !isRouted
    const startedAt = isHeld ? undefined : (letGoAt ?? base.startedAt)
    const releaseId = label(labelNames.release)
    const isCutOff = isRunning && (await hasLost(container, address))
    const state = (): BootState => {
      if (!isRunning || isHeld || isCutOff) return { kind: 'starting' }
      if (type !== 'web') return { kind: 'up' }
      const { host } = asking
      const healthChecks = asking.healthChecks(releaseId)
      return bootChecks.look({
        containerId: container.id,
        address,
        port,
        host,
        startedAt: startedAt ?? now,
        healthChecks,
      })
    }
    const boot = state()
    return {
      ...base,
      startedAt,
      dyno,
      type,
      ordinal: Number(dyno.split('.')[1]),
      releaseId,
      version: Number(label(labelNames.version)),
      generation: label(labelNames.generation),
      attempt: Number(label(labelNames.attempt)),
      size: label(labelNames.size),
      address,
      port,
      isUp: boot.kind === 'up',
      isChecking: boot.kind === 'checking',
      unhealthy: boot.kind === 'unhealthy' ? boot.failure : undefined,
      isRouted,
      isStopping,
      isHeld,
      isBoosted: isRunning && cpus > findDynoSize(label(labelNames.size)).cpus,
      isCutOff,
      isDrained: isRouted || !isRunning || isStopping ? !isRunning : await drained(appId, name, container.id, now),
    }
  }

  return {
    async observe(appId, asking, now) {
      const found = await engine.listContainers({ [labelNames.instance]: options.instance, [labelNames.app]: appId })
      const dynos: ObservedDyno[] = []
      const oneOffs: ObservedApp['oneOffs'][number][] = []
      const releaseCommands: ObservedApp['releaseCommands'][number][] = []
      const sandboxes: ObservedApp['sandboxes'][number][] = []
      for (const container of found) {
        const detail = await detailOf(container)
        if (!detail || detail.state === 'removing') continue
        const base: ObservedContainer = {
          containerId: container.id,
          containerName: container.name,
          state: detail.state,
          startedAt: detail.startedAt,
          endedAt: detail.finishedAt,
          exitCode: detail.exitCode,
          oomKilled: detail.oomKilled,
        }
        const kind = container.labels[labelNames.kind]
        if (kind === 'dyno') dynos.push(await toDyno(appId, base, container, detail.cpus, asking, now))
        else if (kind === 'one-off')
          oneOffs.push({
            ...base,
            oneOffId: container.labels[labelNames.oneOff] ?? '',
            isStopping: options.stopping.has(container.id),
          })
        else if (kind === 'release')
          releaseCommands.push({
            ...base,
            releaseId: container.labels[labelNames.release] ?? '',
            sandboxId: container.labels[labelNames.sandbox],
          })
        else if (kind === 'sandbox') sandboxes.push({ ...base, buildId: container.labels[labelNames.build] ?? '' })
      }
      forgetGone(appId, new Set(found.map((c) => c.id)))
      return { dynos, oneOffs, releaseCommands, sandboxes, publishedRoutes: routes.published(appId) }
    },
    forgetLimits: (containerId) => void details.delete(containerId),
    // Of one that was never looked at, nothing outdated is remembered.
    noteDeath: (containerId) => void (details.has(containerId) && died.add(containerId)),
    async appsWithContainers() {
      const all = await engine.listContainers({ [labelNames.instance]: options.instance, [labelNames.app]: '' })
      return [...new Set(all.map((c) => c.labels[labelNames.app] ?? ''))].filter((id) => id !== '')
    },
  }

  /** Drops what is remembered of this app's containers that are no more. */
  function forgetGone(appId: string, present: ReadonlySet<string>): void {
    for (const [id, detail] of details) {
      if (detail.labels[labelNames.app] !== appId || present.has(id)) continue
      details.delete(id)
      died.delete(id)
      unroutedSince.delete(id)
      options.letGoAt.delete(id)
      bootChecks.forget(id)
    }
  }
}
