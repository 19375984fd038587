/** What folders take of their disk, told by `du`, which walks a large tree far faster than we could. */
import { execFile } from 'node:child_process'

/** A file takes at least this much: a million empty ones fill a disk's table of files as surely as bytes fill the disk. */
const bytesPerFile = 4096

/**
 * Bytes by folder, in blocks as the disk gives them out, and no less than 4 KiB a file. Folders that are gone are left out;
 * files that go while they are counted don't matter.
 */
export async function folderUse(folders: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (folders.length === 0) return new Map()
  const [bytes, files] = await Promise.all([sums(['--block-size=1'], folders), sums(['--inodes'], folders)])
  return new Map([...bytes].map(([folder, sum]) => [folder, Math.max(sum, (files.get(folder) ?? 0) * bytesPerFile)]))
}

async function sums(options: readonly string[], folders: readonly string[]): Promise<Map<string, number>> {
  const args = ['-n', '19', 'du', '--summarize', '--one-file-system', '--null', ...options, '--', ...folders]
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile('nice', args, { maxBuffer: 16 * 1024 ** 2 }, (error, out) => {
      // It ends with 1 when something was gone before it came there, and tells the sums all the same.
      if (error && (typeof error.code !== 'number' || error.code > 1)) reject(error)
      else resolve(out)
    })
  })
  const found = [...stdout.matchAll(/(\d+)\t([^\0]*)\0/g)].map(
    ([, sum, folder]) => [folder ?? '', Number(sum)] as const,
  )
  return new Map(found)
}
