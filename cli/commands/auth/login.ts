import type { Account } from '../../api-types.js'
import { ApiClient } from '../../api-client.js'
import { command } from '../../command.js'
import { ApiError, CliError } from '../../errors.js'
import { isLoopbackHost } from '../../loopback.js'
import { action, print, warn } from '../../output.js'
import { caFileOf } from '../../platform-ca.js'
import { ask, canAsk, readStdin } from '../../prompt.js'

export const login = command({
  name: 'login',
  aliases: ['auth:login'],
  description: 'log in to the platform with a token',
  details:
    'Checks the token with the platform and stores it for this account, readable by nobody else.\nWithout --token it is asked for, or read from standard input, which keeps it out of the list of processes.',
  flags: { token: { value: 'TOKEN', description: 'token to store' } },
  examples: ['login', 'login < token.txt'],
  async run({ flags, config, credentials }) {
    warnIfReadable(config.apiOrigin)
    const given =
      flags.token ?? (canAsk() ? await ask(`Token for ${config.apiOrigin}: `, { hidden: true }) : await readStdin())
    const token = given.trim()
    if (!/^[\x21-\x7e]+$/.test(token))
      throw new CliError(
        'No token given. Where paas is logged in already, paas authorizations:create --short makes one.',
      )
    const api = new ApiClient({ origin: config.apiOrigin, token: () => token, caFile: caFileOf(config) })
    const account = await action('Logging in', () => api.get<Account>('/account')).catch((error: unknown) => {
      throw error instanceof ApiError && error.status === 401 ? notAccepted(config.apiOrigin) : error
    })
    credentials.store({ token, email: account.email })
    if (config.apiKey !== undefined) warn('PAAS_API_KEY is set and goes before the stored token.')
    return { email: account.email }
  },
  print({ email }) {
    print(`Logged in as ${email}`)
  },
})

/** Whoever is logging in has no use for the advice to log in. */
function notAccepted(origin: string): CliError {
  return new CliError(
    `${origin} does not accept this token: it is incomplete, revoked or another platform's.\nWhere paas is logged in already, paas authorizations:create --short makes a new one.`,
  )
}

function warnIfReadable(origin: string): void {
  const { protocol, hostname } = new URL(origin)
  if (protocol === 'http:' && !isLoopbackHost(hostname))
    warn(`The token travels readable to ${origin}: use an https address.`)
}
