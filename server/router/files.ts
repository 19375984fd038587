/** Writes the router's folder. What is there already isn't written again, so a publish costs what it changes. */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import type { Certificates } from './certificates.js'
import { ensureFolder, keepDurable, writeDurably } from './durable-file.js'
import { type Layout, certifiedHosts, layoutOf } from './layout.js'
import type { RouterSettings } from './options.js'
import type { RouterPaths } from './paths.js'
import type { Placement } from './placement.js'
import { renderCodes, renderConfig, renderMap, renderPages } from './render.js'
import { renderPlacement } from './stored-placement.js'

export interface RouterFiles {
  /** Folders, pages, and whatever a former process left half-written. */
  prepare(): Promise<void>
  /** The placement first, what HAProxy starts from last: a start in between sees the table before or this one. */
  write(placement: Placement): Promise<void>
}

export function createRouterFiles(
  settings: RouterSettings,
  paths: RouterPaths,
  certificates: Certificates,
): RouterFiles {
  const written = new Map<string, string>()
  const keep = async (file: string, text: string) => {
    if (written.get(file) === text) return
    if (written.has(file)) await writeDurably(file, text)
    else await keepDurable(file, text)
    written.set(file, text)
  }
  return {
    async prepare() {
      for (const dir of [paths.dir, path.dirname(paths.hostsMap), paths.errorsDir, paths.runDir, paths.jailDir])
        await ensureFolder(dir)
      for (const [name, text] of renderPages(paths)) await keep(path.join(paths.errorsDir, name), text)
      await keep(paths.codesMap, renderCodes())
      for (const file of [paths.config, paths.table, paths.hostsMap, paths.slotsMap, paths.certList])
        await rm(`${file}.next`, { force: true })
    },
    async write(placement) {
      const layout = layoutOf(placement, settings.domain)
      await keep(paths.table, renderPlacement(placement))
      await Promise.all([
        keep(paths.hostsMap, renderMap(layout.hosts)),
        keep(paths.slotsMap, renderMap(layout.slots)),
        keep(paths.certList, certList(layout, certificates)),
      ])
      await keep(paths.config, renderConfig(layout, placement.slotCount, settings, paths))
    },
  }
}

function certList(layout: Layout, certificates: Certificates): string {
  return certifiedHosts(layout)
    .map((host) => `${certificates.fileOf(host)} ${host}\n`)
    .join('')
}
