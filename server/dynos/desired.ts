/** What should run of one app, read afresh from rows on every pass. */
import type { App } from '../model/app.js'
import type { OneOff } from '../model/dyno.js'
import type { FormationEntry } from '../model/formation.js'
import type { Release } from '../model/release.js'
import type { Slug } from '../model/slug.js'
import { findPendingBuild, type PendingBuild } from '../store/builds.js'
import { listAddOns, listAttachments } from '../store/add-ons.js'
import { findApp } from '../store/apps.js'
import type { Database } from '../store/database.js'
import { listDomains } from '../store/domains.js'
import { listLiveOneOffs } from '../store/dynos.js'
import { listFormation, listRestarts } from '../store/formations.js'
import { findCurrentRelease, findRelease, findSlug, findTargetRelease } from '../store/releases.js'

/** A release with the image it runs; one without a slug wants no dynos. */
export interface RunnableRelease extends Release {
  readonly slug: Slug | undefined
}

export interface DesiredApp {
  readonly app: App
  /** Newest release that has not failed. */
  readonly target: RunnableRelease | undefined
  /** Newest release that succeeded. */
  readonly current: RunnableRelease | undefined
  readonly formation: readonly FormationEntry[]
  /** `web.1`, `web` or empty for all → when a restart was last asked for. */
  readonly restarts: ReadonlyMap<string, Date>
  readonly oneOffs: readonly (OneOff & { readonly release: RunnableRelease })[]
  /** Host names, lower-case, without the platform's own for a destroyed app. */
  readonly hosts: readonly string[]
  /** False while an attached add-on is still being made: nothing new is started before. */
  readonly addOnsReady: boolean
  /** Names of the databases attached to it. */
  readonly databases: readonly string[]
  /** A push that is under way. */
  readonly pendingBuild: PendingBuild | undefined
}

/** Undefined when the app is gone altogether. */
export async function loadDesired(
  db: Database,
  appId: string,
  platformDomain: string,
): Promise<DesiredApp | undefined> {
  const app = await findApp(db, appId)
  if (!app) return undefined
  const slugs = new Map<string, Promise<Slug | undefined>>()
  const runnable = async (release: Release | undefined): Promise<RunnableRelease | undefined> => {
    if (!release) return undefined
    if (release.slugId === undefined) return { ...release, slug: undefined }
    const slug = slugs.get(release.slugId) ?? findSlug(db, release.slugId)
    slugs.set(release.slugId, slug)
    return { ...release, slug: await slug }
  }
  const [targetRow, currentRow, formation, restarts, oneOffRows, domains, attachments, pendingBuild] =
    await Promise.all([
      findTargetRelease(db, appId),
      findCurrentRelease(db, appId),
      listFormation(db, appId),
      listRestarts(db, appId),
      listLiveOneOffs(db, appId),
      listDomains(db, appId),
      listAttachments(db, { appId }),
      findPendingBuild(db, appId),
    ])
  const states = attachments.length === 0 ? [] : await listAddOns(db)
  const attached = new Set(attachments.map((a) => a.addOnId))
  const oneOffs = await Promise.all(
    oneOffRows.map(async (oneOff) => ({
      ...oneOff,
      release: (await runnable(await findRelease(db, appId, oneOff.releaseId))) as RunnableRelease,
    })),
  )
  const target = await runnable(targetRow)
  return {
    app,
    target,
    current: currentRow?.id === target?.id ? target : await runnable(currentRow),
    formation,
    restarts,
    oneOffs,
    hosts: app.destroyedAt ? [] : [`${app.name}.${platformDomain}`, ...domains.map((d) => d.hostname)],
    addOnsReady: !states.some((a) => attached.has(a.id) && a.state === 'provisioning'),
    databases: attachments.map((a) => a.addOnName),
    pendingBuild,
  }
}
