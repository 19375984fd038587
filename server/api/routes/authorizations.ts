import type { FastifyRequest } from 'fastify'
import { tokenOf } from '../../actions/access.js'
import { createAuthorization, revokeAuthorization } from '../../actions/authorizations.js'
import type { Authorization } from '../../model/account.js'
import { notFound } from '../../model/errors.js'
import { findAuthorization, listAuthorizations } from '../../store/accounts.js'
import { type Api, type ApiContext, principalOf } from '../context.js'
import { readWholeNumbers } from '../lenient.js'
import { sendPage } from '../pages.js'
import { authorizationBody, authorizationParams, createAuthorizationBody } from '../schemas/accounts.js'
import { listOf, refusals, strict } from '../schemas/common.js'
import { toAuthorization } from '../serialise/accounts.js'
import Type from 'typebox'

const permission = 'account'
const tags = ['authorizations']

export function declareAuthorizationRoutes(api: Api, context: ApiContext): void {
  const { platform } = context

  api.get(
    '/oauth/authorizations',
    { config: { permission }, schema: { tags, summary: "The account's tokens.", response: listOf(authorizationBody) } },
    async (request, reply) => {
      const { account, authorizationId } = principalOf(request)
      const all = await listAuthorizations(platform.db, account.id)
      // Clients find the one they use by its token, to revoke it on logging out; they learn none that they don't have.
      const own = tokenOf(request.headers.authorization)
      return sendPage(
        request,
        reply,
        all.map((one) => toAuthorization(one, new Date(), one.id === authorizationId ? own : undefined)),
      )
    },
  )

  api.post(
    '/oauth/authorizations',
    {
      config: { permission },
      preValidation: readWholeNumbers('expires_in'),
      schema: {
        tags,
        summary: 'Make a token. It is shown in this answer only.',
        body: createAuthorizationBody,
        response: { 201: authorizationBody, ...refusals },
      },
    },
    async (request, reply) => {
      const made = await createAuthorization(platform, principalOf(request).account, {
        description: request.body?.description ?? '',
        expiresInSeconds: request.body?.expires_in ?? undefined,
        scope: request.body?.scope ?? [],
      })
      reply.code(201)
      return toAuthorization(made.authorization, new Date(), made.token)
    },
  )

  declareOneAuthorization(api, context)
}

function declareOneAuthorization(api: Api, context: ApiContext): void {
  const { platform } = context

  api.get(
    '/oauth/authorizations/:authorization',
    {
      config: { permission },
      schema: {
        tags,
        summary: 'One token.',
        params: authorizationParams,
        response: { 200: authorizationBody, ...refusals },
      },
    },
    async (request) =>
      toAuthorization(await authorizationOf(context, request, request.params.authorization), new Date()),
  )

  api.delete(
    '/oauth/authorizations/:authorization',
    {
      config: { permission },
      schema: {
        tags,
        summary: 'Revoke a token.',
        params: authorizationParams,
        response: { 200: authorizationBody, ...refusals },
      },
    },
    async (request) => {
      const authorization = await authorizationOf(context, request, request.params.authorization)
      await revokeAuthorization(platform, principalOf(request).account, authorization.id)
      return toAuthorization(authorization, new Date())
    },
  )

  api.delete(
    '/oauth/sessions/:session',
    {
      config: { permission },
      schema: {
        tags,
        summary: 'Browser sessions do not exist here; logging out revokes a token.',
        params: strict({ session: Type.String() }),
        response: refusals,
      },
    },
    async () => {
      throw notFound('session')
    },
  )
}

/** One of the caller's own, by id or `~`. */
async function authorizationOf(
  { platform }: ApiContext,
  request: FastifyRequest,
  reference: string,
): Promise<Authorization> {
  const { account, authorizationId } = principalOf(request)
  const found = await findAuthorization(platform.db, account.id, reference === '~' ? authorizationId : reference)
  if (!found) throw notFound('authorization')
  return found
}
