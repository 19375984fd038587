import { appFlags, command } from '../../command.js'
import { formatTime } from '../../format.js'
import { printHeader, printProperties } from '../../output.js'
import { getRelease } from '../../releases.js'

export const releasesInfo = command({
  name: 'releases:info',
  description: 'show one release',
  args: { release: { description: 'version, as in v12; the current one unless given' } },
  flags: appFlags,
  examples: ['releases:info', 'releases:info v12'],
  async run({ args, app, api }) {
    return getRelease(api, await app(), args.release)
  },
  print(release) {
    printHeader(`Release v${release.version}`)
    printProperties({
      'Add-ons': release.addon_plan_names?.length ? release.addon_plan_names : undefined,
      By: release.user?.email,
      Change: release.description,
      Status: release.current ? `${release.status}, current` : release.status,
      When: formatTime(release.created_at),
    })
  },
})
