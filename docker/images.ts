/**
 * Makes the images that the platform runs, as far as they aren't there. Each is tagged with a digest of all that decides
 * about it (images/recipes.ts), so "is it there" is "is it current", and an upgrade builds only what changed.
 *
 * Several processes may call this at once; one builds, the others wait. Which folder makes which image is in
 * images/recipes.ts; where the lowest layer comes from, in images/rootfs.ts.
 */
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../server/config.js'
import { type Engine, EngineError, type Image } from '../server/engine/engine.js'
import { packEntries, textEntry } from './images/context.js'
import { findDebianMirror, sourceLines } from './images/debian-mirror.js'
import { withLock } from './images/lock.js'
import { loadMachineConfig } from './machine-network.js'
import {
  findProjectRoot,
  type ImageName,
  imageNames,
  loadRecipes,
  type Recipe,
  type RecipeInputs,
  type RecipeName,
  readCertificates,
} from './images/recipes.js'
import { ensureRootfs } from './images/rootfs.js'

export type { ImageName } from './images/recipes.js'

/** References of the images, ready for a container's spec. */
export type Images = Readonly<Record<ImageName, string>>

export interface EnsureImagesOptions<N extends ImageName = ImageName> {
  /** The images wanted; all by default. What they stand on is built when it is needed. */
  readonly names?: readonly N[]
  /** Progress: a line for each step, with its time. */
  readonly onLine: (line: string) => void
  /** Proxies, registries and the extra CA bundle; from the settings by default. */
  readonly network?: Config['network']
  /** Removes images of ours with an older key that no platform on this machine names; for set-up only. */
  readonly removeOld?: boolean
  /** The project's folder; found from this file by default. */
  readonly root?: string
}

const buildDeadlineMs = 1_800_000
/** Another process may have computed an older key a moment ago and be about to use it. */
const keepOldMs = 3_600_000
const imageLabel = 'paas.image'
/** On a platform's control plane: the images it needs, though no container may be using them now. */
export const imagesLabel = 'paas.images'

/**
 * Returns the references of the images, after building those that are missing, and points `<repository>:dev` at each.
 * Images of ours with an older key that no container uses are removed after a build. Throws `EngineError` with the last
 * lines of a build that failed, or a sentence naming what is missing.
 */
export async function ensureImages<N extends ImageName = ImageName>(
  engine: Engine,
  options: EnsureImagesOptions<N>,
): Promise<Pick<Images, N>> {
  const network = options.network ?? loadMachineConfig().network
  const inputs = await readInputs(network, options.root)
  const names: readonly ImageName[] = options.names ?? imageNames
  const recipes = new Map<RecipeName, Recipe>()
  for (const name of names) for (const recipe of await loadRecipes(name, inputs)) recipes.set(recipe.name, recipe)

  const wanted = [...recipes.values()].filter((recipe) => names.some((name) => name === recipe.name))
  const missing = async () => {
    const found = await Promise.all(wanted.map((recipe) => engine.findImage(recipe.reference)))
    return wanted.filter((_, index) => found[index] === undefined)
  }
  if ((await missing()).length > 0) {
    const lock = {
      // Where another user of the machine could have put it, it would hold us up.
      file: path.join(process.getuid?.() === 0 ? '/run' : tmpdir(), 'paas-images.lock'),
      waitMs: buildDeadlineMs,
      onWait: (pid: number) => options.onLine(`images: process ${pid} is building them; waiting`),
    }
    await withLock(lock, async () => {
      const builder = new Builder(engine, recipes, inputs, network, options.onLine)
      for (const recipe of await missing()) await builder.ensure(recipe)
      if (options.removeOld) await removeOld(engine, builder.built, options.onLine)
    })
  }
  for (const recipe of wanted) await pointDevTag(engine, recipe)
  return Object.fromEntries(wanted.map((recipe) => [recipe.name, recipe.reference])) as Pick<Images, N>
}

async function readInputs(network: Config['network'], root: string | undefined): Promise<RecipeInputs> {
  const bundle = network.caBundle
  return {
    root: root ?? (await findProjectRoot(path.dirname(fileURLToPath(import.meta.url)))),
    mirror: await findDebianMirror(process.env.PAAS_DEBIAN_MIRROR?.trim() ?? ''),
    caCertificates: bundle === '' ? '' : await readCertificates(bundle),
  }
}

async function pointDevTag(engine: Engine, recipe: Recipe): Promise<void> {
  const dev = `${recipe.repository}:dev`
  const [newest, tagged] = await Promise.all([engine.findImage(recipe.reference), engine.findImage(dev)])
  if (newest?.id !== tagged?.id) await engine.tagImage(recipe.reference, dev)
}

/** Builds recipes on one engine, each after the one it stands on. */
class Builder {
  readonly built: Recipe[] = []

  constructor(
    private readonly engine: Engine,
    private readonly recipes: ReadonlyMap<RecipeName, Recipe>,
    private readonly inputs: RecipeInputs,
    private readonly network: Config['network'],
    private readonly onLine: (line: string) => void,
  ) {}

