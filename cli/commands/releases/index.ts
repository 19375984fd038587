import { appFlags, command } from '../../command.js'
import { UsageError } from '../../errors.js'
import { alignColumns, formatTime } from '../../format.js'
import { appLabel, paint, print, printHeader } from '../../output.js'
import { listReleases, releaseOutcome } from '../../releases.js'

export const releases = command({
  name: 'releases',
  aliases: ['releases:list'],
  description: 'list the newest releases of an app',
  flags: { ...appFlags, num: { short: 'n', value: 'COUNT', description: 'releases to list; 15 unless given' } },
  examples: ['releases', 'releases -n 50', 'releases --json'],
  async run({ flags, app, api }) {
    const count = Number(flags.num ?? 15)
    if (!Number.isInteger(count) || count < 1) throw new UsageError(`--num is ${flags.num}; it must be a whole number`)
    return listReleases(api, await app(), count)
  },
  async print(found, { app }) {
    const label = appLabel(await app())
    if (found.length === 0) return print(`${label} has no releases.`)
    const current = found.find((release) => release.current)
    printHeader(`${label} Releases${current === undefined ? '' : ` - Current: ${paint().blue(`v${current.version}`)}`}`)
    const rows = found.map((release) => [
      release.current ? paint().green(`v${release.version}`) : `v${release.version}`,
      [release.description, releaseOutcome(release)].filter((part) => part !== '').join(' '),
      release.user?.email ?? '',
      formatTime(release.created_at),
    ])
    for (const line of alignColumns(rows)) print(line)
  },
})
