import { command } from '../../command.js'
import { action } from '../../output.js'

export const logout = command({
  name: 'logout',
  aliases: ['auth:logout'],
  description: 'forget the stored token',
  details: 'The token itself stays valid; paas authorizations:revoke ends it.',
  examples: ['logout'],
  async run({ credentials, config }) {
    const wasLoggedIn = await action(`Logging out of ${config.apiOrigin}`, async () => credentials.forget())
    return { logged_out: wasLoggedIn }
  },
})
