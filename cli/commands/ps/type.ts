import { route } from '../../api-client.js'
import type { Formation } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { UsageError } from '../../errors.js'
import { formationRows, type FormationUpdate } from '../../formation-words.js'
import { action, appLabel, printTable } from '../../output.js'

export const psType = command({
  name: 'ps:type',
  aliases: ['ps:resize', 'resize', 'dyno:type', 'dyno:resize'],
  description: 'set the size of dynos, or show it',
  args: { change: { variadic: true, description: 'SIZE for all types, or TYPE=SIZE' } },
  flags: appFlags,
  examples: ['ps:type', 'ps:type standard-2x', 'ps:type web=standard-2x worker=standard-1x'],
  async run({ args, app: resolve, api }) {
    const app = await resolve()
    const path = route`/apps/${app}/formation`
    const formation = await api.list<Formation>(path)
    const updates = readSizes(args.change, formation)
    if (updates.length === 0) return formation
    const changed = await action(`Changing dyno sizes on ${appLabel(app, 'stderr')}`, () =>
      api.patch<Formation[]>(path, { updates }),
    )
    return formation.map((old) => changed.find((f) => f.type === old.type) ?? old)
  },
  print(formation) {
    printTable(['Process type', 'Size', 'Running'], formationRows(formation))
  },
})

function readSizes(words: readonly string[], formation: readonly Formation[]): FormationUpdate[] {
  const [only] = words
  if (only !== undefined && words.length === 1 && !only.includes('='))
    return formation.map(({ type }) => ({ type, size: only }))
  return words.map((word) => {
    const [, type, size] = /^([\w-]+)=([\w-]+)$/.exec(word) ?? []
    if (type === undefined || size === undefined)
      throw new UsageError(`${word} is invalid. Must be in the format standard-2x or web=standard-2x.`)
    return { type, size }
  })
}
