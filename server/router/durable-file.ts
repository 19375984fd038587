/** Files that are whole after a crash at any moment: written beside, flushed, renamed over. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'

/** Replaces a file at once and durably; a reader sees the old text or the new one. */
export async function writeDurably(file: string, text: string, mode = 0o600): Promise<void> {
  const beside = `${file}.next`
  const handle = await open(beside, 'w', mode)
  try {
    await handle.writeFile(text)
    await handle.chmod(mode)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(beside, file)
  await syncFolder(path.dirname(file))
}

/** As `writeDurably`, but a file that already holds the text is left alone. */
export async function keepDurable(file: string, text: string, mode = 0o600): Promise<void> {
  if ((await readIfThere(file)) !== text) await writeDurably(file, text, mode)
}

export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error
  }
}

export async function removeFile(file: string): Promise<void> {
  await rm(file, { force: true })
}

export async function ensureFolder(dir: string, mode = 0o755): Promise<void> {
  await mkdir(dir, { recursive: true, mode })
}

export function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
