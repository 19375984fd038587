/** Finding builds. */
import { type ApiClient, route } from './api-client.js'
import type { Build } from './api-types.js'
import { CliError } from './errors.js'
import { paint } from './output.js'

/** The app's builds, newest first. */
export async function listBuilds(api: ApiClient, app: string): Promise<Build[]> {
  const builds = await api.list<Build>(route`/apps/${app}/builds`)
  return builds.sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at))
}

/** The build of that id, or the newest. */
export async function getBuild(api: ApiClient, app: string, id: string | undefined): Promise<Build> {
  if (id !== undefined) return api.get<Build>(route`/apps/${app}/builds/${id}`)
  const [newest] = await listBuilds(api, app)
  if (newest === undefined) throw new CliError(`${app} has no builds yet. Deploy it with git push paas master.`)
  return newest
}

/** The status in its colour. */
export function buildStatus(build: Build): string {
  if (build.status === 'succeeded') return paint().green(build.status)
  return build.status === 'failed' ? paint().red(build.status) : paint().yellow(build.status)
}
