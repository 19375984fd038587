/** What anybody may ask: is it well, what does it offer, whom does it trust. */
import Type from 'typebox'
import type { Api, ApiContext } from '../context.js'
import { openapiDocument } from '../openapi.js'
import { refusals, text } from '../schemas/common.js'
import { healthBody } from '../schemas/platform.js'

export function declarePublicRoutes(api: Api, context: ApiContext): void {
  api.get(
    '/health',
    {
      config: { permission: 'public' },
      schema: {
        tags: ['platform'],
        summary: 'Whether the platform is ready; 503 while it is not.',
        response: { 200: healthBody, 503: healthBody, '4xx': refusals['4xx'] },
      },
    },
    async (_request, reply) => {
      const { ready, missing } = await context.health()
      reply.code(ready ? 200 : 503)
      return { status: ready ? ('ok' as const) : ('starting' as const), missing: [...missing] }
    },
  )

  let document: Record<string, unknown> | undefined
  api.get(
    '/openapi.json',
    {
      config: { permission: 'public' },
      schema: {
        tags: ['platform'],
        summary: 'This API as an OpenAPI 3.1 document.',
        response: {
          200: Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true }),
          ...refusals,
        },
      },
    },
    async () => {
      document ??= openapiDocument(api)
      return document
    },
  )

  api.get(
    '/certs/ca',
    {
      config: { permission: 'public' },
      schema: {
        tags: ['platform'],
        summary: "The certificate of the platform's own authority, as PEM.",
        response: { 200: text, ...refusals },
      },
    },
    async (_request, reply) => {
      reply.type('application/x-pem-file')
      return context.caCertificatePem()
    },
  )
}
