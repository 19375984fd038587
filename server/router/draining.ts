/** Requests in flight on servers that are leaving or have left the table, and the end of those servers. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Memory } from './memory.js'
import { parseProcesses, parseSessions } from './observe.js'
import type { RouterPaths } from './paths.js'
import { ask, askLeaving, CommandRefused, isAway, isCut, tell } from './runtime-socket.js'

const deadlineMs = 5_000
const pauseMs = 20

/**
 * Sessions of one server, in all processes; 0 with no HAProxy running. Anybody may reload HAProxy at any moment, and then
 * one of its sockets is away for an instant: it is asked again until both answer, or neither. Throws when it stays so.
 */
export async function sessionsOf(slot: string, server: string, paths: RouterPaths): Promise<number> {
  const command = `show stat ${slot} 4 -1`
  for (const deadline = Date.now() + deadlineMs; ; await delay(pauseMs)) {
    // In this order: a process that begins to leave in between is counted by one answer or by both.
    const current = await askIfThere(paths.adminSocket, command)
    const processes = await askIfThere(paths.masterSocket, 'show proc')
    if (current === undefined && processes === undefined) return 0
    if (current !== undefined && processes !== undefined) {
      let sessions = parseSessions(current, server)
      for (const pid of parseProcesses(processes).leaving)
        sessions += parseSessions(await askLeaving(pid, command, paths), server)
      return sessions
    }
    if (Date.now() > deadline) throw new Error('HAProxy does not say which requests are in flight')
  }
}

/** Undefined where nobody listens. A reply that was cut off is asked for again: whoever gave it has a successor. */
async function askIfThere(socketPath: string, command: string): Promise<string | undefined> {
  for (const deadline = Date.now() + deadlineMs; ; await delay(pauseMs)) {
    try {
      return await ask(socketPath, command)
    } catch (error) {
      if (isAway(error)) return undefined
      if (!isCut(error) || Date.now() > deadline) throw error
    }
  }
}

/** Deletes the parked servers that have become idle, of the process that was last brought in step. */
export async function sweepParked(memory: Memory, paths: RouterPaths): Promise<void> {
  const held = memory.held()
  if (held === undefined) return
  const parked = new Set(held.parked)
  for (const server of held.parked) {
    const [slot = '', name = ''] = server.split('/')
    if (parseSessions(await ask(paths.adminSocket, `show stat ${slot} 4 -1`), name) > 0) continue
    try {
      await tell(paths.adminSocket, `del server ${server}`)
      parked.delete(server)
    } catch (error) {
      // A request may have left an idle connection behind a moment ago; there is a next time.
      if (!(error instanceof CommandRefused)) throw error
    }
  }
  memory.keep({ ...held, parked })
}
