/** Removes images that no kept release needs, so that the disk holds as many releases as can be rolled back to. */
import type { Config } from '../config.js'
import type { Logger } from '../lib/logger.js'
import { listAppIds } from '../store/apps.js'
import type { Database } from '../store/database.js'
import { listPrunableSlugs, markSlugPruned } from '../store/releases.js'

export interface PruneContext {
  readonly db: Database
  readonly config: Config
  readonly log: Logger
  removeImage(reference: string): Promise<void>
}

/** The row first: a rollback that comes meanwhile is refused rather than failed. */
export async function pruneImages({ db, config, log, removeImage }: PruneContext): Promise<void> {
  try {
    for (const appId of await listAppIds(db))
      for (const slug of await listPrunableSlugs(db, appId, config.dynos.keepReleases)) {
        await markSlugPruned(db, slug.id)
        await removeImage(slug.imageReference)
      }
  } catch (error) {
    log.warn({ err: error }, 'old images could not be removed; trying again later')
  }
}
