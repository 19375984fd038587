/**
 * Assembles a slug's image from the stack's layers, the app's dependency layers and its own files, and loads it.
 *
 * Layers that the engine has already are named but not sent: a source-only push sends a few kilobytes. For engines that keep
 * images in containerd's store `oci-archive.ts` does the same in their form. An engine that refuses either gets a
 * Dockerfile of `ADD`s.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { arch } from 'node:process'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import type { Engine, Image } from '../engine/engine.js'
import { dynoUid, userOf } from '../model/dyno-user.js'

export interface ImageLayer {
  readonly diffId: string
  /** Of its tar. */
  readonly bytes: number
  /** The layer's tar; undefined where the engine is believed to have it. */
  readonly file: string | undefined
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/** Deterministic: the same stack and layers give the same bytes and so the same image id. */
export function imageConfig(stack: Image, layers: readonly ImageLayer[]): string {
  const diffIds = [...stack.diffIds, ...layers.map((layer) => layer.diffId)]
  return JSON.stringify({
    architecture: architectures[arch] ?? arch,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: {
      Env: [...stack.config.env.filter((e) => !e.startsWith('HOME=')), 'HOME=/app'],
      WorkingDir: '/app',
      User: userOf(dynoUid),
      Cmd: ['bash'],
    },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map((id) => ({ created: '1970-01-01T00:00:00Z', created_by: id.slice(0, 19) })),
  })
}

/** Loads the image and returns its id. Throws when a layer left out is not there after all. */
export async function loadSlugImage(
  engine: Engine,
  stack: Image,
  layers: readonly ImageLayer[],
  reference: string,
): Promise<string> {
  const config = imageConfig(stack, layers)
  const digest = createHash('sha256').update(config).digest('hex')
  if ((await engine.findImage(`sha256:${digest}`)) !== undefined) {
    await engine.tagImage(`sha256:${digest}`, reference)
    return `sha256:${digest}`
  }
  const names = [...stack.diffIds, ...layers.map((l) => l.diffId)].map((id) => `${id.slice(7)}/layer.tar`)
  const pack = tar.pack()
  const filling = (async () => {
    pack.entry(
      { name: 'manifest.json' },
      JSON.stringify([{ Config: `${digest}.json`, RepoTags: [reference], Layers: names }]),
    )
    pack.entry({ name: `${digest}.json` }, config)
    for (const layer of layers) {
      if (layer.file === undefined) continue
      const size = layer.bytes
      await pipeline(createReadStream(layer.file), pack.entry({ name: `${layer.diffId.slice(7)}/layer.tar`, size }))
    }
    pack.finalize()
  })()
  filling.catch((error: Error) => pack.destroy(error))
  await Promise.all([engine.loadImage(pack as unknown as Readable), filling])
  return `sha256:${digest}`
}

/** The fallback: every layer is sent and unpacked by the engine's own builder. */
export async function buildSlugImage(
  engine: Engine,
  stack: Image,
  layers: readonly ImageLayer[],
  reference: string,
): Promise<string> {
  const pack = tar.pack()
  const filling = (async () => {
    const adds = layers.map((_, index) => `ADD layer-${index}.tar /`)
    pack.entry(
      { name: 'Dockerfile' },
      [
        `FROM ${stack.id}`,
        ...adds,
        'ENV HOME=/app',
        'WORKDIR /app',
        `USER ${userOf(dynoUid)}`,
        'CMD ["bash"]',
        '',
      ].join('\n'),
    )
    for (const [index, layer] of layers.entries()) {
      if (layer.file === undefined) throw new Error(`layer ${layer.diffId} has no file to send`)
      const size = layer.bytes
      await pipeline(createReadStream(layer.file), pack.entry({ name: `layer-${index}.tar`, size }))
    }
    pack.finalize()
  })()
  filling.catch((error: Error) => pack.destroy(error))
  const [id] = await Promise.all([engine.buildImage(pack as unknown as Readable, { tag: reference }), filling])
  return id
}
