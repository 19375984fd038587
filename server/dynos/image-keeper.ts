/**
 * Keeps the images that rows name, and no others. Two kinds are one too many: of releases too old to be rolled back to, and
 * of builds that came to nothing after their image was made (refused afterwards, cancelled, cut off by an outage or a death).
 * A pending build keeps its image, so those that nobody is at any more are ended first.
 */
import type { Config } from '../config.js'
import type { Logger } from '../lib/logger.js'
import { slugImageReference } from '../model/slug.js'
import { endAbandonedBuilds, listPendingBuilds } from '../store/builds.js'
import type { Database } from '../store/database.js'
import { listImageReferences, markPastSlugsPruned } from '../store/releases.js'

export interface ImageKeeperContext {
  readonly db: Database
  readonly config: Config
  readonly log: Logger
  readonly buildsUnderWay: ReadonlySet<string>
  listTags(repository: string): Promise<string[]>
  removeImage(reference: string): Promise<void>
}

export interface ImageKeeper {
  /** Asks for a look soon: a build has come to nothing. */
  nudge(): void
  /** Resolves after the look that is under way; none follows. */
  stop(): Promise<void>
}

const lookEveryMs = 10 * 60_000
const firstRetryMs = 1_000

/** Looks at once, then when nudged and now and then; after a look that failed again soon, then ever more rarely. */
export function createImageKeeper(context: ImageKeeperContext): ImageKeeper {
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> | undefined
  let askedAgain = false
  let failures = 0
  let stopped = false

  const lookIn = (ms: number) => {
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(look, ms)
  }
  const look = () => {
    if (looking !== undefined) {
      askedAgain = true
      return
    }
    askedAgain = false
    looking = keepImages(context)
      .then(
        () => {
          failures = 0
        },
        (err: unknown) => {
          failures++
          context.log.warn({ err }, 'builds and images could not be looked at; trying again')
        },
      )
      .then(() => {
        looking = undefined
        if (failures > 0) lookIn(Math.min(firstRetryMs * 2 ** (failures - 1), lookEveryMs))
        else lookIn(askedAgain ? 0 : lookEveryMs)
      })
  }
  look()
  return {
    nudge: () => {
      if (!stopped) look()
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await looking
    },
  }
}

async function keepImages(context: ImageKeeperContext): Promise<void> {
  const { db, config, listTags, removeImage } = context
  const abandoned = await endAbandonedBuilds(db, { underWay: context.buildsUnderWay })
  for (const build of abandoned)
    context.log.info({ app: build.appId, build: build.id }, 'a build that nobody was at has been ended')
  // The row first: a rollback that comes meanwhile is refused rather than failed.
  await markPastSlugsPruned(db, config.dynos.keepReleases)

  // In this order: what is built meanwhile was not there yet, or is pending, or has its slug.
  const tags = await listTags(`${config.instance}/app-*`)
  const pending = await listPendingBuilds(db)
  const wanted = new Set(await listImageReferences(db))
  for (const build of pending) wanted.add(slugImageReference(config.instance, build.appId, build.id))
  // By name, so that who sees one go knows that those before it were looked at.
  for (const tag of tags.sort()) if (!wanted.has(tag)) await removeImage(tag)
}
