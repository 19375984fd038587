/**
 * The HTTP API: Heroku's Platform API v3 at the root of its origin. `buildApi` only builds; who listens, and what else the
 * same server answers (git), is the composition root's.
 *
 * The API's routes live in one scope of their own with its gate, body parser and request log, so that another plugin's
 * routes stay outside. Request ids, errors and unknown paths are the same for both.
 */
import { randomUUID } from 'node:crypto'
import websocket from '@fastify/websocket'
import fastifyFactory, { type FastifyInstance } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { maxMessageBytes } from './attach-websocket.js'
import { addBodyParser } from './body-parser.js'
import { closeInTime } from './closing.js'
import { type Api, type ApiContext, createContext } from './context.js'
import type { ApiDeps } from './deps.js'
import { createErrorHandler, createFrameworkErrorHandler } from './error-handler.js'
import { addGate } from './gate.js'
import { addNotFoundHandler } from './not-found.js'
import { closeAfterOffers, RequestWithOffer } from './offered-upgrades.js'
import { addOpenApi } from './openapi.js'
import { createRendezvous } from './rendezvous.js'
import { declareRoutes } from './routes/index.js'

/** Not listening and not ready yet: other plugins may be registered before `ready()` or `listen()`. */
export async function buildApi(deps: ApiDeps): Promise<FastifyInstance> {
  const { platform } = deps
  const context = createContext(deps)
  const fastify = fastifyFactory({
    logger: false,
    // The router stands before us on this machine; nobody else is believed.
    trustProxy: 'loopback',
    bodyLimit: platform.config.api.bodyBytes,
    exposeHeadRoutes: false,
    genReqId: () => randomUUID(),
    forceCloseConnections: 'idle',
    http: { headersTimeout: 20_000, IncomingMessage: RequestWithOffer },
    routerOptions: { maxParamLength: 1_000, ignoreTrailingSlash: true },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, allowUnionTypes: true } },
    frameworkErrors: createFrameworkErrorHandler(platform.log),
  })
  fastify.setErrorHandler(createErrorHandler(platform.log))
  fastify.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'request-id': request.id, 'x-request-id': request.id, 'x-content-type-options': 'nosniff' })
  })
  closeAfterOffers(fastify)
  fastify.decorate('apiRoutes', context.routes)
  addNotFoundHandler(fastify)
  await fastify.register(websocket, { options: { maxPayload: maxMessageBytes, perMessageDeflate: false } })
  await addOpenApi(fastify)
  await fastify.register(async (scope) => {
    const api = scope.withTypeProvider<TypeBoxTypeProvider>()
    addRequestLog(api, context)
    await addGate(api, context)
    addBodyParser(api, context.timings.bodyMs)
    declareRoutes(api, context)
  })
  fastify.addHook('preClose', async () => {
    context.attachTickets.clear()
    for (const stream of context.openStreams) stream.destroy()
  })
  if (deps.rendezvous) {
    const rendezvous = createRendezvous(context, deps.rendezvous)
    fastify.addHook('onReady', () => rendezvous.listen())
    fastify.addHook('preClose', () => rendezvous.close())
  }
  closeInTime(fastify, context.timings.closeMs)
  return fastify
}

/** Never the URL itself: it can hold a secret. */
function addRequestLog(api: Api, { platform }: ApiContext): void {
  api.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'private, no-store')
  })
  api.addHook('onResponse', async (request, reply) => {
    platform.log.debug(
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        account: request.principal?.account.email,
        app: request.targetApp?.name,
      },
      'API request',
    )
  })
}
