import { route } from '../../api-client.js'
import type { Authorization } from '../../api-types.js'
import { command } from '../../command.js'
import { action } from '../../output.js'

export const authorizationsRevoke = command({
  name: 'authorizations:revoke',
  aliases: ['authorizations:destroy'],
  description: 'end the validity of an API token',
  args: { id: { required: true, description: 'id of the authorization' } },
  examples: ['authorizations:revoke 105a7bfa-34c3-476e-873a-b1ac3fdc12fb'],
  run({ args, api }) {
    return action(
      'Revoking OAuth Authorization',
      () => api.delete<Authorization>(route`/oauth/authorizations/${args.id}`),
      (revoked) => `revoked authorization from ${revoked.description}`,
    )
  },
})
