/** Reads the lines of a file from its end, a block at a time, so that the newest few cost the same in any file. */
import { type FileHandle, open } from 'node:fs/promises'

const blockBytes = 64 * 1024
const newline = 10

async function readBlock(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const block = Buffer.allocUnsafe(to - from)
  let filled = 0
  while (filled < block.length) {
    const { bytesRead } = await file.read(block, filled, block.length - filled, from + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return block.subarray(0, filled)
}

/**
 * Calls back each whole line before byte `end`, last one first, without its line feed, until the callback returns false;
 * returns false then. What stands behind the last line feed is no line. A file that is gone has no lines.
 */
export async function readBackwards(path: string, end: number, onLine: (line: string) => boolean): Promise<boolean> {
  const file = await openIfThere(path)
  if (!file) return true
  try {
    let rest: Buffer = Buffer.alloc(0)
    let torn = true
    for (let to = end; to > 0; ) {
      const from = Math.max(0, to - blockBytes)
      const bytes = Buffer.concat([await readBlock(file, from, to), rest])
      let lineEnd = torn ? bytes.lastIndexOf(newline) : bytes.length
      if (lineEnd >= 0) {
        torn = false
        for (;;) {
          const at = lineEnd === 0 ? -1 : bytes.lastIndexOf(newline, lineEnd - 1)
          if (at < 0) break
          if (!onLine(bytes.toString('utf8', at + 1, lineEnd))) return false
          lineEnd = at
        }
        if (from === 0) return onLine(bytes.toString('utf8', 0, lineEnd))
        rest = bytes.subarray(0, lineEnd)
      }
      to = from
    }
    return true
  } finally {
    await file.close()
  }
}

/** Where the last whole line before byte `end` ends. */
export async function endOfLastLine(path: string, end: number): Promise<number> {
  const file = await openIfThere(path)
  if (!file) return 0
  try {
    for (let to = end; to > 0; to = Math.max(0, to - blockBytes)) {
      const from = Math.max(0, to - blockBytes)
      const at = (await readBlock(file, from, to)).lastIndexOf(newline)
      if (at >= 0) return from + at + 1
    }
    return 0
  } finally {
    await file.close()
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
