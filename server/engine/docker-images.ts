/** Image calls of the Docker engine. */
import type Docker from 'dockerode'
import type { Readable } from 'node:stream'
import { eachLine } from '../lib/lines.js'
import { labelFilter } from './docker-containers.js'
import { type Engine, EngineError, type Image } from './engine.js'
import { calling, engineError, settling, statusOf } from './engine-error.js'

type ImageCalls = Pick<
  Engine,
  | 'findImage'
  | 'listImages'
  | 'listTags'
  | 'loadImage'
  | 'importImage'
  | 'pullImage'
  | 'buildImage'
  | 'saveImage'
  | 'tagImage'
  | 'removeImage'
>

interface ProgressDocument {
  readonly stream?: string
  readonly status?: string
  readonly error?: string
  readonly aux?: { readonly ID?: string }
}

/** The engine reports failures of long calls inside a 200 body; the last `error` decides. */
async function followProgress(source: Readable, onLine: (text: string) => void): Promise<{ imageId?: string }> {
  let imageId: string | undefined
  let failure: string | undefined
  await eachLine(
    source,
    (line) => {
      if (line.trim() === '') return
      const document = JSON.parse(line) as ProgressDocument
      if (document.error !== undefined) failure = document.error
      if (document.aux?.ID !== undefined) imageId = document.aux.ID
      const text = (document.stream ?? document.status ?? '').trimEnd()
      if (text !== '') onLine(text)
    },
    1024 * 1024,
  )
  if (failure !== undefined) throw new EngineError(/no space left/i.test(failure) ? 'no_space' : 'refused', failure)
  return { imageId }
}

export function imageCalls(docker: Docker): ImageCalls {
  return {
    findImage: async (reference) => {
      try {
        return toImage(await docker.getImage(reference).inspect())
      } catch (error) {
        if (statusOf(error) === 404) return undefined
        throw engineError(`inspecting image ${reference}`, error)
      }
    },
    listImages: (labels) =>
      calling('listing images', async () =>
        (await docker.listImages({ filters: labelFilter(labels) as unknown as string })).map((info) => ({
          id: info.Id,
          tags: info.RepoTags ?? [],
          labels: info.Labels ?? {},
          createdAt: new Date(info.Created * 1000),
          sizeBytes: info.Size,
          diffIds: [],
          config: { env: [], command: [], entrypoint: [], workingDir: '', user: '' },
        })),
      ),
    listTags: (repository) =>
      calling(`listing images of ${repository}`, async () => {
        const found = await docker.listImages({
          filters: JSON.stringify({ reference: [repository] }) as unknown as string,
        })
        const fits = new RegExp(`^${repository.split('*').map(escapeRegExp).join('[^/]*')}:[^/]+$`)
        return found.flatMap((image) => image.RepoTags ?? []).filter((tag) => fits.test(tag))
      }),
    loadImage: (archive) =>
      calling('loading an image', async () => {
        const stream = await docker.loadImage(archive as NodeJS.ReadableStream, { quiet: true })
        let failure: string | undefined
        await followProgress(stream as unknown as Readable, (text) => {
          // An engine with containerd's store doesn't count this as an error.
          if (/^Error unpacking image /.test(text)) failure = text
        })
        if (failure !== undefined) throw new EngineError('refused', failure)
      }),
    saveImage: (reference) =>
      calling(`saving image ${reference}`, async () => (await docker.getImage(reference).get()) as unknown as Readable),
    importImage: (rootfs, tag, changes = []) =>
      calling(`importing image ${tag}`, async () => {
        const [repo, version] = splitReference(tag)
        const stream = await docker.importImage(rootfs as NodeJS.ReadableStream, {
          repo,
          tag: version,
          ...(changes.length === 0 ? {} : { changes: changes as unknown as string }),
        })
        await followProgress(stream as unknown as Readable, () => {})
        return (await docker.getImage(tag).inspect()).Id
      }),
    pullImage: (reference) =>
      calling(`pulling image ${reference}`, async () => {
        const stream = await docker.pull(reference)
        await followProgress(stream as unknown as Readable, () => {})
      }),
    buildImage: (context, options, onLine = () => {}) =>
      calling(`building image ${options.tag}`, async () => {
        const last: string[] = []
        const stream = await docker.buildImage(context as NodeJS.ReadableStream, {
          t: options.tag,
          labels: { ...options.labels },
          buildargs: { ...options.buildArgs },
          nocache: options.noCache ?? false,
          rm: true,
          forcerm: true,
        })
        try {
          await followProgress(stream as unknown as Readable, (text) => {
            for (const line of text.split('\n')) {
              onLine(line)
              last.push(line)
              if (last.length > 30) last.shift()
            }
          })
        } catch (error) {
          const why = (error as Error).message
          throw new EngineError('refused', `building image ${options.tag} failed: ${why}\n${last.join('\n')}`, {
            cause: error,
          })
        }
        return (await docker.getImage(options.tag).inspect()).Id
      }),
    tagImage: (reference, tag) =>
      calling(`tagging image ${reference}`, async () => {
        const [repo, version] = splitReference(tag)
        await docker.getImage(reference).tag({ repo, tag: version })
      }),
    removeImage: (reference, o = {}) =>
      settling(`removing image ${reference}`, [404], () =>
        docker.getImage(reference).remove({ force: o.force ?? false }),
      ),
  }
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function splitReference(tag: string): [string, string] {
  const colon = tag.lastIndexOf(':')
  return colon > tag.lastIndexOf('/') ? [tag.slice(0, colon), tag.slice(colon + 1)] : [tag, 'latest']
}

function toImage(raw: Docker.ImageInspectInfo): Image {
  const config = raw.Config
  const asList = (value: string | string[] | undefined | null) => (typeof value === 'string' ? [value] : (value ?? []))
  return {
    id: raw.Id,
    tags: raw.RepoTags ?? [],
    labels: config.Labels ?? {},
    createdAt: new Date(raw.Created),
    sizeBytes: raw.Size,
    diffIds: raw.RootFS.Layers ?? [],
    config: {
      env: config.Env ?? [],
      command: config.Cmd ?? [],
      entrypoint: asList(config.Entrypoint),
      workingDir: config.WorkingDir ?? '',
      user: config.User ?? '',
    },
  }
}
