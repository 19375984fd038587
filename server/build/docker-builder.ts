/**
 * Builds in the container engine: takes a room, streams config vars and source into its driver, passes its output on,
 * turns what comes out into an image. One build per app at a time is the caller's promise; how many in all is ours.
 */
import { mkdir, readdir, statfs } from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../config.js'
import { type Engine, EngineError, type Image } from '../engine/engine.js'
import { failpoint } from '../lib/failpoint.js'
import type { Logger } from '../lib/logger.js'
import { createQueue } from '../lib/queue.js'
import { removeTree } from '../lib/remove-tree.js'
import { spreadFolder } from '../lib/spread-folder.js'
import { labelNames } from '../model/labels.js'
import { slugImageReference } from '../model/slug.js'
import { appCache, type LayerRecord } from './app-cache.js'
import type { ResultHeader } from './build-result.js'
import { type BuildRoom, createRoomPool, roomsDir } from './build-room.js'
import type { Builder, BuildRequest, BuildResult, BuiltImage } from './builder.js'
import { BuildRefused, drive, type Outcome } from './drive.js'
import { stackName } from './driver-process.js'
import { Tidying } from './tidying.js'
import { createOciLoader } from './oci-archive.js'
import { buildSlugImage, type ImageLayer, loadSlugImage } from './slug-image.js'

export interface DockerBuilderOptions {
  readonly engine: Engine
  readonly config: Config
  readonly images: { readonly stack: string; readonly stackBuild: string }
  readonly network: string
  readonly log: Logger
}

export interface DockerBuilder extends Builder {
  close(): Promise<void>
}

/**
 * Removes rooms that a dead predecessor left, and makes their folder; call it before the first build. What can't be removed
 * is logged and left: a start must not depend on what a build has written.
 */
export async function sweepRooms(
  engine: Pick<Engine, 'listContainers' | 'removeContainer'>,
  config: Pick<Config, 'instance' | 'dataDir'>,
  log: Logger,
): Promise<void> {
  await mkdir(roomsDir(config), { recursive: true })
  await spreadFolder(roomsDir(config))
  const left = await engine.listContainers({ [labelNames.instance]: config.instance, [labelNames.kind]: 'build' })
  const leave = (err: unknown) =>
    log.warn({ err }, 'what a build left could not be removed; the next start tries again')
  await Promise.all(left.map((c) => engine.removeContainer(c.id, { force: true }).catch(leave)))
  for (const room of await readdir(roomsDir(config))) await removeTree(path.join(roomsDir(config), room)).catch(leave)
}

export async function createDockerBuilder(options: DockerBuilderOptions): Promise<DockerBuilder> {
  const { engine, config, log } = options
  /** Looked up for each build: a platform whose stack image was removed still runs its apps. */
  const findStack = async () => {
    const stack = await engine.findImage(options.images.stack)
    if (!stack)
      throw new BuildRefused(
        'platform',
        `The stack image ${options.images.stack} is missing here; run docker/up, then push again.`,
        false,
      )
    return stack
  }
  const oci = (await engine.info()).containerdImageStore ? createOciLoader(engine) : undefined
  const load = oci?.load ?? loadSlugImage
  // It takes some seconds, which the first push need not wait for. One that fails is tried again by a push, and told.
  if (oci)
    void findStack()
      .then(oci.prepare)
      .catch(() => {})
  await sweepRooms(engine, config, log)
  const pool = createRoomPool({
    engine,
    config,
    image: options.images.stackBuild,
    network: options.network,
    warm: config.build.warm,
    onError: (error) => log.warn({ err: error }, 'a build room could not be made'),
  })
  const queue = createQueue(config.build.concurrency)
  const tidying = new Tidying(config.build.tidyDelayMs)

  const runIn = async (stack: Image, room: BuildRoom, request: BuildRequest, isCold: boolean): Promise<BuildResult> => {
    const cache = appCache(config, request.app.id)
    const previous = isCold ? [] : await cache.lend(room.dir)
    let keep: { layers: LayerRecord[]; cacheChanged: boolean } | undefined
    try {
      failpoint('build.before-driver')
      request.timeline.mark('build room')
      const outcome = await drive({ engine, config, stackId: stack.id }, room, request)
      request.timeline.mark('buildpacks')
      const layers = collectLayers(outcome.header, outcome.files, previous)
      failpoint('build.before-image')
      const reference = slugImageReference(config.instance, request.app.id, request.buildId)
      const fileOf = (layer: LayerRecord) => outcome.files.layers.get(layer.name)?.file
      const parts = layers
        .filter((l) => l.isLaunch)
        .map((l): ImageLayer => ({ diffId: l.diffId, bytes: l.bytes, file: fileOf(l) }))
      const imageId = await assemble(stack, [...parts, outcome.files.app], reference)
      failpoint('build.image-loaded')
      request.timeline.mark('image')
      keep = { layers, cacheChanged: outcome.header.cacheChanged }
      return { ok: true, image: builtImage(outcome, layers, imageId, reference) }
    } finally {
      // The pusher does not wait for tidying; the app's next build does.
      tidying.later(request.app.id, () =>
        engine
          .killContainer(room.container, 'SIGKILL')
          .catch(() => {})
          .then(() => (keep ? cache.promote(room.dir, keep.layers, keep.cacheChanged) : cache.takeBack(room.dir)))
          .catch((error: unknown) =>
            log.warn({ err: error, app: request.app.id }, 'the build cache of an app could not be kept'),
          )
          .then(() => room.close())
          .catch((error: unknown) => log.warn({ err: error }, 'a build room could not be removed')),
      )
    }
  }

  /** Sends only what the engine lacks; an engine that refuses it builds the image from tars instead. */
  const assemble = async (stack: Image, layers: readonly ImageLayer[], reference: string): Promise<string> => {
    try {
      return await load(engine, stack, layers, reference)
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'no_space') throw error
      if (layers.some((layer) => layer.file === undefined))
        throw new LayersGone('an omitted layer is gone', { cause: error })
      log.warn({ err: error }, 'the engine refused an image archive; building the image instead')
      return buildSlugImage(engine, stack, layers, reference)
    }
  }

  const runOnce = async (request: BuildRequest): Promise<BuildResult> => {
    const stack = await findStack()
    const lacking = await lackOfSpace(config)
    if (lacking !== undefined) throw new BuildRefused('platform', lacking, false)
    await tidying.now(request.app.id)
    try {
      return await runIn(stack, await pool.take(), request, false)
    } catch (error) {
      if (!(error instanceof LayersGone)) throw error
      log.warn({ err: error, app: request.app.id }, 'layers of earlier images are gone; building from scratch')
      request.write('       Layers of earlier builds are gone; building from scratch\n')
      await tidying.now(request.app.id)
      return runIn(stack, await pool.take(), request, true)
    }
  }

  return {
    run: (request) =>
      queue.run(
        () => runOnce(request).catch((error: unknown) => refusal(error, request, log)),
        (ahead) => request.write(`       Waiting for ${ahead} other build${ahead === 1 ? '' : 's'} to finish first\n`),
        request.signal,
      ),
    removeImage: (reference) =>
      engine.removeImage(reference).catch((error: unknown) => {
        if (!(error instanceof EngineError && error.kind === 'conflict')) throw error
      }),
    // Only the name must go: apps with the same files share an image, and another's dynos may be using it.
    removeImagesOf: async (appId) => {
      for (const tag of await engine.listTags(`${config.instance}/app-${appId}`))
        await engine.removeImage(tag, { force: true })
    },
    forget: async (appId) => {
      await tidying.now(appId)
      await appCache(config, appId).remove()
    },
    close: async () => {
      await tidying.all()
      await pool.close()
    },
  }
}

