/**
 * Knows which web dynos are up. One that has answered a request on its port, however it answered, is up for the rest of its
 * life; where the app has health checks, it must pass them instead. Looking at the port alone is not enough: servers bind
 * before they have loaded the app, and may die of it.
 *
 * Probing is a hint that nudges the loop; what is remembered here is lost with the process and found out again.
 */
import { request } from 'node:http'
import net from 'node:net'
import { checkHeaders, checkHealth, type HealthTarget } from './health-check.js'

export interface BootCheckTarget extends HealthTarget {
  readonly containerId: string
}

/** Of a web dyno: its port is waited for, its health checks are under way, it is up, or it failed them. */
export type BootState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'checking' }
  | { readonly kind: 'up' }
  | { readonly kind: 'unhealthy'; readonly failure: string }

export interface BootChecks {
  /** What is known of the dyno; begins probing when it is seen for the first time. */
  look(target: BootCheckTarget): BootState
  /** Takes a dyno as up without probing: it is in the route table already. */
  markUp(containerId: string): void
  forget(containerId: string): void
  close(): void
}

export interface BootCheckOptions {
  /** All health checks of a dyno together may take this long. */
  readonly healthChecksTimeoutMs: number
  /** The dyno's state is another one now. */
  onChange(containerId: string): void
  /**
   * What its first request was answered with; not heard where the app has health checks of its own. The dyno is up once this
   * is over.
   */
  onAnswer(containerId: string, status: number, host: string): Promise<void> | void
  /** A health check failed and will be tried again. */
  onFailedAttempt(containerId: string, text: string): void
}

/** A server that takes the request and says nothing for this long is up too: it is only slow. */
const silentUpMs = 10_000
const quickProbes = 400

export function createBootChecks(options: BootCheckOptions): BootChecks {
  const states = new Map<string, BootState>()
  const probing = new Map<string, AbortController>()

  const set = (target: BootCheckTarget, state: BootState) => {
    states.set(target.containerId, state)
    if (state.kind !== 'checking') probing.delete(target.containerId)
    options.onChange(target.containerId)
  }

  const probe = async (target: BootCheckTarget, signal: AbortSignal) => {
    const hear = async (status: number) => options.onAnswer(target.containerId, status, target.host)
    // Whoever says which path is healthy need not be asked for another one.
    const isPathAsked = target.healthChecks.some((check) => check.kind === 'path')
    for (let attempt = 0; !signal.aborted; attempt++) {
      if ((await isOpen(target, signal)) && (isPathAsked || (await answers(target, signal, hear)))) break
      await new Promise((resolve) => setTimeout(resolve, attempt < quickProbes ? 8 : 250).unref())
    }
    if (signal.aborted) return
    if (target.healthChecks.length > 0) {
      set(target, { kind: 'checking' })
      const failure = await healthOf(target, signal)
      if (signal.aborted) return
      if (failure !== undefined) return set(target, { kind: 'unhealthy', failure })
    }
    set(target, { kind: 'up' })
  }

  const healthOf = async (target: BootCheckTarget, signal: AbortSignal): Promise<string | undefined> => {
    const limit = AbortSignal.timeout(options.healthChecksTimeoutMs)
    try {
      return await checkHealth(target, AbortSignal.any([signal, limit]), (text) =>
        options.onFailedAttempt(target.containerId, text),
      )
    } catch (error) {
      if (signal.aborted) return undefined
      return limit.aborted
        ? `the checks were not over within ${options.healthChecksTimeoutMs / 1_000} seconds`
        : `the checks could not be made (${(error as Error).message})`
    }
  }

  const stop = (containerId: string) => {
    probing.get(containerId)?.abort()
    probing.delete(containerId)
  }

  return {
    look(target) {
      const state = states.get(target.containerId)
      if (state !== undefined) return state
      if (!probing.has(target.containerId)) {
        const controller = new AbortController()
        probing.set(target.containerId, controller)
        void probe(target, controller.signal)
      }
      return { kind: 'starting' }
    },
    markUp(containerId) {
      stop(containerId)
      states.set(containerId, { kind: 'up' })
    },
    forget(containerId) {
      stop(containerId)
      states.delete(containerId)
    },
    close() {
      for (const controller of probing.values()) controller.abort()
      probing.clear()
    },
  }
}

function isOpen(target: BootCheckTarget, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: target.address, port: target.port, timeout: 1_000 })
    const end = (open: boolean) => {
      signal.removeEventListener('abort', stop)
      socket.destroy()
      resolve(open)
    }
    const stop = () => end(false)
    signal.addEventListener('abort', stop, { once: true })
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
    socket.once('timeout', () => end(false))
  })
}

/** Any response counts, and so does a server of another protocol that answers with something else. */
function answers(
  target: BootCheckTarget,
  signal: AbortSignal,
  hear: (status: number) => Promise<void>,
): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request({
      host: target.address,
      port: target.port,
      path: '/',
      agent: false,
      signal,
      headers: checkHeaders(target.host, 'paas-boot-check'),
    })
    const end = (isUp: boolean) => {
      clearTimeout(timer)
      probe.destroy()
      resolve(isUp)
    }
    const timer = setTimeout(() => end(true), silentUpMs)
    probe.once('response', ({ statusCode = 200 }) => void hear(statusCode).finally(() => end(true)))
    probe.once('upgrade', () => end(true))
    probe.once('error', (error: NodeJS.ErrnoException) => end(error.code?.startsWith('HPE_') ?? false))
    probe.end()
  })
}
