import { type Api, principalOf } from '../context.js'
import { accountBody, rateLimitsBody } from '../schemas/accounts.js'
import { refusals } from '../schemas/common.js'
import { toAccount } from '../serialise/accounts.js'

export function declareAccountRoutes(api: Api): void {
  for (const url of ['/account', '/users/~'])
    api.get(
      url,
      {
        config: { permission: 'account' },
        schema: {
          tags: ['account'],
          summary: 'The account of the token.',
          response: { 200: accountBody, ...refusals },
        },
      },
      async (request) => toAccount(principalOf(request).account),
    )

  api.get(
    '/account/rate-limits',
    {
      config: { permission: 'account' },
      schema: {
        tags: ['account'],
        summary: 'How many API calls the token may still make within the minute.',
        response: { 200: rateLimitsBody, ...refusals },
      },
    },
    async (request) => ({ remaining: request.callsLeft }),
  )
}
