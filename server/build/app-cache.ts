/**
 * What is kept of an app between builds, below `builds/apps/<app id>/`: the dependency layers' trees and CACHE_DIR of its
 * last successful build, and `layers.json`, our own record of which image layer each tree is.
 *
 * A build borrows the folder by renaming it into its room. The record is removed before anything changes and written when
 * all is in place: without it the folder counts as empty, so a crash costs a slower build and nothing else.
 */
import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../config.js'
import { failpoint } from '../lib/failpoint.js'
import { removeTree } from '../lib/remove-tree.js'
import { dynoUid } from '../model/dyno-user.js'

/** One dependency layer: which tree (`name`), where it goes in the image, what it was made of, and its digest. */
export interface LayerRecord {
  readonly name: string
  readonly path: string
  readonly key: string
  readonly diffId: string
  readonly bytes: number
  /** False: kept for the next build only. */
  readonly isLaunch: boolean
}

export interface AppCache {
  /** Moves what is kept into a room; returns the records of the layers that came along. */
  lend(roomDir: string): Promise<readonly LayerRecord[]>
  /** Takes everything back as it was: the build failed. */
  takeBack(roomDir: string): Promise<void>
  /** Keeps exactly these layers from now on, and the new CACHE_DIR if the build changed it. */
  promote(roomDir: string, layers: readonly LayerRecord[], cacheChanged: boolean): Promise<void>
  remove(): Promise<void>
}

async function isFolder(file: string): Promise<boolean> {
  try {
    return (await lstat(file)).isDirectory()
  } catch {
    return false
  }
}

async function moveFile(from: string, to: string): Promise<void> {
  try {
    if (!(await lstat(from)).isFile()) return
  } catch {
    return
  }
  await removeTree(to)
  await rename(from, to)
}

/** Moves a folder; a link or a file in its place is removed instead of followed. */
async function moveFolder(from: string, to: string): Promise<void> {
  await removeTree(to)
  if (await isFolder(from)) await rename(from, to)
}

export function appCache(config: Pick<Config, 'dataDir'>, appId: string): AppCache {
  const home = path.join(config.dataDir, 'builds', 'apps', appId)
  const record = path.join(home, 'layers.json')
  const kept = ['layers', 'cache'] as const

  const readRecord = async (): Promise<LayerRecord[] | undefined> => {
    try {
      const { uid, layers } = JSON.parse(await readFile(record, 'utf8')) as { uid?: number; layers: LayerRecord[] }
      // What belongs to a user of an earlier version can't all be read by today's.
      return uid === dynoUid ? layers : undefined
    } catch {
      return undefined
    }
  }
  const writeRecord = async (layers: readonly LayerRecord[]) => {
    await writeFile(`${record}.new`, JSON.stringify({ uid: dynoUid, layers }), { flush: true })
    await rename(`${record}.new`, record)
  }
  const borrowed = (roomDir: string, name: string) => path.join(roomDir, 'previous', name)

  return {
    async lend(roomDir) {
      const layers = await readRecord()
      if (layers === undefined) {
        await removeTree(home)
        return []
      }
      await rm(record, { force: true })
      failpoint('cache.lending')
      await writeFile(path.join(roomDir, 'previous', 'record.json'), JSON.stringify(layers))
      for (const name of kept)
        if (await isFolder(path.join(home, name))) await rename(path.join(home, name), borrowed(roomDir, name))
      failpoint('cache.lent')
      return layers
    },
    async takeBack(roomDir) {
      let layers: LayerRecord[]
      try {
        layers = JSON.parse(await readFile(path.join(roomDir, 'previous', 'record.json'), 'utf8')) as LayerRecord[]
      } catch {
        return
      }
      await mkdir(home, { recursive: true })
      for (const name of kept)
        if (await isFolder(borrowed(roomDir, name))) await moveFolder(borrowed(roomDir, name), path.join(home, name))
      failpoint('cache.taking-back')
      await writeRecord(layers)
    },
    async promote(roomDir, layers, cacheChanged) {
      const trees = path.join(home, 'layers')
      await mkdir(home, { recursive: true })
      await rm(record, { force: true })
      await moveFolder(borrowed(roomDir, 'layers'), trees)
      await mkdir(trees, { recursive: true })
      failpoint('cache.promoting')
      for (const layer of layers) {
        const fresh = path.join(roomDir, 'layers', layer.name)
        if (await isFolder(fresh)) await moveFolder(fresh, path.join(trees, layer.name))
        for (const beside of ['json', 'list'])
          await moveFile(`${fresh}.${beside}`, path.join(trees, `${layer.name}.${beside}`))
      }
      const wanted = new Set(layers.flatMap((l) => [l.name, `${l.name}.json`, `${l.name}.list`]))
      for (const name of await readdir(trees)) if (!wanted.has(name)) await removeTree(path.join(trees, name))
      const cache = cacheChanged ? path.join(roomDir, 'tmp', 'cache') : borrowed(roomDir, 'cache')
      await moveFolder(cache, path.join(home, 'cache'))
      failpoint('cache.before-record')
      await writeRecord(layers)
      failpoint('cache.promoted')
    },
    remove: () => removeTree(home),
  }
}
