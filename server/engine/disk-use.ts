/** How much disk the own files of containers take: all that they wrote above their images. */
import { access } from 'node:fs/promises'
import type Docker from 'dockerode'
import { folderUse } from '../lib/folder-use.js'
import { statusOf } from './engine-error.js'

/**
 * Counts in the engine's own folder of the container's files where we can see it, for there blocks and files are counted.
 * Else the engine is asked, which adds up lengths: a million files of one byte are a megabyte to it.
 */
export function diskUseCall(docker: Docker): (ids: readonly string[]) => Promise<ReadonlyMap<string, number>> {
  /** By container; none where its folder is out of our sight. */
  const folders = new Map<string, string | undefined>()

  const folderOf = async (id: string): Promise<string | undefined> => {
    if (folders.has(id)) return folders.get(id)
    const info = (await docker.getContainer(id).inspect()) as { GraphDriver?: { Data?: { UpperDir?: string } | null } }
    const folder = info.GraphDriver?.Data?.UpperDir
    const isVisible = folder !== undefined && (await access(folder).then(isTrue, isFalse))
    folders.set(id, isVisible ? folder : undefined)
    return folders.get(id)
  }

  const askEngine = async (id: string): Promise<number> => {
    const info = (await docker.getContainer(id).inspect({ size: true } as object)) as { SizeRw?: number }
    return info.SizeRw ?? 0
  }

  return async (ids) => {
    for (const id of folders.keys()) if (!ids.includes(id)) folders.delete(id)
    const use = new Map<string, number>()
    const seen = new Map<string, string>()
    for (const id of ids)
      try {
        const folder = await folderOf(id)
        if (folder === undefined) use.set(id, await askEngine(id))
        else seen.set(folder, id)
      } catch (error) {
        // Gone meanwhile: it takes nothing.
        if (statusOf(error) !== 404) throw error
      }
    for (const [folder, bytes] of await folderUse([...seen.keys()])) {
      const id = seen.get(folder)
      if (id !== undefined) use.set(id, bytes)
    }
    return use
  }
}

const isTrue = () => true
const isFalse = () => false
