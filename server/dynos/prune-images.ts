/** Removes images that no kept release needs, so that the disk holds as many releases as can be rolled back to. */
import type { Config } from '../config.js'
import type { Logger } from '../lib/logger.js'
import { listAppIds } from '../store/apps.js'
import type { Database } from '../store/database.js'
import { listImageReferences, listPrunableSlugs, markSlugPruned } from '../store/releases.js'

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

export interface SweepContext extends PruneContext {
  listTags(repository: string): Promise<string[]>
}

/**
 * Removes images that no slug names: of a build whose control plane died before its release was written, or in the middle
 * of pruning. Only while nothing is built, which is at start.
 */
export async function sweepImages({ db, config, log, listTags, removeImage }: SweepContext): Promise<void> {
  try {
    const known = new Set(await listImageReferences(db))
    const tags = await listTags(`${config.instance}/app-*`)
    for (const tag of tags) if (!known.has(tag)) await removeImage(tag)
  } catch (error) {
    log.warn({ err: error }, 'images that no slug names could not be removed; trying again at the next start')
  }
}
