/**
 * What each image is made of: its folder here, what else goes into its context, and the image it stands on. To change an
 * image, edit its folder; its key, and those of all that stand on it, change with it.
 */
import { access, readFile } from 'node:fs/promises'
import path from 'node:path'
import { type ContextEntry, digestOf, readEntries, readEntry, textEntry } from './context.js'
import { suite } from './debian-mirror.js'
import { bootstrapArguments } from './rootfs.js'

/** The images the platform runs, in the order they are built. */
export const imageNames = ['stack', 'stackBuild', 'router', 'postgres', 'controlPlane'] as const

export type ImageName = (typeof imageNames)[number]

/** `base` is what the others stand on; it runs nothing itself. */
export type RecipeName = ImageName | 'base'

/** What of the machine decides about the images. */
export interface RecipeInputs {
  /** The project's folder. */
  readonly root: string
  /** Address of the Debian mirror. */
  readonly mirror: string
  /** Certificates (PEM) to trust beside Debian's; empty for none. */
  readonly caCertificates: string
}

/** An image that can be built: its reference carries a digest of everything that decides about it. */
export interface Recipe {
  readonly name: RecipeName
  readonly repository: string
  readonly reference: string
  readonly parent: RecipeName | undefined
  readonly context: readonly ContextEntry[]
  /** Matches the references of this image, whatever their key. */
  readonly pattern: RegExp
}

interface Declaration {
  readonly repository: string
  readonly version?: string
  readonly parent?: RecipeName
  entries(inputs: RecipeInputs): Promise<ContextEntry[]>
}

const certificatesPath = 'ca/extra.pem'

const declarations: Readonly<Record<RecipeName, Declaration>> = {
  base: {
    repository: 'paas/base',
    version: '13',
    entries: async ({ root, caCertificates }) => [
      ...(await folder(root, 'docker/stack/base')),
      textEntry(certificatesPath, caCertificates),
    ],
  },
  stack: {
    repository: 'paas/stack',
    version: '13',
    parent: 'base',
    entries: ({ root }) => folder(root, 'docker/stack/run'),
  },
  stackBuild: {
    repository: 'paas/stack-build',
    version: '13',
    parent: 'stack',
    entries: async ({ root }) => [
      ...(await folder(root, 'docker/stack/build')),
      ...(await readEntries(path.join(root, 'buildpacks'), 'buildpacks')),
      ...(await readEntries(path.join(root, 'docker/stack/build-driver'), 'build-driver')),
    ],
  },
  router: { repository: 'paas/router', parent: 'base', entries: ({ root }) => folder(root, 'docker/router') },
  postgres: {
    repository: 'paas/postgres',
    version: '17',
    parent: 'base',
    entries: ({ root }) => folder(root, 'docker/postgres'),
  },
  controlPlane: {
    repository: 'paas/control-plane',
    parent: 'base',
    entries: async ({ root }) => [
      ...(await folder(root, 'docker/control-plane')),
      await bundle(root),
      ...(await readEntries(path.join(root, 'dist/server/store/migrations'), 'dist/server/store/migrations')),
    ],
  },
}

/** The recipe of an image and, before it, those of all it stands on. Throws a sentence when a part is missing. */
export async function loadRecipes(name: RecipeName, inputs: RecipeInputs): Promise<Recipe[]> {
  const { repository, version, parent, entries } = declarations[name]
  const below = parent === undefined ? [] : await loadRecipes(parent, inputs)
  const context = await entries(inputs)
  const under = below.at(-1)?.reference ?? [suite, inputs.mirror, ...bootstrapArguments].join('\n')
  const prefix = version === undefined ? '' : `${version}-`
  // Certificates come and go with the machine's administration; they are mounted afresh wherever they matter.
  const deciding = context.filter((entry) => entry.path !== certificatesPath)
  const key = digestOf(deciding, [
    name,
    under,
    inputs.caCertificates === '' ? 'no certificates' : 'certificates',
  ]).slice(0, 12)
  const recipe: Recipe = {
    name,
    repository,
    reference: `${repository}:${prefix}${key}`,
    parent,
    context,
    pattern: new RegExp(`^${repository}:${prefix}[0-9a-f]{12}$`),
  }
  return [...below, recipe]
}

async function folder(root: string, name: string): Promise<ContextEntry[]> {
  const entries = await readEntries(path.join(root, name))
  if (!entries.some((entry) => entry.path === 'Dockerfile')) throw new Error(`${name}/Dockerfile is missing`)
  return entries
}

async function bundle(root: string): Promise<ContextEntry> {
  const file = path.join(root, 'dist/control-plane.mjs')
  try {
    return await readEntry(file, 'dist/control-plane.mjs')
  } catch (error) {
    throw new Error('dist/control-plane.mjs is missing; make it with `npm run build`', { cause: error })
  }
}

/** The certificates of a PEM file without the comments around them, so that only they decide about a key. */
export async function readCertificates(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new Error(`${file} can't be read; check PAAS_CA_BUNDLE`, { cause: error })
  })
  const certificates =
    text.replace(/\r/g, '').match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []
  if (certificates.length === 0) throw new Error(`${file} holds no PEM certificate; check PAAS_CA_BUNDLE`)
  return `${certificates.join('\n')}\n`
}

/** The project's folder, from a source file as well as from a compiled one under dist/. */
export async function findProjectRoot(from: string): Promise<string> {
  for (let at = from; ; at = path.dirname(at)) {
    const found = await access(path.join(at, 'package.json')).then(
      () => true,
      () => false,
    )
    if (found) return at
    if (path.dirname(at) === at) throw new Error(`no package.json in or above ${from}`)
  }
}
