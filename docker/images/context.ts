/**
 * Build contexts: the files an image is made of, read once, so that what is hashed is what is sent.
 *
 * Owners, times and most mode bits of a checkout are accidents of the machine it is on. They are neither hashed nor
 * sent: everything is root's, readable, and executable where it is so in the checkout.
 */
import { createHash } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { pack } from 'tar-stream'

/** One entry of a build context; `path` is relative to the context's root, with forward slashes. */
export type ContextEntry =
  | { readonly path: string; readonly type: 'file'; readonly executable: boolean; readonly content: Buffer }
  | { readonly path: string; readonly type: 'link'; readonly target: string }
  | { readonly path: string; readonly type: 'folder' }

const leftOut = /^(__pycache__|node_modules|\.DS_Store|\.git|.*\.sw[op]|.*~)$/

/** A text file of ours that is in no folder of the checkout. */
export function textEntry(name: string, text: string): ContextEntry {
  return { path: name, type: 'file', executable: false, content: Buffer.from(text) }
}

/** All entries below a folder, as `prefix/…` in the context. An absent folder is an empty one. */
export async function readEntries(folder: string, prefix = ''): Promise<ContextEntry[]> {
  const entries: ContextEntry[] = prefix === '' ? [] : [{ path: prefix, type: 'folder' }]
  for (const item of (await itemsOf(folder)).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (leftOut.test(item.name)) continue
    const source = path.join(folder, item.name)
    const target = path.posix.join(prefix, item.name)
    if (item.isDirectory()) {
      entries.push(...(await readEntries(source, target)))
    } else if (item.isSymbolicLink()) {
      entries.push({ path: target, type: 'link', target: await readlink(source) })
    } else if (item.isFile()) {
      entries.push(await readEntry(source, target))
    }
  }
  return entries
}

/** One file of the checkout. */
export async function readEntry(source: string, target: string): Promise<ContextEntry> {
  const [content, status] = await Promise.all([readFile(source), stat(source)])
  return { path: target, type: 'file', executable: (status.mode & 0o111) !== 0, content }
}

async function itemsOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** A digest of the entries (in any order) and of what else decides about the image. */
export function digestOf(entries: readonly ContextEntry[], inputs: readonly string[]): string {
  const hash = createHash('sha256')
  for (const input of inputs) hash.update(`input ${Buffer.byteLength(input)}\n${input}\n`)
  for (const entry of [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    hash.update(`${entry.type} ${JSON.stringify(entry.path)}`)
    if (entry.type === 'file') {
      hash.update(` ${entry.executable} ${createHash('sha256').update(entry.content).digest('hex')}`)
    } else if (entry.type === 'link') {
      hash.update(` ${JSON.stringify(entry.target)}`)
    }
    hash.update('\n')
  }
  return hash.digest('hex')
}

/** The entries as the tar that the engine builds from. */
export function packEntries(entries: readonly ContextEntry[]): Readable {
  const tar = pack()
  const common = { uid: 0, gid: 0, mtime: new Date(0) }
  for (const entry of entries) {
    if (entry.type === 'folder') {
      tar.entry({ ...common, name: `${entry.path}/`, type: 'directory', mode: 0o755 })
    } else if (entry.type === 'link') {
      tar.entry({ ...common, name: entry.path, type: 'symlink', linkname: entry.target, mode: 0o777 })
    } else {
      tar.entry({ ...common, name: entry.path, mode: entry.executable ? 0o755 : 0o644 }, entry.content)
    }
  }
  tar.finalize()
  return tar as unknown as Readable
}
