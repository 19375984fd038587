/**
 * Knows which web dynos are up: one that has answered a request on its port, however it answered, is up for the rest of its
 * life. Looking at the port alone is not enough: servers bind before they have loaded the app, and may die of it.
 *
 * Probing is a hint that nudges the loop; what is remembered here is lost with the process and found out again.
 */
import { request } from 'node:http'
import net from 'node:net'

export interface BootCheckTarget {
  readonly containerId: string
  readonly address: string
  readonly port: number
  /** Sent as Host, so that apps that check it answer as they would. */
  readonly host: string
}

export interface BootChecks {
  /** True once the dyno has answered; begins probing when it is seen for the first time. */
  isUp(target: BootCheckTarget): boolean
  /** Takes a dyno as up without probing: it is in the route table already. */
  markUp(containerId: string): void
  forget(containerId: string): void
  close(): void
}

/** A server that takes the request and says nothing for this long is up too: it is only slow. */
const silentUpMs = 10_000
const quickProbes = 400

export function createBootChecks(onUp: (containerId: string) => void): BootChecks {
  const up = new Set<string>()
  const probing = new Map<string, AbortController>()

  const probe = async (target: BootCheckTarget, signal: AbortSignal) => {
    for (let attempt = 0; !signal.aborted; attempt++) {
      if ((await isOpen(target, signal)) && (await answers(target, signal))) {
        probing.delete(target.containerId)
        up.add(target.containerId)
        onUp(target.containerId)
        return
      }
      await new Promise((resolve) => setTimeout(resolve, attempt < quickProbes ? 8 : 250).unref())
    }
  }

  return {
    isUp(target) {
      if (up.has(target.containerId)) return true
      if (!probing.has(target.containerId)) {
        const controller = new AbortController()
        probing.set(target.containerId, controller)
        void probe(target, controller.signal)
      }
      return false
    },
    markUp(containerId) {
      probing.get(containerId)?.abort()
      probing.delete(containerId)
      up.add(containerId)
    },
    forget(containerId) {
      probing.get(containerId)?.abort()
      probing.delete(containerId)
      up.delete(containerId)
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
function answers(target: BootCheckTarget, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request({
      host: target.address,
      port: target.port,
      path: '/',
      agent: false,
      signal,
      headers: {
        host: target.host,
        'user-agent': 'paas-boot-check',
        'x-forwarded-proto': 'https',
        'x-forwarded-port': '443',
        'x-forwarded-for': '127.0.0.1',
        connection: 'close',
      },
    })
    const end = (isUp: boolean) => {
      clearTimeout(timer)
      probe.destroy()
      resolve(isUp)
    }
    const timer = setTimeout(() => end(true), silentUpMs)
    probe.once('response', () => end(true))
    probe.once('upgrade', () => end(true))
    probe.once('error', (error: NodeJS.ErrnoException) => end(error.code?.startsWith('HPE_') ?? false))
    probe.end()
  })
}
