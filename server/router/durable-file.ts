/** Files that are whole after a crash at any moment: written beside, flushed, renamed over. */
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'

export interface FileText {
  readonly file: string
  readonly text: string
}

/** Replaces files at once and durably, each after the one before it; a reader of one sees the old text or the new. */
export async function replaceInOrder(files: readonly FileText[], mode = 0o600): Promise<void> {
  await Promise.all(files.map(({ file, text }) => writeFlushed(besideOf(file), text, mode)))
  for (const { file } of files) await rename(besideOf(file), file)
  await Promise.all([...new Set(files.map(({ file }) => path.dirname(file)))].map(flushFolder))
}

export async function writeDurably(file: string, text: string, mode = 0o600): Promise<void> {
  await replaceInOrder([{ file, text }], mode)
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

/** Makes a folder, and has its mode be so also where it was there. */
export async function ensureFolder(dir: string, mode = 0o755): Promise<void> {
  await mkdir(dir, { recursive: true })
  await chmod(dir, mode)
}

export function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/** What a write that was cut off leaves behind. */
export function besideOf(file: string): string {
  return `${file}.next`
}

async function writeFlushed(file: string, text: string, mode: number): Promise<void> {
  const handle = await open(file, 'w', mode)
  try {
    await handle.writeFile(text)
    await handle.chmod(mode)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function flushFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
