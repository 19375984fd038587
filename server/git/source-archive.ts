/**
 * A commit's whole tree as a tar stream, for the build. Size, number and names are looked at while it streams, so a small
 * pack that expands to a huge tree is stopped at the limit and not after it.
 */
import { type Readable, pipeline } from 'node:stream'
import { type GitObjects, readingFrom } from './git-objects.js'
import { checkOid, GitError, spawnGit, tailOfStderr } from './git-process.js'
import { TarMeter } from './tar-meter.js'

export interface ArchiveLimits {
  /** Sum of the files' sizes at most. */
  readonly maxBytes: number
  /** Files, folders and links at most. */
  readonly maxFiles: number
}

export interface SourceArchive {
  /** The tar stream, every path under `build/`; it fails with the error that `done` rejects with. */
  readonly stream: Readable
  /** What the archive held; rejects with a `PlatformError` when a limit is reached, and when git fails or is killed. */
  readonly done: Promise<{ readonly bytes: number; readonly files: number }>
  /** Ends git and the stream at once. */
  kill(): void
}

export function archiveSource(objects: GitObjects, oid: string, limits: ArchiveLimits): SourceArchive {
  const args = ['-c', 'tar.umask=0022', 'archive', '--format=tar', '--prefix=build/', checkOid(oid)]
  const child = spawnGit(args, readingFrom(objects))
  child.stdin.end()
  const stderr = tailOfStderr(child)
  const meter = new TarMeter(limits)
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const done = new Promise<{ bytes: number; files: number }>((resolve, reject) => {
    pipeline(child.stdout, meter, (error) => {
      if (error) child.kill('SIGKILL')
      exited.then((code) => {
        if (error) reject(error)
        else if (code !== 0) reject(new GitError('archive', code, stderr()))
        else resolve({ bytes: meter.contentBytes, files: meter.entries })
      }, reject)
    })
  })
  // Whoever only reads the stream learns of a failure there.
  done.catch((error) => meter.destroy(error))
  return {
    stream: meter,
    done,
    kill: () => {
      child.kill('SIGKILL')
      meter.destroy(new Error('reading the source was stopped'))
    },
  }
}
