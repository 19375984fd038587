/**
 * One push, from source to a live release, while the pusher waits and reads along. The answer decides whether git moves the
 * ref: yes only when the release is live. On every other way out the release before it keeps serving.
 *
 * Rows come first at each step, so a control plane that dies in the middle leaves a pending build, which the next one ends
 * as its release did, and a commit that is kept, so that a branch can still be led to what went live.
 */
import { failpoint } from '../lib/failpoint.js'
import type { BuiltImage } from '../build/builder.js'
import type { Source } from '../build/source.js'
import type { Account } from '../model/account.js'
import type { App } from '../model/app.js'
import type { AppManifest } from '../model/app-manifest.js'
import type { ProcessTypes } from '../model/procfile.js'
import type { Release } from '../model/release.js'
import { PlatformError } from '../model/errors.js'
import type { Platform } from '../platform.js'
import { endBuild, expectReleaseCommand } from '../store/builds.js'
import { throughOutages } from '../store/database.js'
import { findCurrentRelease, findNewestRelease, readConfigVars, settleRelease } from '../store/releases.js'
import { listAddOns } from '../store/add-ons.js'
import { createTimeline, type Timeline } from '../lib/timeline.js'
import { findPlan } from '../model/add-on.js'
import { createAddOn } from './add-ons.js'
import { abandon, beginBuild, leaveBuild } from './build-rows.js'
import { insertDeployRelease } from './deploy-release.js'
import { applyManifestVars, readProject, type Project } from './push-project.js'
import { announceRelease, awaitOutcome } from './releases.js'

export interface Push {
  readonly account: Account
  readonly app: App
  readonly source: Source
  /** The app's public address, for the last line. */
  readonly address: string
  write(text: string): void
  readonly signal: AbortSignal
}

/** Something about the push itself that its author has to change; already a sentence. */
class PushRefused extends Error {}

/** True when the commit is live. Everything there is to say has been written to the pusher. */
export async function pushSource(platform: Platform, push: Push): Promise<boolean> {
  const told: string[] = []
  let size = 0
  const write = (text: string) => {
    push.write(text)
    size += text.length
    if (size <= platform.config.build.outputBytes) told.push(text)
  }
  const buildId = await beginBuild(platform, push, write)
  if (buildId === undefined) return false
  let hasSucceeded = false
  try {
    hasSucceeded = await buildAndRelease(platform, push, buildId, { told, write })
    return hasSucceeded
  } finally {
    leaveBuild(platform, push.app.id, buildId, hasSucceeded)
  }
}

async function buildAndRelease(
  platform: Platform,
  push: Push,
  buildId: string,
  { told, write }: { readonly told: readonly string[]; write(text: string): void },
): Promise<boolean> {
  const startedAt = Date.now()
  failpoint('push.build-inserted')
  let failure: string | undefined
  let release: Release | undefined
  try {
    release = await deploy(platform, push, buildId, write, createTimeline())
    failure = release.status === 'succeeded' ? undefined : (release.failure ?? 'the release failed')
    if (failure === undefined)
      write(
        `       Released v${release.version} → ${push.address}     (${((Date.now() - startedAt) / 1000).toFixed(1)} s in all)\n`,
      )
  } catch (error) {
    if (!(error instanceof PushRefused) && !(error instanceof PlatformError))
      throw await abandon(platform, buildId, told, error)
    failure = error.message
    if (!(error instanceof AlreadyTold))
      write(`\n !     ${error.message}\n !     Push rejected; ${await whatServes(platform, push.app)}.\n`)
  }
  failpoint('push.before-build-finished')
  // Until the database is back, an answer would be a guess.
  const status = await throughOutages(() =>
    endBuild(platform.db, buildId, {
      status: failure === undefined ? 'succeeded' : 'failed',
      output: told.join(''),
      ...(failure === undefined ? {} : { failure }),
    }),
  )
  failpoint('push.build-finished')
  if (failure !== undefined && status === 'succeeded') write(' !     It had gone live by then, so the push stands.\n')
  return status === 'succeeded'
}

/** The builder has told the pusher the reason already. */
class AlreadyTold extends PushRefused {}

async function deploy(
  platform: Platform,
  push: Push,
  buildId: string,
  write: (text: string) => void,
  timeline: Timeline,
): Promise<Release> {
  const { app, account, source } = push
  write('-----> Building on paas-13\n')
  const project = await readProject(source).catch((error: Error) => {
    throw new PushRefused(error.message)
  })
  if (project.hasSubmodules)
    write(' !     Warning: submodules are not fetched; their folders are empty in the build.\n')
  for (const note of project.manifest.healthChecks.notes) write(`       Note: app.json: ${note}\n`)
  const isFirst = (await findNewestRelease(platform.db, app.id))?.slugId === undefined
  if (isFirst) await prepareFirst(platform, push, project.manifest, write)
  // After that, since an add-on that app.json asks for brings a network.
  if (project.procfile?.release !== undefined) {
    await expectReleaseCommand(platform.db, buildId)
    failpoint('push.command-expected')
    platform.nudge(app.id)
  }
  const newest = await findNewestRelease(platform.db, app.id)
  timeline.mark('read project')
  const result = await platform.builder.run({
    buildId,
    app,
    source,
    configVars: newest ? await readConfigVars(platform.db, newest) : {},
    buildpacks: app.buildpacks,
    write,
    signal: push.signal,
    timeline,
  })
  timeline.mark('tidy')
  failpoint('push.built')
  if (!result.ok) {
    write(' !     Push rejected; nothing was changed.\n')
    throw new AlreadyTold(result.reason)
  }
  for (const note of result.image.notes) write(`       Note: ${note}\n`)
  const processTypes = processTypesOf(project, result.image, write)
  if (isFirst) await createWantedAddOns(platform, push, result.image.addOns, write)
  await source.keep()
  failpoint('push.commit-kept')
  const release = await insertDeployRelease(platform, push, buildId, result.image, processTypes, project.manifest)
  failpoint('push.release-committed')
  announceRelease(platform, app, account, release)
  timeline.mark('release row')
  const settled = await launch(platform, push, release, write)
  timeline.mark('launch')
  platform.log.info(
    { app: app.name, version: release.version, status: settled.status, steps: timeline.steps() },
    'push timeline',
  )
  return settled
}

