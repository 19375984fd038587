import type { Authorization } from '../../api-types.js'
import { command } from '../../command.js'
import { UsageError } from '../../errors.js'
import { action, print, printProperties } from '../../output.js'

export const authorizationsCreate = command({
  name: 'authorizations:create',
  description: 'create an API token',
  flags: {
    description: { short: 'd', value: 'TEXT', description: 'what the token is for' },
    'expires-in': { short: 'e', value: 'SECONDS', description: 'how long it is valid; for ever unless given' },
    scope: {
      short: 's',
      value: 'SCOPES',
      description: "what it may do: 'global', which is all that you may, and the only one",
    },
    short: { short: 'S', description: 'print the token only' },
  },
  examples: ["authorizations:create -d 'CI of my-app'", 'authorizations:create --short --expires-in 3600'],
  async run({ flags, api }) {
    const request = {
      ...(flags.description === undefined ? {} : { description: flags.description }),
      ...(flags['expires-in'] === undefined ? {} : { expires_in: readSeconds(flags['expires-in']) }),
      ...(flags.scope === undefined ? {} : { scope: flags.scope.split(',') }),
    }
    return action('Creating OAuth Authorization', () => api.post<Authorization>('/oauth/authorizations', request))
  },
  print(made, { flags }) {
    const token = made.access_token?.token
    if (flags.short) return print(token)
    const expires = made.access_token?.expires_in
    printProperties({
      ID: made.id,
      Description: made.description,
      Scope: made.scope.join(', '),
      Token: token,
      'Expires in': expires ? `${expires} s` : undefined,
    })
  },
})

function readSeconds(text: string): number {
  const seconds = Number(text)
  if (!Number.isInteger(seconds) || seconds < 1)
    throw new UsageError(`--expires-in is ${text}; it must be a whole number of seconds`)
  return seconds
}
