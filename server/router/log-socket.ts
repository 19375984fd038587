/**
 * Where HAProxy sends its log: a socket in its jail, on which each line comes as `<length> <line>`.
 *
 * While nobody listens, lines wait in HAProxy's memory (4 MB, then the oldest go). HAProxy 3.0 doesn't notice that a
 * listener has gone away and would keep its lines for the old connection for ever, so a new listener first has it drop
 * that connection; it connects again within a second and goes on where it was. A process that a reload left behind
 * closes its connection at once: the requests it still finishes are the ones without a line.
 */
import { chmod } from 'node:fs/promises'
import net from 'node:net'
import { removeFile } from './durable-file.js'
import type { RouterPaths } from './paths.js'
import { ask, isAway } from './runtime-socket.js'

const longestLine = 65_536

/** Listens until the signal aborts, calling back each line in order. Throws when the socket can't be made. */
export async function followLog(
  paths: RouterPaths,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return
  const connections = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    connections.add(socket)
    const read = createFrameReader(onLine)
    socket.on('data', (chunk: Buffer) => {
      try {
        read(chunk)
      } catch {
        // A fresh connection starts at the start of a line.
        socket.destroy()
        dropFormerConnection(paths).catch(() => {})
      }
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => connections.delete(socket))
  })
  await removeFile(paths.logSocket)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(paths.logSocket, resolve)
  })
  // HAProxy connects as its own user; from outside only root gets at the folder.
  await chmod(paths.logSocket, 0o666)
  await dropFormerConnection(paths)
  await new Promise<void>((resolve) => {
    const stop = () => {
      for (const socket of connections) socket.destroy()
      server.close(() => resolve())
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

/** Cuts `<length> <line>` frames out of a byte stream. Throws when the stream isn't that. */
export function createFrameReader(onLine: (line: string) => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0)
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    let at = 0
    for (;;) {
      const space = pending.indexOf(0x20, at)
      if (space < 0 && pending.length - at < 8) break
      const length = Number(pending.subarray(at, Math.max(space, at)).toString('latin1'))
      if (!Number.isInteger(length) || length < 1 || length > longestLine)
        throw new Error('the access log is out of frame')
      if (pending.length < space + 1 + length) break
      onLine(pending.subarray(space + 1, space + 1 + length).toString('utf8'))
      at = space + 1 + length
    }
    pending = pending.subarray(at)
  }
}

/** Addresses of the sessions that may be a log connection: they have no client side. */
export function parseClientless(reply: string): string[] {
  return reply.split('\n').flatMap((line) => /^(0x[0-9a-f]+): proto=\? /.exec(line)?.[1] ?? [])
}

async function dropFormerConnection(paths: RouterPaths): Promise<void> {
  try {
    for (const session of parseClientless(await ask(paths.adminSocket, 'show sess'))) {
      const details = await ask(paths.adminSocket, `show sess ${session}`)
      if (/^ *frontend=access /m.test(details)) await ask(paths.adminSocket, `shutdown session ${session}`)
    }
  } catch (error) {
    if (!isAway(error)) throw error
  }
}
