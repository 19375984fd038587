/**
 * The router as the control plane sees it: a table goes in, HAProxy follows.
 *
 * `publish` first makes the files whole (route-table.json, then maps, then haproxy.cfg), so that HAProxy starts with the
 * newest table whenever it starts, then brings a running HAProxy in step. When it returns, a dyno that is not in the
 * table gets no new request; what it was already answering goes on, and `inFlight` counts it. HAProxy itself is
 * somebody else's to start: `command`, `routerCapabilities` and the folder are all it needs.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { RouteTable } from '../model/route-table.js'
import { type AccessEntry, appIdOfRecord, isRecord, parseAccessLine } from './access-log.js'
import { createCertificates } from './certificates.js'
import { sessionsOf, sweepParked } from './draining.js'
import { createRouterFiles } from './files.js'
import { slotName } from './layout.js'
import { followLog } from './log-socket.js'
import { createMemory } from './memory.js'
import { type RouterOptions, withDefaults } from './options.js'
import { routerPaths } from './paths.js'
import { createTablePublisher } from './table-publisher.js'
import { createTurns } from './turns.js'
import { tableOf } from './stored-placement.js'

/** All that HAProxy needs of root: low ports, changing to its own user in a jail, and signalling the process it left. */
export const routerCapabilities: readonly string[] = ['NET_BIND_SERVICE', 'SETUID', 'SETGID', 'SYS_CHROOT', 'KILL']

/** Ends HAProxy gently: it finishes what it is answering. */
export const routerStopSignal = 'SIGUSR1'

export interface RouterHealth {
  readonly up: boolean
  /** The published table's number. */
  readonly version: number
}

export interface Router {
  /** argv of the router's container, to be run as root with `routerCapabilities`. */
  readonly command: readonly string[]
  /** Writes everything HAProxy needs to start; keeps the table that is there. Call it before anything else. */
  prepare(): Promise<void>
  /** The published table. */
  current(): RouteTable
  /**
   * Publishes a whole table. Calls wait for one another, and of those that wait only the newest is written. With no
   * HAProxy running the files are all there is to change. Throws `RouterError`.
   */
  publish(table: RouteTable): Promise<{ readonly changed: boolean }>
  /** Brings a running HAProxy in step with the files, whatever it was doing before. */
  resync(): Promise<void>
  /** Requests that a backend is answering, also one that is no longer in the table. 0 with no HAProxy running. */
  inFlight(appId: string, backendName: string): Promise<number>
  /** Removes idle servers, follows restarts of HAProxy, renews certificates. To be called every second or so. */
  housekeep(): Promise<void>
  /** Calls `housekeep` until the signal aborts; `onError` hears what went wrong, and it goes on. */
  keepHouse(signal: AbortSignal, onError: (error: unknown) => void, intervalMs?: number): Promise<void>
  health(): Promise<RouterHealth>
  caCertificatePem(): Promise<string>
  /**
   * Hears of every request as it ends, until the signal aborts; two that end in the same moment come in either order.
   * One listener at a time. What ends while nobody listens is heard of later. `onUnreadable` hears of each request whose
   * record can't be read, with the app when that much can.
   */
  followAccessLog(
    onEntry: (entry: AccessEntry) => void,
    signal: AbortSignal,
    onUnreadable?: (appId: string | undefined) => void,
  ): Promise<void>
}

/** Throws a sentence when the folder's path can't be used. */
export function createRouter(options: RouterOptions): Router {
  const settings = withDefaults(options)
  const paths = routerPaths(settings.dir)
  const certificates = createCertificates(settings.caDir, paths.certsDir, settings.instance)
  const memory = createMemory(paths)
  const files = createRouterFiles(settings, paths, certificates)
  const inTurn = createTurns()
  const publisher = createTablePublisher({ settings, paths, certificates, memory, files, inTurn })

  const router: Router = {
    command: ['haproxy', '-W', '-db', '-S', `${paths.masterSocket},mode,600,level,admin`, '-f', paths.config],
    prepare: () => inTurn(() => publisher.prepare()),
    current: () => tableOf(publisher.placement()),
    publish: (table) => publisher.publish(table),
    resync: () => inTurn(() => publisher.settle()),
    async inFlight(appId, backendName) {
      const { apps, resting } = publisher.placement()
      const seat = [...apps, ...resting].find((seated) => seated.appId === appId)
      return seat === undefined ? 0 : sessionsOf(slotName(seat.slot), backendName, paths)
    },
    housekeep: () =>
      inTurn(async () => {
        await publisher.renewCertificates()
        if (await hasRestarted()) await publisher.settle()
        await sweepParked(memory, paths)
      }),
    async keepHouse(signal, onError, intervalMs = 1000) {
      while (!signal.aborted) {
        await router.housekeep().catch(onError)
        await delay(intervalMs, undefined, { signal }).catch(() => {})
      }
    },
    async health() {
      const process = await memory.process().catch(() => undefined)
      return { up: process !== undefined, version: publisher.placement().version }
    },
    caCertificatePem: () => certificates.caCertificatePem(),
    followAccessLog(onEntry, signal, onUnreadable) {
      const onLine = (line: string) => {
        const entry = parseAccessLine(line, settings.idleTimeoutMs)
        if (entry !== undefined) onEntry(entry)
        else if (isRecord(line)) onUnreadable?.(appIdOfRecord(line))
      }
      return followLog(paths, onLine, signal)
    },
  }

  const hasRestarted = async () => {
    const process = await memory.process()
    return process !== undefined && process.identity !== memory.held()?.process.identity
  }
  return router
}
