import { command } from '../../command.js'
import { CliError } from '../../errors.js'
import { print } from '../../output.js'

export const authToken = command({
  name: 'auth:token',
  description: 'print the token in use',
  examples: ['auth:token'],
  async run({ credentials, config }) {
    const token = credentials.token()
    if (token === undefined) throw new CliError(`You are not logged in to ${config.apiOrigin}. Run paas login.`)
    return { token }
  },
  print({ token }) {
    print(token)
  },
})
