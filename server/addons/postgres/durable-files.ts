/** Files and renames that are still there after a power cut: each is on disk, with its name, before the call returns. */
import { mkdir, open, rename, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Puts a folder's entries on disk: what was made, renamed or removed in it. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Replaces a file at once: readers see the old or the new text, whole. */
export async function writeDurably(file: string, text: string, mode = 0o644): Promise<void> {
  const fresh = `${file}.new`
  await writeFile(fresh, text, { mode, flush: true })
  await rename(fresh, file)
  await syncFolder(path.dirname(file))
}

/** Moves a folder within a file system in one step. False when it isn't there (any more). */
export async function moveDurably(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  await syncFolder(path.dirname(to))
  await syncFolder(path.dirname(from))
  return true
}

/** Makes a folder and those above it where missing, and puts them on disk. */
export async function makeFolder(folder: string, mode = 0o755): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode })
  if (first !== undefined) await syncFolder(path.dirname(first))
}

export async function exists(file: string): Promise<boolean> {
  try {
    await stat(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
