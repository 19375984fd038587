/** What every route file works with: the dependencies, and the few things the API keeps in memory for itself. */
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { oneOffName, stopDyno } from '../actions/one-offs.js'
import type { Permission, Principal } from '../actions/access.js'
import type { App } from '../model/app.js'
import type { OneOff } from '../model/dyno.js'
import { type AttachTickets, createAttachTickets } from './attach-tickets.js'
import { type ApiDeps, type ApiTimings, defaultTimings, type LogQuery } from './deps.js'
import { createUrlSecrets, type UrlSecrets } from './url-secrets.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; set on every route but the public ones. */
    principal: Principal | undefined
    /** The app that `:app` names; set on routes with permission `app`. */
    targetApp: App | undefined
    /** API calls that may follow this one within the minute. */
    callsLeft: number
  }
  interface FastifyContextConfig {
    permission?: Permission
    /** A sentence for other methods on this path: what it would be for is not here. */
    absent?: string
  }
  interface FastifyInstance {
    /** Every route of the API with what it permits, for the test that walks them all. */
    readonly apiRoutes: readonly ApiRoute[]
  }
}

export interface ApiRoute {
  readonly method: string
  readonly url: string
  readonly permission: Permission
}

/** Fastify with types from schemas. */
export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

export interface LogSession extends LogQuery {
  readonly appId: string
  readonly accountId: string
  readonly authorizationId: string
  readonly tail: boolean
}

/** A build's or a release's output. */
export interface OutputSession {
  readonly kind: 'build' | 'release'
  readonly appId: string
  readonly id: string
}

export interface AttachTicket {
  readonly app: App
  readonly oneOff: OneOff
}

export interface ApiContext extends Omit<ApiDeps, 'rendezvous'> {
  readonly timings: ApiTimings
  readonly logSessions: UrlSecrets<LogSession>
  readonly outputs: UrlSecrets<OutputSession>
  readonly attachTickets: AttachTickets<AttachTicket>
  /** Its port while it listens. */
  readonly rendezvous: { port: number | undefined }
  /** Open streams that only end when their client leaves; the API ends them when it closes. */
  readonly openStreams: Set<{ destroy(): void }>
  readonly routes: ApiRoute[]
}

export function createContext(deps: ApiDeps): ApiContext {
  const timings = { ...defaultTimings, ...deps.timings }
  return {
    ...deps,
    timings,
    logSessions: createUrlSecrets(),
    outputs: createUrlSecrets(),
    attachTickets: createAttachTickets(timings.attachMs, (ticket) => stopOneOff(deps, ticket)),
    rendezvous: { port: undefined },
    openStreams: new Set(),
    routes: [],
  }
}

/** Stops an attached one-off whose client is gone; one that has ended already is fine. */
export function stopOneOff({ platform }: Pick<ApiDeps, 'platform'>, { app, oneOff }: AttachTicket): void {
  stopDyno(platform, app, oneOffName(oneOff)).catch((error: unknown) => {
    platform.log.debug({ err: error, app: app.name, oneOff: oneOff.id }, 'an abandoned one-off was not stopped')
  })
}

/** Who asks. The gate has set it before any handler of a route that isn't public. */
export function principalOf(request: FastifyRequest): Principal {
  if (!request.principal) throw new Error('a public route asked for its principal')
  return request.principal
}

/** The app that the path names, theirs to use. */
export function appOf(request: FastifyRequest): App {
  if (!request.targetApp) throw new Error('a route without permission app asked for its app')
  return request.targetApp
}
