/**
 * The lines of commands that lead a running HAProxy from one layout to another. Pure, and tested as text.
 *
 * Their order is what keeps every request whole at every line: servers come before the state that uses them, the state
 * before the hosts that lead to it; on the way out hosts go first, and a server is taken out of the rotation last. A
 * server that leaves is only parked (maintenance: nothing new reaches it, what runs goes on); deleting it is for later,
 * when it is idle.
 */
import type { Layout } from './layout.js'
import type { RouterPaths } from './paths.js'

/** Options of every dyno's server. */
export const serverDefaults = [
  // After three failed connections in a row a failed connect check drops a dead dyno, with nobody's help and in about a
  // second; a dyno that can be reached is hardly asked.
  'check inter 10s fastinter 1s downinter 1s rise 1 fall 3 observe layer4 error-limit 3 on-error sudden-death',
  // Idle connections are given up within about a second, before apps close theirs after two or five.
  'pool-max-conn 128 pool-purge-delay 100ms',
].join(' ')

/**
 * A connection is reused under the same name only. The name is `txn.own` (see `render-frontend.ts`), and asking for it
 * adds a number to it: a first attempt gets nought where connections may be shared, a second never what another has.
 */
export const connectionName = 'pool-conn-name var(txn.own),add(txn.number),set-var(txn.own),sub(txn.number)'

/** A server that exists but takes no requests. */
export type ParkedServers = ReadonlySet<string>

export function changes(from: Layout, to: Layout, parked: ParkedServers, paths: RouterPaths): string[] {
  return [
    ...joiningServers(from, to, parked),
    ...entries(paths.slotsMap, from.slots, to.slots),
    ...entries(paths.hostsMap, from.hosts, to.hosts),
    ...gone(paths.hostsMap, from.hosts, to.hosts),
    ...gone(paths.slotsMap, from.slots, to.slots),
    ...leavingServers(from, to),
  ]
}

function joiningServers(from: Layout, to: Layout, parked: ParkedServers): string[] {
  const commands: string[] = []
  if (from.servers === to.servers) return commands
  for (const [server, address] of to.servers) {
    const known = from.servers.get(server)
    if (known === address) continue
    const [ip, port] = address.split(':')
    if (known !== undefined) commands.push(`set server ${server} addr ${ip} port ${port}`)
    else if (parked.has(server))
      commands.push(
        `set server ${server} addr ${ip} port ${port}`,
        // A line that was cut short may have left it without its checks.
        `enable health ${server}; enable server ${server}`,
      )
    // One line is one connection to HAProxy, which a busy one gets to once a turn.
    else
      commands.push(
        `add server ${server} ${address} ${serverDefaults} ${connectionName}; enable health ${server}; enable server ${server}`,
      )
  }
  return commands
}

function leavingServers(from: Layout, to: Layout): string[] {
  return [...from.servers.keys()]
    .filter((server) => !to.servers.has(server))
    .map((server) => `set server ${server} state maint`)
}

function entries(map: string, from: ReadonlyMap<string, string>, to: ReadonlyMap<string, string>): string[] {
  const commands: string[] = []
  if (from === to) return commands
  for (const [key, value] of to) {
    const known = from.get(key)
    if (known === undefined) commands.push(`add map ${map} ${key} ${value}`)
    else if (known !== value) commands.push(`set map ${map} ${key} ${value}`)
  }
  return commands
}

function gone(map: string, from: ReadonlyMap<string, string>, to: ReadonlyMap<string, string>): string[] {
  if (from === to) return []
  return [...from.keys()].filter((key) => !to.has(key)).map((key) => `del map ${map} ${key}`)
}
