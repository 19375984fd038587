/**
 * The way to a tenant's server: a socket in a folder that belongs to the server's user, opened by root. Whoever has taken
 * over that user may have put anything in its place: a link to another database's socket, which would let us in as well, or
 * a server of its own that answers without end.
 */
import { constants } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { Socket } from 'node:net'
import path from 'node:path'

/**
 * Bytes that a server may send in one connection. Our statements answer with a handful of short rows, some kB with what
 * PostgreSQL says of itself at the start; what is larger would only fill this process's memory.
 */
export const maxAnswerBytes = 1024 ** 2

/** Linux's O_PATH, which Node.js doesn't name: holds on to a file without opening what it leads to. */
const holdOnly = 0o10000000

export interface TenantSocket {
  /** Goes to the socket that was found, whatever it is told to connect to. */
  readonly stream: Socket
  close(): Promise<void>
}

/** Throws ENOENT when there is no socket yet, and a sentence when there is something else in its place. */
export async function openTenantSocket(socketDir: string): Promise<TenantSocket> {
  const address = path.join(socketDir, '.s.PGSQL.5432')
  if (!(await lstat(socketDir)).isDirectory()) throw notOurs(socketDir, 'a folder')
  const held = await open(address, holdOnly | constants.O_NOFOLLOW)
  try {
    if (!(await held.stat()).isSocket()) throw notOurs(address, 'a socket')
    const stream = boundedStream(held)
    const close = () => {
      stream.destroy()
      return held.close()
    }
    return { stream, close }
  } catch (error) {
    await held.close()
    throw error
  }
}

function notOurs(found: string, wanted: string): Error {
  return new Error(
    `${found} isn't ${wanted}, so no database server of ours made it. Find out who did, then remove the add-on's container.`,
  )
}

function boundedStream(held: FileHandle): Socket {
  const stream = new Socket()
  const connect = stream.connect.bind(stream)
  // By the file that was looked at, not by its name: the name could lead elsewhere by now.
  stream.connect = () => connect({ path: `/proc/self/fd/${held.fd}` })
  let received = 0
  stream.on('data', (chunk) => {
    received += chunk.length
    if (received > maxAnswerBytes)
      stream.destroy(
        new Error(`The database server sent more than ${maxAnswerBytes} bytes where a few were asked for.`),
      )
  })
  return stream
}
