/** The ordered list of an app's buildpacks, and the words about it. */
import { type ApiClient, route } from './api-client.js'
import type { BuildpackInstallation } from './api-types.js'
import { UsageError } from './errors.js'
import { print } from './output.js'

/** Names or URLs of the app's buildpacks, in the order in which they run. */
export async function listBuildpacks(api: ApiClient, app: string): Promise<string[]> {
  return toNames(await api.list<BuildpackInstallation>(route`/apps/${app}/buildpack-installations`))
}

/** Puts this list in place of the app's and returns it as the platform has it. */
export async function replaceBuildpacks(api: ApiClient, app: string, buildpacks: readonly string[]): Promise<string[]> {
  const updates = buildpacks.map((buildpack) => ({ buildpack }))
  return toNames(await api.put<BuildpackInstallation[]>(route`/apps/${app}/buildpack-installations`, { updates }))
}

function toNames(installations: readonly BuildpackInstallation[]): string[] {
  return [...installations].sort((a, b) => a.ordinal - b.ordinal).map((i) => i.buildpack.name || i.buildpack.url)
}

/** Reads a place in the list, from 1; a place behind the end means the end. */
export function readIndex(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const index = Number(text)
  if (!Number.isInteger(index) || index < 1)
    throw new UsageError(`--index is ${text}; it must be a whole number from 1 on`)
  return index
}

/** Says what the next release is built with. */
export function printBuildpackChange(what: string, app: string, buildpacks: readonly string[]): void {
  const next = `Buildpack ${what}. Next release on ${app} will`
  if (buildpacks.length === 0) {
    print(`${next} detect its buildpack.`)
    return
  }
  if (buildpacks.length === 1) print(`${next} use ${buildpacks[0]}.`)
  else print(`${next} use:\n${buildpacks.map((name, i) => `  ${i + 1}. ${name}`).join('\n')}`)
  print(
    `Run git push paas master to create a new release using ${buildpacks.length === 1 ? 'this buildpack' : 'these buildpacks'}.`,
  )
}
