/**
 * A client of a one-off dyno's terminal over a rendezvous connection, which is what Heroku's command line opens: after its
 * first line the bytes of the terminal, both ways, and nothing else.
 *
 * Heroku's client throws the first piece of what it gets away, so that is a greeting; it begins to send when it has seen it.
 * Its terminal's size is in the dyno's environment and never changes. Closing is the only word for an end there is.
 */
import { PassThrough } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { OneOff } from '../model/dyno.js'
import { type AttachClient, bufferedBytesMax } from './attach-session.js'
import type { AttachedDyno } from './deps.js'
import { exitStatusLineOf } from './exit-status-line.js'

const greeting = 'rendezvous\r\n'
/** Told by a client whose input has ended; a terminal makes an end of it by itself. */
const endOfTransmission = 0x04
/** A client that doesn't close after us by then is cut. */
const closeMs = 5_000

export function rendezvousClient(socket: TLSSocket, oneOff: OneOff): AttachClient {
  const statusLine = exitStatusLineOf(oneOff.command)
  let greeted = false
  // One at a time, each as a piece of its own.
  let turn = Promise.resolve()
  const write = (bytes: Buffer | string): Promise<void> => {
    turn = turn.then(
      () => new Promise((resolve) => (socket.writable ? socket.write(bytes, () => resolve()) : resolve())),
    )
    return turn
  }
  const greet = async () => {
    if (!greeted) await write(greeting)
    greeted = true
  }
  const close = async (exitCode: number) => {
    for (const piece of statusLine?.last(exitCode) ?? []) await write(piece)
    socket.end()
    // What we hold of the client's must be read to hear that it closes.
    socket.resume()
    const timer = setTimeout(() => socket.destroy(), closeMs).unref()
    socket.once('close', () => clearTimeout(timer))
  }
  return {
    stdin: readBytes(socket, oneOff.tty),
    left: new Promise((resolve) => (socket.destroyed ? resolve() : socket.once('close', () => resolve()))),
    isGone: () => !socket.writable,
    async joined(dyno) {
      // Before the client may send: what it types runs at the right size.
      if (oneOff.tty) await resize(dyno, oneOff.env)
      await greet()
    },
    async send(output, chunk) {
      const pieces = output === 'stdout' ? statusLine?.pieces(chunk) : undefined
      for (const piece of pieces ?? [chunk]) await write(piece)
    },
    finish: close,
    async fail(reason) {
      await greet()
      await write(`${reason}\r\n`)
      await close(1)
    },
  }
}

function readBytes(socket: TLSSocket, tty: boolean): PassThrough {
  const stdin = new PassThrough({ highWaterMark: bufferedBytesMax })
  stdin.on('drain', () => socket.resume())
  socket.on('data', (chunk: Buffer) => {
    if (stdin.writableEnded) return
    if (!tty && chunk.length === 1 && chunk[0] === endOfTransmission) stdin.end()
    else if (!stdin.write(chunk)) socket.pause()
  })
  socket.resume()
  return stdin
}

async function resize(dyno: AttachedDyno, { COLUMNS, LINES }: OneOff['env']): Promise<void> {
  const [columns, rows] = [Number(COLUMNS), Number(LINES)]
  const isSide = (side: number) => Number.isInteger(side) && side >= 1 && side <= 10_000
  if (isSide(columns) && isSide(rows)) await dyno.resize(columns, rows).catch(() => {})
}
