/** The part of Heroku's data API that `pg:info` and `pg:wait` ask. Its origin is the API's own. */
import { addOnFor } from '../../actions/access.js'
import type { AddOn } from '../../model/add-on.js'
import { notFound } from '../../model/errors.js'
import { type Api, type ApiContext, principalOf } from '../context.js'
import { addOnParams, databaseBody, waitStatusBody } from '../schemas/add-ons.js'
import { refusals } from '../schemas/common.js'
import { provisionMessage } from '../serialise/add-ons.js'

const tags = ['databases']

export function declareDatabaseRoutes(api: Api, context: ApiContext): void {
  const { platform } = context
  const databaseFor = async (request: Parameters<typeof principalOf>[0], reference: string): Promise<AddOn> => {
    const addOn = await addOnFor(platform, principalOf(request).account, reference)
    if (addOn.service !== 'heroku-postgresql') throw notFound('database')
    return addOn
  }

  api.get(
    '/client/v11/databases/:addon',
    {
      config: { permission: 'account' },
      schema: {
        tags,
        summary: 'What pg:info shows.',
        params: addOnParams,
        response: { 200: databaseBody, ...refusals },
      },
    },
    async (request) => {
      const addOn = await databaseFor(request, request.params.addon)
      const rows = await context.addOnInfo(addOn)
      return {
        id: addOn.id,
        name: addOn.name,
        plan: addOn.plan,
        info: rows.map((row) => ({ name: row.name, values: [...row.values] })),
        resource_url: null,
        'waiting?': addOn.state === 'provisioning',
        created_at: addOn.createdAt.toISOString(),
      }
    },
  )

  api.get(
    '/client/v11/databases/:addon/wait_status',
    {
      config: { permission: 'account' },
      schema: {
        tags,
        summary: 'Whether a database is still being made.',
        params: addOnParams,
        response: { 200: waitStatusBody, ...refusals },
      },
    },
    async (request) => {
      const addOn = await databaseFor(request, request.params.addon)
      return { 'waiting?': addOn.state === 'provisioning', message: provisionMessage(addOn) ?? 'available' }
    },
  )
}