/** What happens only before an app's first deploy: config vars and add-ons that app.json asks for. */
async function prepareFirst(
  platform: Platform,
  push: Push,
  manifest: AppManifest,
  write: (text: string) => void,
): Promise<void> {
  const lacking = await applyManifestVars(platform, push.account, push.app, manifest, write)
  if (lacking !== undefined) throw new PushRefused(lacking)
  failpoint('push.manifest-applied')
  for (const wish of manifest.addOns) {
    if (findPlan(wish.plan) === undefined) {
      write(
        ` !     Warning: app.json asks for the add-on ${wish.plan}, which this platform does not have. The app is deployed without it.\n`,
      )
      continue
    }
    await createOnce(platform, push, wish.plan, wish.as, write)
  }
}

async function createWantedAddOns(
  platform: Platform,
  push: Push,
  services: readonly string[],
  write: (text: string) => void,
): Promise<void> {
  if (!platform.config.autoAddOns) return
  for (const service of services)
    if (findPlan(service) !== undefined) await createOnce(platform, push, service, undefined, write)
}

/** An app that has an add-on of the service gets no second one from a push, nor one that brings its own DATABASE_URL. */
async function createOnce(
  platform: Platform,
  push: Push,
  plan: string,
  as: string | undefined,
  write: (text: string) => void,
): Promise<void> {
  const service = findPlan(plan)?.service
  const present = await listAddOns(platform.db, push.app.id)
  if (service === undefined || present.some((a) => a.service === service.name)) return
  const newest = await findNewestRelease(platform.db, push.app.id)
  const name = as ?? service.attachmentName
  if (newest && (await readConfigVars(platform.db, newest))[`${name}_URL`] !== undefined) return
  const addOn = await createAddOn(platform, push.account, push.app, {
    plan,
    ...(as === undefined ? {} : { attachment: { name: as } }),
  })
  write(`-----> Creating ${addOn.name} (PostgreSQL 17, ${addOn.plan}) … attached as ${name}_URL\n`)
}

function processTypesOf(project: Project, image: BuiltImage, write: (text: string) => void): ProcessTypes {
  const types: ProcessTypes = { ...image.processTypes, ...project.procfile }
  const names = Object.keys(types).filter((t) => t !== 'release')
  if (names.length === 0)
    throw new PushRefused(
      "No process types were found. Add a file named Procfile with a line such as 'web: <command>' that listens on $PORT.",
    )
  const from =
    project.procfile === undefined
      ? 'from the buildpack'
      : Object.keys(project.procfile).length === Object.keys(types).length
        ? 'from Procfile'
        : 'from Procfile and the buildpack'
  write(`-----> Discovering process types: ${names.join(', ')} (${from})\n`)
  if (!names.includes('web'))
    write(
      `       No web process type: the app answers no requests. Others are started by hand: paas ps:scale ${names[0]}=1\n`,
    )
  return types
}

/** Follows the release until it is settled. A pusher who leaves before takes it back: the ref will not move. */
async function launch(
  platform: Platform,
  push: Push,
  release: Release,
  write: (text: string) => void,
): Promise<Release> {
  if (release.processTypes.release !== undefined) write(`-----> Release command: ${release.processTypes.release}\n`)
  let launching = false
  const outcome = awaitOutcome(platform, release, (news) => {
    if (news.kind === 'step' && !launching) {
      launching = true
      write('-----> Launching…\n')
    }
    write(`       ${news.text}\n`)
  })
  const takeBack = () => {
    void settleRelease(platform.db, release.id, {
      status: 'failed',
      failure: 'the push was cancelled before the release was live',
    })
      .then(() => platform.releaseNews.publish(release.id, { kind: 'settled' }))
      .catch(() => {})
      .finally(() => platform.nudge(push.app.id))
  }
  push.signal.addEventListener('abort', takeBack, { once: true })
  if (push.signal.aborted) takeBack()
  const settled = await outcome
  push.signal.removeEventListener('abort', takeBack)
  if (settled.status === 'failed') {
    write(`\n !     ${(settled.failure ?? 'The release failed.').replaceAll('\n', '\n !     ')}\n`)
    write(` !     v${settled.version} failed; ${await whatServes(platform, push.app)}. paas logs shows more.\n`)
  }
  return settled
}

async function whatServes(platform: Platform, app: App): Promise<string> {
  const current = await throughOutages(() => findCurrentRelease(platform.db, app.id))
  return current?.slugId === undefined ? 'nothing of this app is live yet' : 'the release before it keeps serving'
}
