/** Which app a command acts on. */
import { listAppRemotes } from './app-remotes.js'
import type { CliConfig } from './config.js'
import type { Credentials } from './credentials.js'
import { UsageError } from './errors.js'

/**
 * The app named by `--app`, else by the git remote `--remote`, else by `PAAS_APP`, else by the only app that the git
 * remotes of the working folder belong to. A `UsageError` says what to add when that leaves none, or several.
 */
export async function resolveApp(
  flags: { readonly app?: string; readonly remote?: string },
  config: CliConfig,
  credentials: Credentials,
  commandName: string,
): Promise<string> {
  if (flags.app !== undefined) return flags.app
  if (flags.remote === undefined && config.app !== undefined) return config.app
  const remotes = await listAppRemotes(config, credentials)
  if (flags.remote !== undefined) {
    const found = remotes.find((r) => r.remote === flags.remote)
    if (found !== undefined) return found.app
    throw new UsageError(`The git remote ${flags.remote} does not lead to an app at ${config.apiOrigin}.`)
  }
  const apps = new Set(remotes.map((r) => r.app))
  const [only] = apps
  if (only !== undefined && apps.size === 1) return only
  if (only === undefined)
    throw new UsageError(
      `No app specified.\nRun this in an app's folder with a git remote, or name the app:\npaas ${commandName} --app my-app`,
    )
  const lines = remotes.map((r) => `    ${r.app} (${r.remote})`)
  throw new UsageError(
    `The git remotes here belong to several apps:\n${lines.join('\n')}\nName one: paas ${commandName} --remote ${remotes[0]?.remote}`,
  )
}

/** For commands that an app only helps: the app, or nothing where none is known. */
export async function resolveAppIfKnown(app: () => Promise<string>): Promise<string | undefined> {
  try {
    return await app()
  } catch (error) {
    if (error instanceof UsageError) return undefined
    throw error
  }
}
