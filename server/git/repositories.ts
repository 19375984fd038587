/**
 * The bare repositories, one per app, named by the app's id so that renaming an app moves nothing.
 *
 * Their settings are in one shared file that each repository includes and that `prepare` writes afresh at every start: a
 * changed limit reaches repositories made long ago. The same folder holds the hooks that git runs for all of them. A
 * repository without either would take pushes undecided, which is why `prepare` comes before any push.
 */
import { randomUUID } from 'node:crypto'
import { access, constants, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { gitOutput, type RunAs } from './git-process.js'
import { repositoryAttributes, repositoryConfig } from './repository-config.js'

export interface RepositoriesOptions {
  /** Size of one pack at most, in bytes; git tells the pusher. */
  readonly packBytes: number
  readonly runAs?: RunAs
}

export interface Repositories {
  /** Folder of the shared hooks; git runs them for every repository. */
  readonly hooksDir: string
  /** Writes what all repositories share. Idempotent; before the first push of a process. */
  prepare(): Promise<void>
  /** Throws unless the shared settings are in place. */
  checkPrepared(): Promise<void>
  /** Makes the app's empty repository; one that is there already is left as it is. */
  create(appId: string): Promise<void>
  /** Removes the repository; it is gone at once for everybody who looks by name. One that isn't there is no error. */
  remove(appId: string): Promise<void>
  /** Throws for anything but a UUID: what comes from outside never becomes a path. */
  path(appId: string): string
  exists(appId: string): Promise<boolean>
  /** The object id a full ref name such as `refs/heads/master` points to. */
  readRef(appId: string, ref: string): Promise<string | undefined>
  /** The ref that HEAD names, whether or not it exists yet. */
  readHead(appId: string): Promise<string>
  setHead(appId: string, ref: string): Promise<void>
  /** Removes what killed pushes, creations and removals left behind. Only while no push runs: at start. */
  sweep(): Promise<void>
  /** Packs the repository if it has gathered many packs; safe beside pushes. */
  compact(appId: string): Promise<void>
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const deployRefs = ['refs/heads/master', 'refs/heads/main']

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}

async function writeAtomically(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`
  await writeFile(draft, text)
  await rename(draft, file)
}

async function sweepFolder(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (name.startsWith('.making-') || name.startsWith('.gone-'))
      await rm(path.join(dir, name), { recursive: true, force: true })
    if (!name.endsWith('.git')) continue
    const objects = path.join(dir, name, 'objects')
    for (const entry of await readdir(objects).catch(() => []))
      if (entry.startsWith('tmp_objdir-')) await rm(path.join(objects, entry), { recursive: true, force: true })
  }
}

export function repositories(dir: string, options: RepositoriesOptions): Repositories {
  const sharedDir = path.join(dir, '.shared')
  const hooksDir = path.join(sharedDir, 'hooks')
  const configFile = path.join(sharedDir, 'config')
  const templateDir = path.join(sharedDir, 'template')
  const run = { runAs: options.runAs }

  const repositoryPath = (appId: string) => {
    if (!uuidPattern.test(appId)) throw new Error(`'${appId.slice(0, 80)}' isn't an app's id`)
    return path.join(dir, `${appId}.git`)
  }
  const git = async (appId: string, args: readonly string[]) =>
    (await gitOutput([`--git-dir=${repositoryPath(appId)}`, ...args], run)).toString('utf8').trimEnd()

  const prepare = async () => {
    await mkdir(hooksDir, { recursive: true })
    await mkdir(path.join(templateDir, 'info'), { recursive: true })
    await writeAtomically(configFile, repositoryConfig({ hooksDir, packBytes: options.packBytes }))
    await writeAtomically(path.join(templateDir, 'config'), '[include]\n\tpath = ../.shared/config\n')
    await writeAtomically(path.join(templateDir, 'info/attributes'), repositoryAttributes)
  }
  let prepared: Promise<void> | undefined

  const repos: Repositories = {
    hooksDir,
    prepare: () => {
      prepared = prepare()
      return prepared
    },
    checkPrepared: () => access(configFile, constants.R_OK),
    path: repositoryPath,
    exists: (appId) => exists(path.join(repositoryPath(appId), 'HEAD')),
    async create(appId) {
      const target = repositoryPath(appId)
      if (await repos.exists(appId)) return
      await (prepared ?? repos.prepare())
      const draft = path.join(dir, `.making-${randomUUID()}`)
      try {
        await gitOutput(
          ['init', '--quiet', '--bare', '--initial-branch=master', `--template=${templateDir}`, draft],
          run,
        )
        await rename(draft, target)
      } catch (error) {
        await rm(draft, { recursive: true, force: true })
        if (!(await repos.exists(appId))) throw error
      }
    },
    async remove(appId) {
      const gone = path.join(dir, `.gone-${randomUUID()}`)
      try {
        await rename(repositoryPath(appId), gone)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
        throw error
      }
      await rm(gone, { recursive: true, force: true, maxRetries: 3 })
    },
    async readRef(appId, ref) {
      const listed = await git(appId, ['for-each-ref', '--format=%(objectname) %(refname)', ref])
      const line = listed.split('\n').find((each) => each.endsWith(` ${ref}`))
      return line?.split(' ')[0]
    },
    readHead: (appId) => git(appId, ['symbolic-ref', 'HEAD']),
    async setHead(appId, ref) {
      if (!deployRefs.includes(ref)) throw new Error(`HEAD names one of ${deployRefs.join(', ')}, not ${ref}`)
      await git(appId, ['symbolic-ref', 'HEAD', ref])
    },
    sweep: async () => {
      if (await exists(dir)) await sweepFolder(dir)
    },
    async compact(appId) {
      const args = [`--git-dir=${repositoryPath(appId)}`, 'gc', '--auto', '--quiet']
      await gitOutput(args, { ...run, deadlineMs: 10 * 60_000 })
    },
  }
  return repos
}
