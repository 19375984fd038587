/**
 * Reading what was pushed, out of the object store and never out of a checkout: no path of a tree is ever opened as a
 * file here, so a link in a tree leads nowhere. Works on quarantined objects and on accepted ones alike.
 */
import { checkOid, type GitOptions, gitOutput } from './git-process.js'
import type { RunAs } from './git-user.js'

/** Where objects are: the variables that git's own tools take. */
export interface GitObjects {
  readonly GIT_DIR: string
  readonly GIT_OBJECT_DIRECTORY?: string
  readonly GIT_ALTERNATE_OBJECT_DIRECTORIES?: string
  readonly runAs?: RunAs | undefined
}

/** Options that make a git process see these objects. */
export function readingFrom({ runAs, ...objects }: GitObjects): GitOptions {
  const env = Object.fromEntries(Object.entries(objects).filter(([, value]) => value !== undefined && value !== ''))
  return { env: { ...env, GIT_LITERAL_PATHSPECS: '1' }, runAs }
}

export interface ObjectCheck {
  /** What the ref points to at this moment. */
  readonly refOid: string | undefined
  /** `commit`, `tag`, …; undefined when there is no such object. */
  readonly type: string | undefined
  /** Whether HEAD leads to a commit. */
  readonly isHeadBorn: boolean
}

/** Looks at a ref, an object and HEAD with one process. */
export async function checkObjects(objects: GitObjects, ref: string, oid: string): Promise<ObjectCheck> {
  const output = await gitOutput(['cat-file', '--batch-check=%(objectname) %(objecttype)'], {
    ...readingFrom(objects),
    input: `${ref}\n${checkOid(oid)}\nHEAD\n`,
  })
  const [refLine = '', oidLine = '', headLine = ''] = output.toString('utf8').split('\n')
  const found = (line: string) => (line.endsWith(' missing') ? undefined : line.split(' '))
  return { refOid: found(refLine)?.[0], type: found(oidLine)?.[1], isHeadBorn: found(headLine) !== undefined }
}

export interface RootFiles {
  /** Contents of the wanted files that are regular files, by name. */
  readonly files: ReadonlyMap<string, Buffer>
  /** Wanted names that exist but aren't read, each with the reason as a sentence for the pusher. */
  readonly ignored: ReadonlyMap<string, string>
}

const nameOfMode: Record<string, string> = {
  '120000': 'a symbolic link',
  '160000': 'a submodule',
  '040000': 'a folder',
}

/**
 * Reads files at the root of a commit's tree: regular ones of at most `maxBytes` each. A name that doesn't exist is in
 * neither map.
 */
export async function readBlobs(
  objects: GitObjects,
  oid: string,
  names: readonly string[],
  { maxBytes }: { readonly maxBytes: number },
): Promise<RootFiles> {
  const files = new Map<string, Buffer>()
  const ignored = new Map<string, string>()
  const wanted = names.filter((name) => /^[\w.-]+$/.test(name) && name !== '.' && name !== '..')
  if (wanted.length !== names.length) throw new Error('readBlobs takes plain names of files at the root')
  const options = readingFrom(objects)
  const listed = await gitOutput(['ls-tree', '-z', '-l', '--full-tree', checkOid(oid), '--', ...wanted], options)
  const regular: { name: string; blobOid: string }[] = []
  for (const entry of listed.toString('utf8').split('\0')) {
    const [, mode = '', blobOid = '', size = '', name] = /^(\d+) \w+ ([0-9a-f]+) +(\d+|-)\t(.+)$/s.exec(entry) ?? []
    if (name === undefined) continue
    if (mode !== '100644' && mode !== '100755')
      ignored.set(name, `${name} is ${nameOfMode[mode] ?? 'no regular file'}; it must be a regular file.`)
    else if (Number(size) > maxBytes) ignored.set(name, `${name} has ${size} bytes; it may have ${maxBytes}.`)
    else regular.push({ name, blobOid })
  }
  if (regular.length === 0) return { files, ignored }
  const contents = await gitOutput(['cat-file', '--batch=%(objectsize)'], {
    ...options,
    input: `${regular.map((each) => each.blobOid).join('\n')}\n`,
    maxBytes: regular.length * (maxBytes + 64),
  })
  let at = 0
  for (const { name } of regular) {
    const lineEnd = contents.indexOf(10, at)
    const size = Number(contents.toString('latin1', at, lineEnd))
    if (lineEnd < 0 || !Number.isInteger(size)) throw new Error(`reading ${name} of ${oid}: an object is missing`)
    files.set(name, contents.subarray(lineEnd + 1, lineEnd + 1 + size))
    at = lineEnd + 1 + size + 1
  }
  return { files, ignored }
}

export interface CommitInfo {
  readonly subject: string
  readonly authorName: string
  readonly authorEmail: string
  readonly committedAt: Date
}

/** The first line, the author and the time of a commit, each text cut at 1,000 characters: they go into a build's description. */
export async function commitInfo(objects: GitObjects, oid: string): Promise<CommitInfo> {
  const args = [
    'log',
    '-1',
    '--no-walk',
    '--no-show-signature',
    '--format=%s%x00%an%x00%ae%x00%ct',
    checkOid(oid),
    '--',
  ]
  const output = await gitOutput(args, { ...readingFrom(objects), maxBytes: 32 * 1024 ** 2 })
  const [subject = '', authorName = '', authorEmail = '', seconds = ''] = output
    .toString('utf8')
    .split('\0')
    .map((field) => field.trim().slice(0, 1000))
  return { subject, authorName, authorEmail, committedAt: new Date(Number(seconds) * 1_000) }
}
