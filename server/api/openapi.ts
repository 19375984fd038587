/** The OpenAPI document of the API, made from the routes' own schemas. */
import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import type { Permission } from '../actions/access.js'

const description = `Compatible with the Heroku Platform API v3: same paths, fields, error ids and pagination.
Send a token as \`Authorization: Bearer …\`, or as the password of Basic. Lists answer with 206 and a \`Next-Range\` header
when there is more; send it back as \`Range\`. Refusals are \`{id, message}\`.`

/** Call it before any route is declared. Routes without a tag are left out. */
export async function addOpenApi(fastify: FastifyInstance): Promise<void> {
  await fastify.register(swagger, {
    hideUntagged: true,
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Platform API', version: '3', description },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          basic: { type: 'http', scheme: 'basic' },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      const permission: Permission | undefined = route.config?.permission
      const security: Record<string, string[]>[] = permission === 'public' ? [] : [{ bearer: [] }, { basic: [] }]
      return { schema: { ...schema, security }, url }
    },
  })
}

/** The document; `fastify` must be ready. Same routes, same text: it can be compared with a committed one. */
export function openapiDocument(fastify: FastifyInstance): Record<string, unknown> {
  return fastify.swagger() as unknown as Record<string, unknown>
}
