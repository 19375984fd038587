/**
 * The row of a build, from its beginning to its end, for the action that fills the time between. A row whose end could not
 * be written is pending while nobody is at it: whoever is at one is in `platform.buildsUnderWay`, and the image keeper's
 * look ends the others.
 */
import { randomUUID } from 'node:crypto'
import type { Source } from '../build/source.js'
import type { Account } from '../model/account.js'
import type { App } from '../model/app.js'
import type { Platform } from '../platform.js'
import { endAbandonedBuilds, endBuild, insertBuild } from '../store/builds.js'
import { isUniqueViolation, throughOutages } from '../store/database.js'

/** Undefined when the app has another build under way, which its pusher has been told. Whoever gets an id calls `leaveBuild`. */
export async function beginBuild(
  platform: Platform,
  push: { readonly account: Account; readonly app: App; readonly source: Source },
  write: (text: string) => void,
): Promise<string | undefined> {
  const id = randomUUID()
  // Before there is a row, or a look between the two would take it for one that nobody is at.
  platform.buildsUnderWay.add(id)
  try {
    // Pushes to an app come one at a time, so whatever is pending here is a push whose end could not be written.
    const abandoned = await endAbandonedBuilds(platform.db, { appId: push.app.id })
    if (abandoned.length > 0) platform.nudgeImages()
    await insertBuild(platform.db, {
      id,
      appId: push.app.id,
      accountId: push.account.id,
      commit: push.source.commit,
      commitDescription: push.source.description.slice(0, 500),
      ref: push.source.ref,
    })
    platform.appLog(push.app.id, { source: 'app', dyno: 'api', text: `Build started by user ${push.account.email}` })
    return id
  } catch (error) {
    leaveBuild(platform, push.app.id, id, false)
    if (!isUniqueViolation(error, 'builds_pending')) throw error
    write('\n !     Another build of this app is under way. Wait for it to finish, then push again.\n')
    return undefined
  }
}

/** Nobody is at it any more. Unless it is known to have succeeded, a look ends its row, if need be, and removes its image. */
export function leaveBuild(platform: Platform, appId: string, buildId: string, hasSucceeded: boolean): void {
  platform.buildsUnderWay.delete(buildId)
  // What was made ready for its release command is not needed any more.
  platform.nudge(appId)
  if (!hasSucceeded) platform.nudgeImages()
}

/** For a fault of ours: ends the build as well as can be, and returns what is to be thrown. */
export async function abandon(
  platform: Platform,
  buildId: string,
  told: readonly string[],
  error: unknown,
): Promise<unknown> {
  const failure = 'the platform failed; its log says more'
  await throughOutages(() =>
    endBuild(platform.db, buildId, { status: 'failed', output: told.join(''), failure }),
  ).catch((err: unknown) => platform.log.warn({ err, build: buildId }, 'the end of a build could not be written'))
  return error
}
