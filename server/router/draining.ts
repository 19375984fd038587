/** Requests in flight on servers that are leaving or have left the table, and the end of those servers. */
import type { Memory } from './memory.js'
import { parseSessions } from './observe.js'
import type { RouterPaths } from './paths.js'
import { ask, askLeaving, CommandRefused, isAway, tell } from './runtime-socket.js'

/** Sessions of one server, in all processes; 0 with no HAProxy running. */
export async function sessionsOf(slot: string, server: string, memory: Memory, paths: RouterPaths): Promise<number> {
  const command = `show stat ${slot} 4 -1`
  try {
    let sessions = parseSessions(await ask(paths.adminSocket, command), server)
    for (const pid of memory.leaving()) sessions += parseSessions(await askLeaving(pid, command, paths), server)
    return sessions
  } catch (error) {
    if (isAway(error)) return 0
    throw error
  }
}

/** Deletes the parked servers that have become idle, of the process that was last brought in step. */
export async function sweepParked(memory: Memory, paths: RouterPaths): Promise<void> {
  const held = memory.held()
  if (held === undefined) return
  if (memory.leaving().length > 0) await memory.lookForLeaving()
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
