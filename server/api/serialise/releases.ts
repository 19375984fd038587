import type { App } from '../../model/app.js'
import type { Build } from '../../model/build.js'
import type { Release } from '../../model/release.js'
import type { Slug } from '../../model/slug.js'
import type { BuildBody, ReleaseBody, SlugBody } from '../schemas/releases.js'
import { userRef } from './accounts.js'
import { appRef } from './apps.js'
import { stackName, stackRef } from './catalogue.js'

/** What a release's own row doesn't say. */
export interface ReleaseFacts {
  readonly isCurrent: boolean
  readonly isSlugKept: boolean
  readonly planNames: readonly string[]
  readonly outputStreamUrl: string | null
}

export function toRelease(release: Release, app: App, facts: ReleaseFacts): ReleaseBody {
  return {
    id: release.id,
    version: release.version,
    app: appRef(app),
    addon_plan_names: [...facts.planNames],
    artifacts: [],
    created_at: release.createdAt.toISOString(),
    current: facts.isCurrent,
    description: release.description,
    eligible_for_rollback: release.status === 'succeeded' && facts.isSlugKept,
    failure: release.failure ?? null,
    output_stream_url: facts.outputStreamUrl,
    slug: release.slugId === undefined ? null : { id: release.slugId },
    status: release.status,
    updated_at: release.updatedAt.toISOString(),
    user: userRef(release.accountId, release.accountEmail),
  }
}

export function toSlug(slug: Slug): SlugBody {
  return {
    id: slug.id,
    blob: { method: 'get', url: '' },
    buildpack_provided_description: slug.buildpacks.at(-1) ?? null,
    checksum: slug.imageId,
    commit: slug.commit === '' ? null : slug.commit,
    commit_description: slug.commitDescription === '' ? null : slug.commitDescription,
    created_at: slug.createdAt.toISOString(),
    process_types: { ...slug.processTypes },
    size: slug.sizeBytes,
    stack: stackRef(slug.stack),
    updated_at: slug.createdAt.toISOString(),
  }
}

export function toBuild(build: Build, outputStreamUrl: string): BuildBody {
  return {
    id: build.id,
    app: { id: build.appId },
    buildpacks: build.buildpacks.length === 0 ? null : build.buildpacks.map((name) => ({ name, url: name })),
    created_at: build.createdAt.toISOString(),
    failure: build.failure ?? null,
    output_stream_url: outputStreamUrl,
    release: build.releaseId === undefined ? null : { id: build.releaseId },
    slug: build.slugId === undefined ? null : { id: build.slugId },
    source_blob: {
      checksum: null,
      url: '',
      version: build.commit === '' ? null : build.commit,
      version_description: build.commitDescription === '' ? null : build.commitDescription,
    },
    stack: stackName,
    status: build.status,
    updated_at: build.updatedAt.toISOString(),
    user: userRef(build.accountId, build.accountEmail),
  }
}
