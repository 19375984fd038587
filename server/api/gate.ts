/**
 * The gate before every route: who asks, how often, and whether they may.
 *
 * It stands in `onRequest`, so that a body is read only from those who may send one. A route that doesn't say what it
 * permits stops the server from starting.
 */
import { createHash } from 'node:crypto'
import rateLimit from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { appFor, authenticate, type Permission, tokenOf } from '../actions/access.js'
import { notFound, PlatformError } from '../model/errors.js'
import type { Api, ApiContext } from './context.js'

const permissions: readonly Permission[] = ['public', 'account', 'app']

/** Call it before any route is declared. */
export async function addGate(api: Api, context: ApiContext): Promise<void> {
  const { platform } = context
  api.decorateRequest('principal', undefined)
  api.decorateRequest('targetApp', undefined)
  api.decorateRequest('callsLeft', platform.config.api.rateLimitPerMinute)
  await api.register(rateLimit, { global: false })
  const countRequest = api.createRateLimit({
    max: platform.config.api.rateLimitPerMinute,
    timeWindow: 60_000,
    keyGenerator: rateLimitKey,
  })

  api.addHook('onRoute', (route) => {
    const permission = route.config?.permission
    if (permission === undefined || !permissions.includes(permission))
      throw new Error(`route ${String(route.method)} ${route.url} declares no permission`)
    if ((permission === 'app') !== /\/:app(?:\/|$)/.test(route.url))
      throw new Error(`route ${String(route.method)} ${route.url}: permission 'app' and a parameter :app go together`)
    for (const method of [route.method].flat()) context.routes.push({ method, url: route.url, permission })
  })

  api.addHook('onRequest', async (request, reply) => {
    const permission = request.routeOptions.config.permission
    if (permission !== 'public') request.principal = await authenticate(platform, request.headers.authorization)
    await limitRate(request, reply, await countRequest(request))
    if (permission === 'public') return
    if (!request.principal) {
      reply.header('www-authenticate', 'Bearer realm="paas", Basic realm="paas"')
      throw new PlatformError('unauthorized', 'Invalid credentials provided.')
    }
    const params = request.params as Readonly<Record<string, string>>
    // The database refuses a NUL with an error of its own; nothing has one in its name.
    if (Object.values(params).some((value) => value.includes('\0'))) throw notFound('resource')
    if (permission === 'app') request.targetApp = await appFor(platform, request.principal.account, params.app ?? '')
  })
}

/** By token where it is a live one, else by address: invented tokens must not have a limit each. */
function rateLimitKey(request: FastifyRequest): string {
  const token = request.principal && tokenOf(request.headers.authorization)
  return token ? createHash('sha256').update(token).digest('base64') : request.ip
}

type Count = Awaited<ReturnType<ReturnType<Api['createRateLimit']>>>

async function limitRate(request: FastifyRequest, reply: FastifyReply, count: Count): Promise<void> {
  if (count.isAllowed) return
  reply.header('ratelimit-remaining', count.remaining)
  request.callsLeft = count.remaining
  if (!count.isExceeded) return
  reply.header('retry-after', count.ttlInSeconds)
  const whose = request.principal ? 'This token' : 'This address'
  throw new PlatformError(
    'rate_limit',
    `${whose} has made ${count.max} API calls within a minute; try again in ${count.ttlInSeconds} s.`,
  )
}
