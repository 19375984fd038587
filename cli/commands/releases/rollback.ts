import { route } from '../../api-client.js'
import type { Release } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { CliError } from '../../errors.js'
import { action, appLabel, warn } from '../../output.js'
import { getRelease, listReleases, targetRelease } from '../../releases.js'

export const releasesRollback = command({
  name: 'releases:rollback',
  aliases: ['rollback'],
  description: 'go back to an earlier release',
  details: 'Makes a release with the code and the config vars of the earlier one. Add-ons and their data stay.',
  args: { release: { description: 'version, as in v12; the one before the current unless given' } },
  flags: appFlags,
  examples: ['rollback', 'rollback v10'],
  async run({ args, app: resolve, api }) {
    const app = await resolve()
    const releases = await listReleases(api, app, 200)
    const current = targetRelease(releases)
    if (current === undefined) throw new CliError(`${app} has no releases yet. Deploy it with git push paas master.`)
    const target =
      args.release === undefined ? previousRelease(app, current, releases) : await getRelease(api, app, args.release)
    const made = await action(
      `Rolling back ${appLabel(app, 'stderr')} to v${target.version}`,
      () => api.post<Release>(route`/apps/${app}/releases`, { release: target.id }),
      (release) => `v${release.version}`,
    )
    warn(
      `Rollback affects code and config vars; it doesn't add or remove addons.\nTo undo, run: paas rollback v${current.version}`,
    )
    return made
  },
})

function previousRelease(app: string, current: Release, releases: readonly Release[]): Release {
  const earlier = releases.filter((release) => release.version < current.version && release.status === 'succeeded')
  const found = earlier.find((release) => release.eligible_for_rollback !== false)
  if (found === undefined) throw new CliError(`${app} has no earlier release to go back to. See paas releases.`)
  return found
}
