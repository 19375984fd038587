/**
 * A route table in HAProxy's terms: maps, servers and certificates, with nothing of files or sockets.
 *
 * The same shape is made from the table (what should be) and from a running HAProxy (what is); the difference of two
 * layouts, in `changes.ts`, is the list of commands that leads from one to the other.
 */
import { platformHosts } from './check-table.js'
import type { Placement } from './placement.js'

export interface Layout {
  /** Host name → slot name. A wildcard is written `*.example.com`. */
  readonly hosts: ReadonlyMap<string, string>
  /** Slot name → `<state>:<app id>:<app name>`; a command takes no value with a space. */
  readonly slots: ReadonlyMap<string, string>
  /** `<slot>/<server>` → `<address>:<port>`. */
  readonly servers: ReadonlyMap<string, string>
}

/** Slot of the platform's own hosts, and the backend that leads to API and git. */
export const platformSlot = 'platform'

export function slotName(slot: number): string {
  return `slot_${slot}`
}

export function layoutOf(placement: Placement, domain: string): Layout {
  const hosts = new Map<string, string>(platformHosts(domain).map((host) => [host, platformSlot]))
  const slots = new Map<string, string>([[platformSlot, 'up:-:-']])
  const servers = new Map<string, string>()
  for (const app of placement.apps) {
    const slot = slotName(app.slot)
    for (const host of inOrder(app.hosts, (name) => name)) hosts.set(host, slot)
    slots.set(slot, `${app.state}:${app.appId}:${app.appName}`)
    for (const backend of inOrder(app.backends, ({ name }) => name))
      servers.set(`${slot}/${backend.name}`, `${backend.address}:${backend.port}`)
  }
  return { hosts, slots, servers }
}

/** Most apps have one host and one dyno; a table of a thousand is laid out at every change. */
function inOrder<T>(items: readonly T[], nameOf: (item: T) => string): readonly T[] {
  if (items.length < 2) return items
  return [...items].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
}

/** Hosts that need a certificate: every one of the layout. */
export function certifiedHosts(layout: Layout): string[] {
  return [...layout.hosts.keys()].sort()
}
