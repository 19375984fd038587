/** Writes the router's folder. What is there already isn't written again, so a publish costs what it changes. */
import path from 'node:path'
import type { Certificates } from './certificates.js'
import { besideOf, ensureFolder, type FileText, readIfThere, removeFile, replaceInOrder } from './durable-file.js'
import { certifiedHosts, type Layout } from './layout.js'
import type { RouterSettings } from './options.js'
import type { RouterPaths } from './paths.js'
import type { Placement } from './placement.js'
import { renderCodes, renderConfig, renderMap, renderPages } from './render.js'
import { renderPlacement } from './stored-placement.js'

export interface RouterFiles {
  /** Folders, pages, and whatever a former process left half-written. */
  prepare(): Promise<void>
  /** The placement first, what HAProxy starts from last: a start in between sees the table before or this one. */
  write(placement: Placement, layout: Layout): Promise<void>
}

export function createRouterFiles(
  settings: RouterSettings,
  paths: RouterPaths,
  certificates: Certificates,
): RouterFiles {
  /** What the files are known to hold. */
  const written = new Map<string, string>()

  const keep = async (files: readonly FileText[]) => {
    const changed: FileText[] = []
    for (const { file, text } of files)
      if ((written.get(file) ?? (await readIfThere(file))) !== text) changed.push({ file, text })
    await replaceInOrder(changed)
    for (const { file, text } of files) written.set(file, text)
  }

  return {
    async prepare() {
      for (const dir of [paths.dir, path.dirname(paths.hostsMap), paths.errorsDir]) await ensureFolder(dir)
      // Sockets in the jail are open to anybody who gets this far.
      await ensureFolder(paths.runDir, 0o700)
      await ensureFolder(paths.jailDir)
      for (const file of [paths.config, paths.table, paths.hostsMap, paths.slotsMap, paths.certList])
        await removeFile(besideOf(file))
      const pages = [...renderPages(paths)].map(([name, text]) => ({ file: path.join(paths.errorsDir, name), text }))
      await keep([...pages, { file: paths.codesMap, text: renderCodes() }])
    },
    async write(placement, layout) {
      await keep([
        { file: paths.table, text: renderPlacement(placement) },
        { file: paths.hostsMap, text: renderMap(layout.hosts) },
        { file: paths.slotsMap, text: renderMap(layout.slots) },
        { file: paths.certList, text: certList(layout, certificates) },
        { file: paths.config, text: renderConfig(placement, settings, paths) },
      ])
    },
  }
}

function certList(layout: Layout, certificates: Certificates): string {
  return renderMap(certificates.filesOf(certifiedHosts(layout)))
}
