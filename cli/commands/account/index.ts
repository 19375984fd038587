import type { Account } from '../../api-types.js'
import { command } from '../../command.js'
import { printHeader, printProperties } from '../../output.js'

export const account = command({
  name: 'account',
  description: 'show the account',
  examples: ['account'],
  run({ api }) {
    return api.get<Account>('/account')
  },
  print(found) {
    printHeader(found.email)
    printProperties({ Name: found.name, ID: found.id })
  },
})
