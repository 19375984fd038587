/**
 * The user that git runs as. A control plane that is root has the engine's socket, the sealing key and every other folder;
 * git, which unpacks what anybody pushed, has none of it: its own number without name, password or group, which owns the
 * repositories and may speak to the hook's socket. A control plane that isn't root runs git as itself.
 */
import { chmod, chown, lchown, lstat, mkdir, readdir } from 'node:fs/promises'
import path from 'node:path'

export interface RunAs {
  readonly uid: number
  readonly gid: number
}

/** The user for git; undefined where there is no choice. */
export function gitUser(uid: number): RunAs | undefined {
  return process.getuid?.() === 0 ? { uid, gid: uid } : undefined
}

/** Makes a folder that stays ours: git may pass through it and read what in it is readable, and others may not. */
export async function ensurePassableFolder(dir: string, user: RunAs | undefined): Promise<void> {
  await mkdir(dir, { recursive: true })
  if (user) await chown(dir, -1, user.gid)
  await chmod(dir, user ? 0o710 : 0o700)
}

/**
 * Gives a folder with all that is in it to git's user; one that is already git's is left alone. Links are given, not
 * followed. The folder itself comes last: a take-over that was cut short is begun again.
 */
export async function takeOver(dir: string, user: RunAs): Promise<void> {
  const { uid, gid } = await lstat(dir)
  if (uid === user.uid && gid === user.gid) return
  await giveContents(dir, user)
  await lchown(dir, user.uid, user.gid)
}

async function giveContents(dir: string, user: RunAs): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const entryPath = path.join(dir, entry.name)
    if (entry.isDirectory()) await giveContents(entryPath, user)
    await lchown(entryPath, user.uid, user.gid)
  }
}
