/**
 * The bare repositories, one per app, named by the app's id so that renaming an app moves nothing.
 *
 * Their settings are in one shared file that each repository includes and that `prepare` writes afresh at every start: a
 * changed limit reaches repositories made long ago. The same folder holds the hooks that git runs for all of them. A
 * repository without either would take pushes undecided, which is why `prepare` comes before any push.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { access, constants, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { failpoint } from '../lib/failpoint.js'
import { removeTree } from '../lib/remove-tree.js'
import { checkOid, GitError, gitOutput } from './git-process.js'
import { ensurePassableFolder, type RunAs, takeOver } from './git-user.js'
import { isDeployRef } from './ref-rules.js'
import { repositoryAttributes, repositoryConfig } from './repository-config.js'

export interface RepositoriesOptions {
  /** Size of one pack at most, in bytes; git tells the pusher. */
  readonly packBytes: number
  readonly runAs?: RunAs | undefined
}

export interface Repositories {
  /** Who owns the repositories and works on them; undefined: the control plane's own user. */
  readonly runAs: RunAs | undefined
  /** Folder of the shared hooks; git runs them for every repository. */
  readonly hooksDir: string
  /**
   * Writes what all repositories share, and gives git's user the repositories that another one has. Idempotent; before the
   * first push of a process. Throws a sentence when git can't get there.
   */
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
  /** Leads a branch to a commit that is there, from wherever it is now; true when it had to be moved. */
  moveRef(appId: string, ref: string, oid: string): Promise<boolean>
  /** The ref that HEAD names, whether or not it exists yet. */
  readHead(appId: string): Promise<string>
  setHead(appId: string, ref: string): Promise<void>
  /**
   * Removes what killed pushes, creations and removals left behind; tells of what it can't remove, and leaves it. Only while
   * no push runs: at start.
   */
  sweep(onLeft: (error: unknown) => void): Promise<void>
  /**
   * Removes the quarantines that are there at the moment of the call, before anything else can happen. Only while nobody
   * pushes to this repository.
   */
  sweepQuarantines(appId: string): Promise<void>
  /** Packs the repository if it has gathered many packs; safe beside pushes. */
  compact(appId: string): Promise<void>
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function repositories(dir: string, options: RepositoriesOptions): Repositories {
  return new BareRepositories(dir, options)
}

class BareRepositories implements Repositories {
  readonly hooksDir: string
  readonly runAs: RunAs | undefined
  readonly #dir: string
  readonly #options: RepositoriesOptions
  readonly #configFile: string
  readonly #templateDir: string
  #prepared: Promise<void> | undefined

  constructor(dir: string, options: RepositoriesOptions) {
    this.#dir = dir
    this.#options = options
    this.runAs = options.runAs
    this.hooksDir = path.join(dir, '.shared/hooks')
    this.#configFile = path.join(dir, '.shared/config')
    this.#templateDir = path.join(dir, '.shared/template')
  }

  prepare(): Promise<void> {
    this.#prepared = this.#prepareFolders()
    return this.#prepared
  }

