import type { Authorization } from '../../api-types.js'
import { command } from '../../command.js'
import { alignColumns } from '../../format.js'
import { print } from '../../output.js'

export const authorizations = command({
  name: 'authorizations',
  aliases: ['authorizations:list'],
  description: 'list your API tokens',
  examples: ['authorizations'],
  async run({ api }) {
    const found = await api.list<Authorization>('/oauth/authorizations')
    return found.sort((a, b) => a.description.localeCompare(b.description))
  },
  print(found) {
    if (found.length === 0) return print('No authorizations.')
    for (const line of alignColumns(found.map((a) => [a.description, a.id, a.scope.join(',')]))) print(line)
  },
})
