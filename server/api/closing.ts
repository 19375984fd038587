/**
 * Lets the server close within a bounded time. Node waits for connections that have sent nothing yet as for any other, and
 * clients open such ahead of need; so they are ended at once, and what is still busy after a grace is cut.
 */
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

export function closeInTime(fastify: FastifyInstance, graceMs: number): void {
  const unused = new Set<Socket>()
  fastify.server.on('connection', (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  const used = (request: { readonly socket: Socket }) => unused.delete(request.socket)
  fastify.server.on('request', used)
  fastify.server.on('upgrade', used)
  fastify.addHook('preClose', async () => {
    for (const socket of unused) socket.destroy()
    setTimeout(() => fastify.server.closeAllConnections(), graceMs).unref()
  })
}
