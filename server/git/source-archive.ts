/**
 * A commit's whole tree as a tar stream, for the build. Size, number and names are looked at while it streams, so a small
 * pack that expands to a huge tree is stopped at the limit and not after it.
 */
import { type Readable, pipeline } from 'node:stream'
import { type GitObjects, readingFrom } from './git-objects.js'
import { checkOid, endGroup, GitError, spawnGit, tailOfStderr } from './git-process.js'
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

/**
 * Starts reading the tree. Attributes of the tree aren't looked at: every file comes as it was committed, and git need not
 * load a whole tree before its first byte, which a tree of ten million paths is made to exploit.
 */
export function archiveSource(objects: GitObjects, oid: string, limits: ArchiveLimits): SourceArchive {
  const args = ['archive', '--format=tar', '--prefix=build/', '--worktree-attributes', checkOid(oid)]
  const child = spawnGit(['--bare', '-c', 'tar.umask=0022', ...args], readingFrom(objects))
  child.stdin.end()
  const stderr = tailOfStderr(child)
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => reject(new Error('starting git archive', { cause: error })))
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new GitError('archive', code, stderr()))))
  })
  exited.catch(() => {})
  const meter = new TarMeter(limits, exited)
  // It may fail before anybody reads it; reading it fails with the same error then.
  meter.on('error', () => {})
  const done = new Promise<{ bytes: number; files: number }>((resolve, reject) => {
    pipeline(child.stdout, meter, (error) => {
      if (error) endGroup(child, 'SIGKILL')
      if (error) reject(error)
      else resolve({ bytes: meter.contentBytes, files: meter.entries })
    })
  })
  // Whoever only reads the stream learns of a failure there.
  done.catch(() => {})
  return {
    stream: meter,
    done,
    kill: () => {
      endGroup(child, 'SIGKILL')
      meter.destroy(new Error('reading the source was stopped'))
    },
  }
}
