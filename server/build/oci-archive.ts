/**
 * Assembles a slug's image for engines that keep images in containerd's store.
 *
 * Such an engine takes an archive in OCI's layout (https://github.com/opencontainers/image-spec/blob/main/image-layout.md), and
 * looks for blobs that aren't in it among those it has. Layers are named by the digest of their blob there, not of their
 * content, and the stack's blobs are packed as the engine packed them: which they are is read off an archive of the stack,
 * once a stack.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { type Engine, EngineError, type Image } from '../engine/engine.js'
import { type ImageLayer, imageConfig, type loadSlugImage } from './slug-image.js'

/** A blob as a manifest names it. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

interface Manifest {
  readonly config?: Descriptor
  readonly layers?: readonly Descriptor[]
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const digestOf = (bytes: string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const blobName = (digest: string) => `blobs/sha256/${digest.slice(7)}`

/** Manifests and configurations are small; layers are not. */
const documentBytes = 1024 ** 2

/** `loadSlugImage` for such an engine. Remembers the blobs of the newest stack, which `prepare` may look for ahead. */
export function createOciLoader(engine: Engine): {
  readonly load: typeof loadSlugImage
  readonly prepare: (stack: Image) => Promise<unknown>
} {
  let known: { readonly stackId: string; readonly blobs: Promise<readonly Descriptor[]> } | undefined
  const blobsOf = (stack: Image) => {
    if (known?.stackId === stack.id) return known.blobs
    const blobs = layerBlobs(engine, stack)
    known = { stackId: stack.id, blobs }
    blobs.catch(() => {
      if (known?.blobs === blobs) known = undefined
    })
    return blobs
  }
  return {
    prepare: blobsOf,
    load: async (_, stack, layers, reference) => loadOciImage(engine, stack, await blobsOf(stack), layers, reference),
  }
}

/** The blobs of an image's layers, lowest first. Throws where the engine's archive doesn't say. */
async function layerBlobs(engine: Engine, image: Image): Promise<readonly Descriptor[]> {
  const documents = await documentsOf(await engine.saveImage(image.id))
  for (const text of documents.values()) {
    const { config, layers } = parsed<Manifest>(text)
    const content = parsed<{ rootfs?: { diff_ids?: readonly string[] } }>(documents.get(config?.digest ?? '') ?? '')
    if (layers?.length === image.diffIds.length && String(content.rootfs?.diff_ids) === String(image.diffIds))
      return layers
  }
  throw new EngineError('refused', `the archive of image ${image.id} has no manifest of its layers`)
}

/** Digest → text of the small blobs of an archive. */
async function documentsOf(archive: Readable): Promise<Map<string, string>> {
  const documents = new Map<string, string>()
  const extract = tar.extract()
  const reading = pipeline(archive, extract)
  reading.catch(() => {})
  for await (const entry of extract) {
    const { name, size = 0, type } = entry.header
    if (type !== 'file' || size > documentBytes || !name.startsWith('blobs/sha256/')) {
      entry.resume()
      continue
    }
    const parts: Buffer[] = []
    for await (const part of entry) parts.push(part as Buffer)
    documents.set(`sha256:${name.slice('blobs/sha256/'.length)}`, Buffer.concat(parts).toString('utf8'))
  }
  await reading
  return documents
}

function parsed<T>(text: string): Partial<T> {
  try {
    const value = JSON.parse(text) as Partial<T> | null
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** What the archive holds beside layers, by name, and the manifest's digest. The same input gives the same bytes. */
export function ociDocuments(
  stack: Image,
  stackBlobs: readonly Descriptor[],
  layers: readonly ImageLayer[],
  reference: string,
): { readonly entries: readonly (readonly [string, string])[]; readonly digest: string } {
  const config = imageConfig(stack, layers)
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(config),
      size: Buffer.byteLength(config),
    },
    layers: [
      ...stackBlobs.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
      ...layers.map(({ diffId, bytes }) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: diffId,
        size: bytes,
      })),
    ],
  })
  const digest = digestOf(manifest)
  // The engine knows names without a registry in them by this prefix.
  const annotations = { 'io.containerd.image.name': `docker.io/${reference}` }
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ mediaType: manifestType, digest, size: Buffer.byteLength(manifest), annotations }],
  }
  return {
    digest,
    entries: [
      ['oci-layout', '{"imageLayoutVersion":"1.0.0"}'],
      ['index.json', JSON.stringify(index)],
      [blobName(digestOf(config)), config],
      [blobName(digest), manifest],
    ],
  }
}

/** Loads the image and returns its id. Throws, and leaves no name, when a layer left out is not there after all. */
async function loadOciImage(
  engine: Engine,
  stack: Image,
  stackBlobs: readonly Descriptor[],
  layers: readonly ImageLayer[],
  reference: string,
): Promise<string> {
  const { entries, digest } = ociDocuments(stack, stackBlobs, layers, reference)
  if ((await engine.findImage(digest)) !== undefined) {
    await engine.tagImage(digest, reference)
    return digest
  }
  const pack = tar.pack()
  const filling = (async () => {
    for (const [name, text] of entries) pack.entry({ name }, text)
    for (const { diffId, bytes, file } of layers)
      if (file !== undefined)
        await pipeline(createReadStream(file), pack.entry({ name: blobName(diffId), size: bytes }))
    pack.finalize()
  })()
  filling.catch((error: Error) => pack.destroy(error))
  try {
    await Promise.all([engine.loadImage(pack as unknown as Readable), filling])
  } catch (error) {
    // The engine names the image before it unpacks it.
    await engine.removeImage(reference, { force: true }).catch(() => {})
    throw error
  }
  return digest
}
