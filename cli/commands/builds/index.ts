import { listBuilds, buildStatus } from '../../builds.js'
import { appFlags, command } from '../../command.js'
import { UsageError } from '../../errors.js'
import { formatTime } from '../../format.js'
import { appLabel, print, printTable } from '../../output.js'

export const builds = command({
  name: 'builds',
  aliases: ['builds:list'],
  description: 'list the newest builds of an app',
  flags: { ...appFlags, num: { short: 'n', value: 'COUNT', description: 'builds to list; 15 unless given' } },
  examples: ['builds', 'builds -n 50'],
  async run({ flags, app, api }) {
    const count = Number(flags.num ?? 15)
    if (!Number.isInteger(count) || count < 1) throw new UsageError(`--num is ${flags.num}; it must be a whole number`)
    return (await listBuilds(api, await app())).slice(0, count)
  },
  async print(found, { app }) {
    if (found.length === 0) return print(`${appLabel(await app())} has no builds.`)
    const rows = found.map((build) => [
      build.id,
      buildStatus(build),
      build.source_blob?.version?.slice(0, 8) ?? '',
      build.user?.email ?? '',
      formatTime(build.created_at),
    ])
    printTable(['Build', 'Status', 'Version', 'By', 'Created'], rows)
  },
})
