import Type from 'typebox'
import { notFound } from '../../model/errors.js'
import { runAttachSession } from '../attach-session.js'
import { websocketClient } from '../attach-websocket.js'
import type { Api, ApiContext, AttachTicket } from '../context.js'
import { refusals, strict } from '../schemas/common.js'

/** The terminal of an attached one-off dyno: the secret in the URL is the permission, and is used up by connecting. */
export function declareAttachRoute(api: Api, context: ApiContext): void {
  const claimed = new WeakMap<object, AttachTicket>()
  api.get(
    '/attach/:secret',
    {
      websocket: true,
      config: { permission: 'public' },
      schema: { params: strict({ secret: Type.String() }), response: refusals },
      // Before the upgrade, so that a refusal is an ordinary HTTP answer. A request that is none leaves the ticket alone.
      preHandler: async (request) => {
        const { secret } = request.params as { readonly secret: string }
        const ticket = request.ws ? context.attachTickets.claim(secret) : undefined
        if (!ticket) throw notFound('session', 'session; it can be opened once, within a minute. Run the command again')
        claimed.set(request, ticket)
      },
    },
    (socket, request) => {
      const ticket = claimed.get(request)
      if (!ticket) return socket.terminate()
      void runAttachSession(context, websocketClient(socket, context.timings.pingMs), ticket)
    },
  )
}
