/** From an image to a release, in one transaction. */
import type { BuiltImage } from '../build/builder.js'
import { failpoint } from '../lib/failpoint.js'
import type { AppManifest } from '../model/app-manifest.js'
import { dynoUid } from '../model/dyno-user.js'
import { defaultDynoSize, findDynoSize } from '../model/formation.js'
import type { ProcessTypes } from '../model/procfile.js'
import type { Release } from '../model/release.js'
import type { Platform } from '../platform.js'
import { setBuildRelease } from '../store/builds.js'
import { addFormationEntries } from '../store/formations.js'
import { insertSlug } from '../store/releases.js'
import type { Push } from './push-source.js'
import { createRelease, lockLiveApp } from './releases.js'

/** The pending release of what has been built, with its slug, its formation and the build's word that it led there. */
export async function insertDeployRelease(
  platform: Platform,
  push: Pick<Push, 'account' | 'app' | 'source'>,
  buildId: string,
  image: BuiltImage,
  processTypes: ProcessTypes,
  manifest: AppManifest,
): Promise<Release> {
  return platform.db.transaction(async (tx) => {
    await lockLiveApp(tx, push.app)
    const slug = await insertSlug(tx, {
      appId: push.app.id,
      commit: push.source.commit,
      commitDescription: push.source.description.slice(0, 500),
      imageId: image.imageId,
      imageReference: image.imageReference,
      sizeBytes: image.sizeBytes,
      processTypes,
      healthChecks: manifest.healthChecks.web,
      buildpacks: image.buildpacks,
      stack: image.stack,
      uid: dynoUid,
    })
    await addFormationEntries(
      tx,
      push.app.id,
      Object.keys(processTypes)
        .filter((type) => type !== 'release')
        .map((type) => {
          const wish = manifest.formation[type]
          return {
            type,
            quantity: Math.min(wish?.quantity ?? (type === 'web' ? 1 : 0), platform.config.dynos.perApp),
            size: wish?.size === undefined ? defaultDynoSize : sizeOrDefault(wish.size),
          }
        }),
    )
    const release = await createRelease(tx, push.app.id, {
      slugId: slug.id,
      description: `Deploy ${push.source.commit.slice(0, 8)}`,
      accountId: push.account.id,
    })
    await setBuildRelease(tx, buildId, slug.id, release.id)
    failpoint('push.before-release-commit')
    return release
  })
}

function sizeOrDefault(name: string): string {
  try {
    return findDynoSize(name).name
  } catch {
    return defaultDynoSize
  }
}
