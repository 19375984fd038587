import type { Account } from '../../api-types.js'
import { command } from '../../command.js'
import { print, warn } from '../../output.js'

export const authWhoami = command({
  name: 'auth:whoami',
  aliases: ['whoami'],
  description: 'show who is logged in',
  examples: ['auth:whoami'],
  async run({ api, config }) {
    if (config.apiKey !== undefined) warn('PAAS_API_KEY is set.')
    const { id, email } = await api.get<Account>('/account')
    return { id, email }
  },
  print({ email }) {
    print(email)
  },
})
