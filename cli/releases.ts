/** Finding releases, for the commands that name or make them. */
import { type ApiClient, route } from './api-client.js'
import type { Release } from './api-types.js'
import { CliError } from './errors.js'
import { paint } from './output.js'

/** The newest releases, newest first. */
export function listReleases(api: ApiClient, app: string, limit: number): Promise<Release[]> {
  return api.list<Release>(route`/apps/${app}/releases`, { range: 'version ..; order=desc', limit })
}

/** `v12` of the newest release; undefined for an app without one. */
export async function latestVersion(api: ApiClient, app: string): Promise<string | undefined> {
  const [newest] = await listReleases(api, app, 1)
  return newest === undefined ? undefined : `v${newest.version}`
}

/** The release of that name (`v12` or `12`), or the current one. */
export async function getRelease(api: ApiClient, app: string, name: string | undefined): Promise<Release> {
  if (name !== undefined) return api.get<Release>(route`/apps/${app}/releases/${name.replace(/^v(?=\d+$)/, '')}`)
  const newest = await listReleases(api, app, 100)
  const found = newest.find((release) => release.current) ?? newest[0]
  if (found === undefined) throw new CliError(`${app} has no releases yet. Deploy it with git push paas master.`)
  return found
}

/**
 * What the app runs or is about to run: its newest release that has not failed, one on its way included. Takes them newest
 * first; undefined for an app without one.
 */
export function targetRelease(releases: readonly Release[]): Release | undefined {
  return releases.find((release) => release.status !== 'failed') ?? releases[0]
}

/** How a release ended, when that is worth saying. */
export function releaseOutcome(release: Release): string {
  if (release.status === 'failed') return paint().red('release failed')
  return release.status === 'pending' ? paint().yellow('release pending') : ''
}
