/**
 * A route table in HAProxy's terms: maps, servers and certificates, with nothing of files or sockets.
 *
 * The same shape is made from the table (what should be) and from a running HAProxy (what is); the difference of two
 * layouts, in `changes.ts`, is the list of commands that leads from one to the other.
 */
import { remembered } from '../lib/remembered.js'
import { platformHosts } from './check-table.js'
import type { PlacedApp, Placement } from './placement.js'

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
    const part = partOf(app)
    for (const host of part.hosts) hosts.set(host, part.slot)
    slots.set(part.slot, part.state)
    for (const [server, address] of part.servers) servers.set(server, address)
  }
  return { hosts, slots, servers }
}

/**
 * The layout of the placement that comes after another, from the other's: as `layoutOf`, for the price of what differs. A
 * map in which nothing differs is the same object, so that what is made of it is made again only when it must be.
 */
export function nextLayout(placement: Placement, domain: string, before: Placement, of: Layout): Layout {
  const isAligned =
    placement.apps.length === before.apps.length &&
    placement.apps.every((app, at) => app.slot === before.apps[at]?.slot)
  if (!isAligned) return layoutOf(placement, domain)
  const pairs = placement.apps.flatMap((app, at) => {
    const was = before.apps[at]
    return was === undefined || was === app ? [] : [[partOf(was), partOf(app)] as const]
  })
  if (pairs.length === 0) return of
  if (pairs.some(([was, is]) => was.hosts.join() !== is.hosts.join())) return layoutOf(placement, domain)
  const states = pairs.filter(([was, is]) => was.state !== is.state).map(([, is]) => [is.slot, is.state] as const)
  const servers = new Map(of.servers)
  for (const [was, is] of pairs) {
    for (const [server] of was.servers) servers.delete(server)
    for (const [server, address] of is.servers) servers.set(server, address)
  }
  return { hosts: of.hosts, slots: states.length === 0 ? of.slots : new Map([...of.slots, ...states]), servers }
}

/** What one app adds to a layout. */
interface LayoutPart {
  readonly slot: string
  readonly hosts: readonly string[]
  readonly state: string
  readonly servers: readonly (readonly [server: string, address: string])[]
}

/** A table of a thousand apps is laid out at every change; most of them are as they were. */
const partOf = remembered((app: PlacedApp): LayoutPart => {
  const slot = slotName(app.slot)
  const backends = [...app.backends].sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    slot,
    hosts: [...app.hosts].sort(),
    state: `${app.state}:${app.appId}:${app.appName}`,
    servers: backends.map(({ name, address, port }) => [`${slot}/${name}`, `${address}:${port}`] as const),
  }
})

const sortedKeys = remembered((map: ReadonlyMap<string, string>): readonly string[] => [...map.keys()].sort())

/** `<slot>/<server>` and `<address>:<port>` of an app's servers, in the order of their names. */
export function serversOf(app: PlacedApp): LayoutPart['servers'] {
  return partOf(app).servers
}

/** Hosts that need a certificate: every one of the layout. */
export function certifiedHosts({ hosts }: Layout): readonly string[] {
  return sortedKeys(hosts)
}
