/**
 * Where Heroku's command line comes to attach to a one-off dyno: a TLS listener of its own, since the protocol is not
 * HTTP. A client's first line is a ticket's secret, as it stands in the dyno's `attach_url`; whoever brings none in time is
 * cut without a word.
 */
import type { Socket } from 'node:net'
import tls, { type SecureContext, type TLSSocket } from 'node:tls'
import { rendezvousClient } from './attach-rendezvous.js'
import { runAttachSession } from './attach-session.js'
import type { ApiContext } from './context.js'
import type { RendezvousDeps } from './deps.js'

/** Connections at once, those that have said nothing yet among them. */
const connectionsMax = 500
const firstLineBytesMax = 256

export interface Rendezvous {
  /** A port that can't be had is logged, and then there is no rendezvous; nothing else depends on it. */
  listen(): Promise<void>
  /** Ends all sessions too. */
  close(): Promise<void>
}

/** Sets `context.rendezvous.port` for as long as it listens. */
export function createRendezvous(context: ApiContext, deps: RendezvousDeps): Rendezvous {
  const { platform, timings, rendezvous } = context
  const open = new Set<Socket>()
  const contextFor = async (host: string): Promise<SecureContext> => {
    const pem = await deps.certificatePem(host)
    return tls.createSecureContext({ cert: pem, key: pem })
  }
  const server = tls.createServer({
    minVersion: 'TLSv1.2',
    handshakeTimeout: timings.rendezvousLineMs,
    SNICallback: (host, done) => {
      contextFor(host).then(
        (found) => done(null, found),
        (error: Error) => {
          platform.log.error({ err: error }, 'there is no certificate for a rendezvous')
          done(error)
        },
      )
    },
  })
  server.maxConnections = connectionsMax
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    socket.setNoDelay(true)
    // The protocol has no pings; the system asks whether the other side is still there.
    socket.setKeepAlive(true, timings.pingMs)
  })
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  server.on('secureConnection', (socket) => {
    // A connection that breaks closes, and that is looked at.
    socket.on('error', () => {})
    void meet(context, socket)
  })
  return {
    async listen() {
      try {
        // Of clients that name no host.
        const pem = await deps.certificatePem('localhost')
        server.setSecureContext({ cert: pem, key: pem, minVersion: 'TLSv1.2' })
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject)
          server.listen(deps.port, deps.bind, () => {
            server.off('error', reject)
            resolve()
          })
        })
      } catch (err) {
        platform.log.error({ err, port: deps.port }, 'no rendezvous: the port could not be listened on')
        return
      }
      server.on('error', (err) => platform.log.error({ err }, 'rendezvous failed'))
      const address = server.address()
      rendezvous.port = typeof address === 'object' && address ? address.port : undefined
    },
    async close() {
      if (rendezvous.port === undefined) return
      rendezvous.port = undefined
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

async function meet(context: ApiContext, socket: TLSSocket): Promise<void> {
  const line = await readFirstLine(socket, context.timings.rendezvousLineMs)
  const ticket = line === undefined ? undefined : context.attachTickets.claim(line)
  if (ticket) await runAttachSession(context, rendezvousClient(socket, ticket.oneOff), ticket)
  else socket.destroy()
}

/** Without its end, and leaves what follows it to be read; undefined for one that is too long or late. */
function readFirstLine(socket: TLSSocket, withinMs: number): Promise<string | undefined> {
  let read: Buffer = Buffer.alloc(0)
  return new Promise((resolve) => {
    const end = (line?: string) => {
      clearTimeout(timer)
      socket.off('data', onData).off('close', onClose).pause()
      resolve(line)
    }
    const onClose = () => end()
    const onData = (chunk: Buffer) => {
      read = Buffer.concat([read, chunk])
      const at = read.subarray(0, firstLineBytesMax).indexOf('\n')
      if (at < 0) {
        if (read.length >= firstLineBytesMax) end()
        return
      }
      const rest = read.subarray(at + 1)
      end(read.toString('latin1', 0, at).replace(/\r$/, ''))
      if (rest.length > 0) socket.unshift(rest)
    }
    const timer = setTimeout(end, withinMs)
    socket.on('data', onData).on('close', onClose)
  })
}
