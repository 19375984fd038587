import { type Api, principalOf } from '../context.js'
import { accountBody } from '../schemas/accounts.js'
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
}
