/**
 * Which offers to change the protocol are taken: WebSocket's, and no other. curl, git and Java's client offer HTTP/2 (`h2c`)
 * with every request they make, and expect a server that doesn't know it to answer as if they hadn't (RFC 9110, 7.8).
 *
 * Node asks a request's `upgrade` whether to hand the connection over, and sets it for every offer as soon as anything
 * listens for upgrades. So requests here are of a class that says so for WebSocket only; the others stay ordinary ones,
 * with their bodies, on Node's own path for servers without upgrades.
 */
import { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'

const offers = new WeakSet<IncomingMessage>()

/** For `http.createServer`'s option of that name. */
export class RequestWithOffer extends IncomingMessage {
  /** Set by Node before it knows method and headers, so only the reading of it judges. */
  set upgrade(isOffered: boolean | null) {
    if (isOffered) offers.add(this)
  }

  get upgrade(): boolean {
    if (!offers.has(this)) return false
    return this.method === 'CONNECT' || (this.method === 'GET' && this.headers.upgrade?.toLowerCase() === 'websocket')
  }
}

/**
 * Ends the connection after the answer to an offer not taken. Node's parser drops what was pipelined behind it; a client
 * that is told of the end knows that nothing more was read, and sends it again.
 */
export function closeAfterOffers(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', async ({ raw }, reply) => {
    if (raw instanceof RequestWithOffer && offers.has(raw) && !raw.upgrade) reply.raw.setHeader('connection', 'close')
  })
}