function builtImage(
  outcome: Outcome,
  layers: readonly LayerRecord[],
  imageId: string,
  imageReference: string,
): BuiltImage {
  return {
    imageId,
    imageReference,
    sizeBytes: outcome.files.appBytes + layers.reduce((sum, layer) => sum + layer.bytes, 0),
    buildpacks: outcome.header.buildpacks,
    processTypes: outcome.header.processTypes,
    addOns: outcome.header.addOns,
    stack: stackName,
    notes: outcome.header.notes,
  }
}

async function lackOfSpace(config: Config): Promise<string | undefined> {
  const disk = await statfs(config.dataDir)
  const free = disk.bavail * disk.bsize
  if (free >= config.diskReserveBytes) return undefined
  return `The machine has ${Math.round(free / 1024 ** 2)} MB of disk left, less than the ${Math.round(config.diskReserveBytes / 1024 ** 2)} MB kept in reserve. Free some space and push again.`
}

function refusal(error: unknown, request: BuildRequest, log: Logger): BuildResult {
  const refused =
    error instanceof BuildRefused
      ? error
      : request.signal.aborted
        ? new BuildRefused('platform', 'The push was cancelled.', false)
        : error instanceof EngineError && error.kind === 'no_space'
          ? new BuildRefused(
              'platform',
              'The disk of the platform is full; nothing was changed. Free some space and push again.',
              false,
            )
          : new BuildRefused(
              'platform',
              'The platform failed while building; nothing was changed. Its log says more.',
              false,
            )
  if (!(error instanceof BuildRefused) && !request.signal.aborted)
    log.error({ err: error, app: request.app.id }, 'a build failed in the platform')
  if (!refused.told) request.write(`\n !     ${refused.message}\n`)
  return { ok: false, phase: refused.phase, reason: refused.message }
}

/** A layer named but not handed out must be one of the app's last build. */
function collectLayers(header: ResultHeader, files: Outcome['files'], known: readonly LayerRecord[]): LayerRecord[] {
  return header.layers.map((layer) => {
    const { name, path, key, isLaunch } = layer
    const made = files.layers.get(name)
    if (made) return { name, path, key, isLaunch, diffId: made.diffId, bytes: made.bytes }
    if (!isLaunch) return { name, path, key, isLaunch, diffId: '', bytes: 0 }
    const before = known.find((k) => k.name === name && k.key === key && k.path === path && k.diffId !== '')
    if (!before)
      throw new BuildRefused('export', `The build reuses a layer (${name}) that is not kept here; push again.`, false)
    return { ...before, isLaunch }
  })
}

/** Layers that were left out of the archive are gone from the engine; everything must be made again. */
class LayersGone extends Error {}
