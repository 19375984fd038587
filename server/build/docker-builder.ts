/**
 * Builds in the container engine: takes a room, streams config vars and source into its driver, passes its output on,
 * turns what comes out into an image. One build per app at a time is the caller's promise; how many in all is ours.
 */
import { readdir, rm, statfs } from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../config.js'
import { type Engine, EngineError, type Image } from '../engine/engine.js'
import { failpoint } from '../lib/failpoint.js'
import type { Logger } from '../lib/logger.js'
import { createQueue } from '../lib/queue.js'
import { labelNames } from '../model/labels.js'
import { appCache, type LayerRecord } from './app-cache.js'
import type { ResultHeader } from './build-result.js'
import { type BuildRoom, createRoomPool, roomsDir } from './build-room.js'
import type { Builder, BuildRequest, BuildResult } from './builder.js'
import { BuildRefused, drive, type Outcome, stackName } from './drive.js'
import { writeLayerTar } from './layer-tar.js'
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

/** Removes rooms that a dead predecessor left; call it before the first build. */
export async function sweepRooms(engine: Engine, config: Config): Promise<void> {
  const left = await engine.listContainers({ [labelNames.instance]: config.instance, [labelNames.kind]: 'build' })
  await Promise.all(left.map((c) => engine.removeContainer(c.id, { force: true })))
  for (const room of await readdir(roomsDir(config)).catch(() => []))
    await rm(path.join(roomsDir(config), room), { recursive: true, force: true })
}

export async function createDockerBuilder(options: DockerBuilderOptions): Promise<DockerBuilder> {
  const { engine, config, log } = options
  const stack = await engine.findImage(options.images.stack)
  if (!stack) throw new Error(`the stack image ${options.images.stack} is missing; run docker/up`)
  const wholeArchives = (await engine.info()).containerdImageStore
  await sweepRooms(engine, config)
  const pool = createRoomPool({
    engine,
    config,
    image: options.images.stackBuild,
    network: options.network,
    warm: config.build.warm,
    onError: (error) => log.warn({ err: error }, 'a build room could not be made'),
  })
  const queue = createQueue(config.build.concurrency)
  const settling = new Map<string, Promise<void>>()

  const runIn = async (room: BuildRoom, request: BuildRequest): Promise<BuildResult> => {
    const cache = appCache(config, request.app.id)
    const previous = await cache.lend(room.dir)
    let keep: { layers: LayerRecord[]; cacheChanged: boolean } | undefined
    try {
      failpoint('build.before-driver')
      const outcome = await drive({ engine, config, stackId: stack.id }, room, request)
      const layers = await collectLayers(outcome.header, outcome.files, previous)
      failpoint('build.before-image')
      const reference = `${config.instance}/app-${request.app.id}:${request.buildId}`
      const appLayer: ImageLayer = outcome.files.app
      const imageId = await assemble(options, stack, room, layers, outcome, appLayer, reference, wholeArchives)
      failpoint('build.image-loaded')
      keep = { layers, cacheChanged: outcome.header.cacheChanged }
      return {
        ok: true,
        image: {
          imageId,
          imageReference: reference,
          sizeBytes: outcome.files.appBytes + layers.reduce((sum, layer) => sum + layer.bytes, 0),
          buildpacks: outcome.header.buildpacks,
          processTypes: outcome.header.processTypes,
          addOns: outcome.header.addOns,
          stack: stackName,
        },
      }
    } catch (error) {
      return refusal(error, request, log)
    } finally {
      // The pusher does not wait for tidying; the app's next build does.
      const done = engine
        .killContainer(room.container, 'SIGKILL')
        .catch(() => {})
        .then(() => (keep ? cache.promote(room.dir, keep.layers, keep.cacheChanged) : cache.takeBack(room.dir)))
        .catch((error: unknown) =>
          log.warn({ err: error, app: request.app.id }, 'the build cache of an app could not be kept'),
        )
        .then(() => room.close())
        .catch((error: unknown) => log.warn({ err: error }, 'a build room could not be removed'))
        .finally(() => settling.get(request.app.id) === done && settling.delete(request.app.id))
      settling.set(request.app.id, done)
    }
  }

  return {
    run: (request) =>
      queue.run(
        async () => {
          const lacking = await lackOfSpace(config)
          if (lacking !== undefined) return refusal(new BuildRefused('platform', lacking, false), request, log)
          await settling.get(request.app.id)
          let room: BuildRoom
          try {
            room = await pool.take()
          } catch (error) {
            return refusal(error, request, log)
          }
          return runIn(room, request)
        },
        (ahead) => request.write(`       Waiting for ${ahead} other build${ahead === 1 ? '' : 's'} to finish first\n`),
        request.signal,
      ),
    removeImage: (reference) => engine.removeImage(reference),
    forget: async (appId) => {
      await settling.get(appId)
      await appCache(config, appId).remove()
    },
    close: async () => {
      await Promise.all(settling.values())
      await pool.close()
    },
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

async function collectLayers(
  header: ResultHeader,
  files: Outcome['files'],
  previous: readonly LayerRecord[],
): Promise<LayerRecord[]> {
  return header.layers.map((layer) => {
    const made = files.layers.get(layer.name)
    if (made) return { name: layer.name, path: layer.path, key: layer.key, diffId: made.diffId, bytes: made.bytes }
    const before = previous.find((p) => p.name === layer.name && p.key === layer.key && p.path === layer.path)
    if (!before)
      throw new BuildRefused(
        'export',
        `The build reuses a layer (${layer.name}) that was not there; push again.`,
        false,
      )
    return before
  })
}

/** Loads the image; a reused layer whose image is gone meanwhile is exported from its tree and sent after all. */
async function assemble(
  options: DockerBuilderOptions,
  stack: Image,
  room: BuildRoom,
  layers: readonly LayerRecord[],
  outcome: Outcome,
  app: ImageLayer,
  reference: string,
  wholeArchives: boolean,
): Promise<string> {
  const { engine, log } = options
  const sparse = [
    ...layers.map((l): ImageLayer => ({ diffId: l.diffId, file: outcome.files.layers.get(l.name)?.file })),
    app,
  ]
  if (!wholeArchives) {
    try {
      return await loadSlugImage(engine, stack, sparse, reference)
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'no_space') throw error
      if (sparse.every((layer) => layer.file !== undefined))
        log.warn({ err: error }, 'the engine refused an image archive; building it instead')
    }
  }
  const whole = await Promise.all(
    layers.map(async (layer, index): Promise<ImageLayer> => {
      const known = sparse[index]
      return known?.file !== undefined ? known : reexport(engine, room, layer)
    }),
  )
  if (!wholeArchives) {
    try {
      return await loadSlugImage(engine, stack, [...whole, app], reference)
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'no_space') throw error
      log.warn({ err: error }, 'the engine refused an image archive; building it instead')
    }
  }
  return buildSlugImage(engine, stack, [...whole, app], reference)
}

async function reexport(engine: Engine, room: BuildRoom, layer: LayerRecord): Promise<ImageLayer> {
  const session = await engine.exec(room.container, {
    command: [
      'tar',
      '--sort=name',
      '--mtime=@0',
      '--owner=1000',
      '--group=1000',
      '--numeric-owner',
      '-C',
      `/previous/layers/${layer.name}`,
      '-cf',
      '-',
      '.',
    ],
    user: '1000:1000',
  })
  const made = await writeLayerTar(
    session.stdout as AsyncIterable<Buffer>,
    layer.path,
    path.join(room.dir, 'out', `${layer.name}.tar`),
  )
  return made
}