  checkPrepared(): Promise<void> {
    return access(this.#configFile, constants.R_OK)
  }

  path(appId: string): string {
    if (!uuidPattern.test(appId)) throw new Error(`'${appId.slice(0, 80)}' isn't an app's id`)
    return path.join(this.#dir, `${appId}.git`)
  }

  exists(appId: string): Promise<boolean> {
    return isThere(path.join(this.path(appId), 'HEAD'))
  }

  async create(appId: string): Promise<void> {
    if (await this.exists(appId)) return
    await (this.#prepared ?? this.prepare())
    const draft = path.join(this.#dir, `.making-${randomUUID()}`)
    const args = ['init', '--quiet', '--bare', '--initial-branch=master', `--template=${this.#templateDir}`, draft]
    try {
      await mkdir(draft, { mode: 0o700 })
      if (this.runAs) await takeOver(draft, this.runAs)
      await gitOutput(args, { runAs: this.runAs })
      failpoint('repository.drafted')
      await rename(draft, this.path(appId))
      failpoint('repository.made')
    } catch (error) {
      await removeTree(draft)
      if (!(await this.exists(appId))) throw error
    }
  }

  async remove(appId: string): Promise<void> {
    const gone = path.join(this.#dir, `.gone-${randomUUID()}`)
    try {
      await rename(this.path(appId), gone)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    failpoint('repository.set-aside')
    await removeTree(gone)
  }

  async readRef(appId: string, ref: string): Promise<string | undefined> {
    // The pattern also matches what is below such a name.
    const listed = await this.#git(appId, ['for-each-ref', '--format=%(objectname) %(refname)', ref])
    const line = listed.split('\n').find((each) => each.endsWith(` ${ref}`))
    return line?.split(' ')[0]
  }

  async moveRef(appId: string, ref: string, oid: string): Promise<boolean> {
    if (!isDeployRef(ref)) throw new Error(`only branches that deploy are moved, not ${ref}`)
    // Almost always it is there already, as a file of its own.
    const loose = await readFile(path.join(this.path(appId), ref), 'utf8').catch(() => '')
    if (loose.trim() === oid) return false
    const before = await this.readRef(appId, ref)
    if (before === oid) return false
    failpoint('ref.before-move')
    await this.#git(appId, ['update-ref', ref, checkOid(oid), before ?? '0'.repeat(oid.length)])
    failpoint('ref.moved')
    return true
  }

  readHead(appId: string): Promise<string> {
    return this.#git(appId, ['symbolic-ref', 'HEAD'])
  }

  async setHead(appId: string, ref: string): Promise<void> {
    if (!isDeployRef(ref)) throw new Error(`HEAD names a branch that deploys, not ${ref}`)
    await this.#git(appId, ['symbolic-ref', 'HEAD', ref])
  }

  async sweep(onLeft: (error: unknown) => void): Promise<void> {
    const shared = path.dirname(this.hooksDir)
    for (const name of await readdir(shared).catch(() => []))
      if (/^(?:\.hook|config)[-.][0-9a-f-]{36}$/.test(name)) await rm(path.join(shared, name), { force: true })
    for (const name of await readdir(this.#dir).catch(() => [])) {
      if (name.startsWith('.making-') || name.startsWith('.gone-'))
        await removeTree(path.join(this.#dir, name)).catch(onLeft)
      if (!name.endsWith('.git')) continue
      await removeQuarantines(path.join(this.#dir, name)).catch(onLeft)
    }
  }

  sweepQuarantines(appId: string): Promise<void> {
    return removeQuarantines(this.path(appId))
  }

  async compact(appId: string): Promise<void> {
    await this.#git(appId, ['gc', '--auto', '--quiet'], 10 * 60_000)
  }

  async #git(appId: string, args: readonly string[], deadlineMs?: number): Promise<string> {
    const options = { runAs: this.runAs, deadlineMs }
    const output = await gitOutput([`--git-dir=${this.path(appId)}`, ...args], options)
    return output.toString('utf8').trimEnd()
  }

  async #prepareFolders(): Promise<void> {
    await ensurePassableFolder(this.#dir, this.runAs)
    await this.#writeShared()
    await this.#checkReach()
    for (const name of await readdir(this.#dir))
      if (this.runAs && name.endsWith('.git')) await takeOver(path.join(this.#dir, name), this.runAs)
  }

  async #checkReach(): Promise<void> {
    try {
      await gitOutput(['config', `--file=${this.#configFile}`, '--list'], { runAs: this.runAs })
    } catch (error) {
      if (!(error instanceof GitError) || !this.runAs) throw error
      throw new Error(
        `git, which runs as user ${this.runAs.uid}, can't reach ${this.#dir}. Every folder above it must be passable for everybody: chmod o+x`,
        { cause: error },
      )
    }
  }

  async #writeShared(): Promise<void> {
    const { packBytes } = this.#options
    await mkdir(this.hooksDir, { recursive: true })
    await mkdir(path.join(this.#templateDir, 'info'), { recursive: true })
    await writeAtomically(this.#configFile, repositoryConfig({ hooksDir: this.hooksDir, packBytes }))
    await writeAtomically(path.join(this.#templateDir, 'config'), '[include]\n\tpath = ../.shared/config\n')
    await writeAtomically(path.join(this.#templateDir, 'info/attributes'), repositoryAttributes)
  }
}

function isThere(file: string): Promise<boolean> {
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

/** Looks at once: a push that begins in the next moment has a quarantine that isn't ours to remove. */
async function removeQuarantines(repositoryPath: string): Promise<void> {
  const objects = path.join(repositoryPath, 'objects')
  const names = existsSync(objects) ? readdirSync(objects) : []
  for (const name of names) if (name.startsWith('tmp_objdir-')) await removeTree(path.join(objects, name))
}
