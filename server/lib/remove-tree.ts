/**
 * Removes what tenants may have written. Node's own `fs.rm` walks by whole paths and fails where folders are nested deeper
 * than a path may be long; the system's `rm` goes down folder by folder, whatever their depth.
 */
import { spawn } from 'node:child_process'
import { lstat, unlink } from 'node:fs/promises'
import path from 'node:path'

/** What is kept of the complaints of `rm`, which may be one a file. */
const complaintBytes = 2_000
/** Somebody may still be writing where it removes. */
const attempts = 3

/**
 * Removes a file, or a folder with all that is in it; what isn't there is no error. Links are not followed, and other file
 * systems not entered. Takes an absolute path; throws with what `rm` says when something stays.
 */
export async function removeTree(target: string): Promise<void> {
  if (!path.isAbsolute(target)) throw new Error(`only absolute paths are removed, not ${target}`)
  try {
    if (!(await lstat(target)).isDirectory()) return await unlink(target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  for (let attempt = 1; ; attempt++) {
    const complaint = await removeFolder(target)
    if (complaint === undefined) return
    if (attempt === attempts || !complaint.includes('Directory not empty'))
      throw new Error(`${target} could not be removed: ${complaint}`)
  }
}

/** Undefined when all of it is gone, otherwise the first complaints. */
function removeFolder(target: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const removal = spawn('/bin/rm', ['-rf', '--one-file-system', '--', target], {
      // Its complaints are read above.
      env: { LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let complaint = ''
    removal.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < complaintBytes) complaint = `${complaint}${text}`.slice(0, complaintBytes)
    })
    removal.once('error', reject)
    removal.once('close', (code, signal) =>
      resolve(code === 0 ? undefined : complaint.trim() || `rm ended with ${code ?? signal}`),
    )
  })
}
