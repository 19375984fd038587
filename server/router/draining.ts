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
 * one of its sockets is away for an instant, or a reply is cut off: all are asked again until they answer, or are gone.
 * Throws when it stays so.
 */
export async function sessionsOf(slot: string, server: string, paths: RouterPaths): Promise<number> {
  let timesAway = 0
  for (const deadline = Date.now() + deadlineMs; ; await delay(pauseMs)) {
    const count = await tryToCount(`show stat ${slot} 4 -1`, server, paths)
    if (typeof count === 'number') return count
    timesAway = count === 'away' ? timesAway + 1 : 0
    if (timesAway === 2) return 0
    if (Date.now() > deadline) throw new Error('HAProxy does not say which requests are in flight')
  }
}

async function tryToCount(command: string, server: string, paths: RouterPaths): Promise<number | 'away' | 'unclear'> {
  try {
    // In this order: a process that begins to leave in between is counted by one answer or by both.
    const current = await askIfThere(paths.adminSocket, command)
    const processes = await askIfThere(paths.masterSocket, 'show proc')
    if (current === undefined && processes === undefined) return 'away'
    if (current === undefined || processes === undefined) return 'unclear'
    let sessions = parseSessions(current, server)
    for (const pid of parseProcesses(processes).leaving)
      sessions += parseSessions(await askLeaving(pid, command, paths), server)
    return sessions
  } catch (error) {
    if (isAway(error) || isCut(error)) return 'unclear'
    throw error
  }
}

/** Undefined where nobody listens. */
async function askIfThere(socketPath: string, command: string): Promise<string | undefined> {
  try {
    return await ask(socketPath, command)
  } catch (error) {
    if (isAway(error)) return undefined
    throw error
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
