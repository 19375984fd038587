/**
 * Layers that are the same for every app on a stack, such as a language runtime: made and sent once. The record is a hint:
 * where the engine lacks such a layer after all, the build is made again from scratch and the record with it.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../config.js'
import type { LayerRecord } from './app-cache.js'

export interface SharedLayers {
  read(stackId: string): Promise<readonly LayerRecord[]>
  add(stackId: string, layers: readonly LayerRecord[]): Promise<void>
  clear(): Promise<void>
}

const keptAtMost = 50

export function sharedLayers(config: Pick<Config, 'dataDir'>): SharedLayers {
  const file = path.join(config.dataDir, 'builds', 'shared-layers.json')
  let turn: Promise<void> = Promise.resolve()

  const read = async (stackId: string): Promise<LayerRecord[]> => {
    try {
      const kept = JSON.parse(await readFile(file, 'utf8')) as { stackId: string; layers: LayerRecord[] }
      return kept.stackId === stackId ? kept.layers : []
    } catch {
      return []
    }
  }
  const add = async (stackId: string, layers: readonly LayerRecord[]) => {
    const known = await read(stackId)
    const fresh = layers.filter((l) => !known.some((k) => k.key === l.key && k.name === l.name))
    if (fresh.length === 0) return
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(`${file}.new`, JSON.stringify({ stackId, layers: [...fresh, ...known].slice(0, keptAtMost) }), {
      flush: true,
    })
    await rename(`${file}.new`, file)
  }
  return {
    read,
    add: (stackId, layers) => {
      turn = turn.then(() => add(stackId, layers)).catch(() => {})
      return turn
    },
    clear: () => rm(file, { force: true }),
  }
}