  async ensure(recipe: Recipe): Promise<void> {
    if (await this.engine.findImage(recipe.reference)) return
    const parent = recipe.parent === undefined ? undefined : this.recipes.get(recipe.parent)
    if (parent) await this.ensure(parent)
    const startedAt = Date.now()
    this.onLine(`${recipe.name}: building ${recipe.reference}`)
    if (parent) await this.build(recipe, [], { BASE: parent.reference })
    else await this.buildBase(recipe)
    const image = await this.engine.findImage(recipe.reference)
    this.built.push(recipe)
    this.onLine(`${recipe.name}: built in ${seconds(startedAt)}, ${megabytes(image)}`)
  }

  private async buildBase(recipe: Recipe): Promise<void> {
    const sources = await sourceLines(this.inputs.mirror, this.network.httpProxy === '')
    const tag = recipe.reference.replace('paas/base:', 'paas/rootfs:')
    const startedAt = Date.now()
    const env = this.proxies()
    const rootfs = await ensureRootfs(this.engine, { tag, sources, env, onLine: this.onLine })
    if (rootfs.bootstrapped) this.onLine(`${recipe.name}: bootstrapped in ${seconds(startedAt)}`)
    try {
      const text = textEntry('sources.list', `${sources.join('\n')}\n`)
      await this.build(recipe, [text], { ROOTFS: rootfs.reference })
    } finally {
      // Only the name goes: the layer belongs to the image built on it.
      if (rootfs.bootstrapped) await this.engine.removeImage(tag)
    }
  }

  private async build(
    recipe: Recipe,
    more: Parameters<typeof packEntries>[0],
    args: Readonly<Record<string, string>>,
  ): Promise<void> {
    const steps = new StepLines(recipe.name, this.onLine)
    const build = this.engine.buildImage(
      packEntries([...recipe.context, ...more]),
      {
        tag: recipe.reference,
        labels: { [imageLabel]: recipe.name },
        buildArgs: { ...args, ...this.proxies(), ...(recipe.name === 'stackBuild' ? this.registries() : {}) },
      },
      (line) => steps.take(line),
    )
    await withDeadline(build, `building ${recipe.reference} took longer than ${buildDeadlineMs / 60_000} minutes`)
    steps.end()
  }

  private proxies(): Record<string, string> {
    const { httpProxy, noProxy } = this.network
    if (httpProxy === '') return {}
    const one = { http_proxy: httpProxy, https_proxy: httpProxy, no_proxy: noProxy }
    return { ...one, ...Object.fromEntries(Object.entries(one).map(([key, value]) => [key.toUpperCase(), value])) }
  }

  private registries(): Record<string, string> {
    const { npmRegistry, pypiIndex } = this.network
    return {
      ...(npmRegistry === '' ? {} : { NPM_REGISTRY: npmRegistry }),
      ...(pypiIndex === '' ? {} : { PYPI_INDEX: pypiIndex }),
    }
  }
}

/** Turns the output of a build into a line for each step, said when the step is over. */
class StepLines {
  private step = ''
  private startedAt = Date.now()

  constructor(
    private readonly name: string,
    private readonly onLine: (line: string) => void,
  ) {}

  take(line: string): void {
    const match = /^Step (\d+\/\d+) : (.*)$/.exec(line)
    if (!match) return
    this.end()
    this.step = `${match[1]} ${(match[2] ?? '').replace(/\s+/g, ' ').slice(0, 60)}`
    this.startedAt = Date.now()
  }

  end(): void {
    if (this.step !== '') this.onLine(`${this.name}: ${this.step} (${seconds(this.startedAt)})`)
    this.step = ''
  }
}

/** Removes images of ours whose key is not current any more; one that a container uses stays until the next build. */
async function removeOld(engine: Engine, built: readonly Recipe[], onLine: (line: string) => void): Promise<void> {
  const named = (await engine.listContainers({ [imagesLabel]: '' })).flatMap((c) =>
    (c.labels[imagesLabel] ?? '').split(' '),
  )
  for (const recipe of built) {
    for (const image of await engine.listImages({ [imageLabel]: recipe.name })) {
      if (Date.now() - image.createdAt.getTime() < keepOldMs) continue
      for (const tag of image.tags.filter(
        (t) => recipe.pattern.test(t) && t !== recipe.reference && !named.includes(t),
      )) {
        try {
          await engine.removeImage(tag)
          onLine(`${recipe.name}: removed ${tag}`)
        } catch (error) {
          if (!(error instanceof EngineError && error.kind === 'conflict')) throw error
        }
      }
    }
  }
}

async function withDeadline<T>(work: Promise<T>, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), buildDeadlineMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1_000).toFixed(1)} s`
}

function megabytes(image: Image | undefined): string {
  return `${Math.round((image?.sizeBytes ?? 0) / 1_000_000)} MB`
}
