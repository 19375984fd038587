/** The row of a build, from its beginning to its end, for the action that fills the time between. */
import type { Source } from '../build/source.js'
import type { Account } from '../model/account.js'
import type { App } from '../model/app.js'
import type { BuildStatus } from '../model/build.js'
import { PlatformError } from '../model/errors.js'
import type { Platform } from '../platform.js'
import { endAbandonedBuilds, endBuild, insertBuild } from '../store/builds.js'
import { isUniqueViolation } from '../store/database.js'

/** Undefined when the app has another build under way, which its pusher has been told. */
export async function beginBuild(
  platform: Platform,
  push: { readonly account: Account; readonly app: App; readonly source: Source },
  write: (text: string) => void,
): Promise<string | undefined> {
  try {
    // Pushes to an app come one at a time, so whatever is pending here is a push whose end could not be written.
    const abandoned = await endAbandonedBuilds(platform.db, push.app.id)
    if (abandoned.length > 0) platform.nudgeImages()
    const build = await insertBuild(platform.db, {
      appId: push.app.id,
      accountId: push.account.id,
      commit: push.source.commit,
      commitDescription: push.source.description.slice(0, 500),
      ref: push.source.ref,
    })
    platform.appLog(push.app.id, { source: 'app', dyno: 'api', text: `Build started by user ${push.account.email}` })
    return build.id
  } catch (error) {
    if (!isUniqueViolation(error, 'builds_pending')) throw error
    write('\n !     Another build of this app is under way. Wait for it to finish, then push again.\n')
    return undefined
  }
}

const outagePollMs = 500

/** A database that is away comes back; until then the answer would be a guess. */
export async function endThroughOutages(
  platform: Platform,
  buildId: string,
  end: Parameters<typeof endBuild>[2],
): Promise<BuildStatus> {
  for (;;) {
    try {
      return await endBuild(platform.db, buildId, end)
    } catch (error) {
      if (!(error instanceof PlatformError && error.id === 'unavailable')) throw error
      await new Promise((resolve) => setTimeout(resolve, outagePollMs))
    }
  }
}

/** For a fault of ours: ends the build and returns what is to be thrown. */
export async function abandon(
  platform: Platform,
  buildId: string,
  told: readonly string[],
  error: unknown,
): Promise<unknown> {
  await endBuild(platform.db, buildId, {
    status: 'failed',
    output: told.join(''),
    failure: 'the platform failed; its log says more',
  }).catch(() => {})
  platform.nudgeImages()
  return error
}
