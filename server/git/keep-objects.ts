/**
 * Makes the objects of a push the repository's own while git still has them in quarantine, by hard links. Git removes a
 * quarantine together with a push that isn't accepted, and a control plane that dies accepts none; what was deployed by
 * then must not go with it. Where the push is accepted after all, git finds its objects there already. Where it is
 * refused they belong to no ref, and git's own housekeeping removes them after two weeks.
 */
import { chown, link, mkdir, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { failpoint } from '../lib/failpoint.js'
import type { GitObjects } from './git-objects.js'

/** A pack counts once its index is there, so that comes last; `.keep` is the push's own lock. */
const packOrder = ['.pack', '.rev', '.idx']

export async function keepObjects(objects: GitObjects): Promise<void> {
  const { GIT_OBJECT_DIRECTORY: from, GIT_ALTERNATE_OBJECT_DIRECTORIES: to } = objects
  if (from === undefined || to === undefined) return
  for (const folder of (await readdir(from)).filter((name) => /^(?:[0-9a-f]{2}|pack)$/.test(name))) {
    const names = await readdir(path.join(from, folder))
    const wanted =
      folder === 'pack'
        ? packOrder.flatMap((end) => names.filter((name) => name.endsWith(end)))
        : names.filter((name) => /^[0-9a-f]+$/.test(name))
    await makeFolder(to, folder)
    for (const name of wanted) {
      await linkOnce(path.join(from, folder, name), path.join(to, folder, name))
      failpoint('push.keeping-commit')
    }
  }
}

/** With the owner of the folder it is in: git may run as a user of its own. */
async function makeFolder(parent: string, name: string): Promise<void> {
  const folder = path.join(parent, name)
  if ((await mkdir(folder, { recursive: true })) === undefined) return
  const { uid, gid } = await stat(parent)
  await chown(folder, uid, gid)
}

/** What has the same name has the same content: git names both kinds of files by it. */
async function linkOnce(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
