/** Seats tables in slots, writes them, and brings HAProxy in step; keeps the one that is published. */
import { failpoint } from '../lib/failpoint.js'
import type { RouteTable } from '../model/route-table.js'
import type { Certificates } from './certificates.js'
import { checkTable } from './check-table.js'
import { readIfThere } from './durable-file.js'
import { RouterError } from './errors.js'
import type { RouterFiles } from './files.js'
import { certifiedHosts, layoutOf, nextLayout } from './layout.js'
import type { Memory } from './memory.js'
import type { RouterSettings } from './options.js'
import type { RouterPaths } from './paths.js'
import { emptyPlacement, type Placement, place } from './placement.js'
import { configMark } from './render.js'
import { renewCertificate, settle, type Wanted } from './settle.js'
import { haveSameRoutes, readPlacement } from './stored-placement.js'
import { type InTurn, shareTurn } from './turns.js'

const renewalCheckMs = 3_600_000

export interface TablePublisher {
  prepare(): Promise<void>
  placement(): Placement
  /** Takes its own turn; a newer table takes the place of one that still waits for its turn. */
  publish(table: RouteTable): Promise<{ changed: boolean }>
  settle(): Promise<void>
  /** Looks once an hour. */
  renewCertificates(): Promise<void>
}

interface Parts {
  readonly settings: RouterSettings
  readonly paths: RouterPaths
  readonly certificates: Certificates
  readonly memory: Memory
  readonly files: RouterFiles
  readonly inTurn: InTurn
}

export function createTablePublisher(parts: Parts): TablePublisher {
  const { settings, paths, certificates, memory, files, inTurn } = parts
  let placement = emptyPlacement(settings.slots)
  let layout = layoutOf(placement, settings.domain)
  let isInStep = false
  let renewedAt = 0

  const wanted = (): Wanted => ({
    layout,
    mark: configMark(placement.slotCount, settings, paths),
    certificates: certificates.filesOf(certifiedHosts(layout)),
    async certificatePem(host) {
      return (await readIfThere(certificates.fileOf(host))) ?? ''
    },
  })

  const bringInStep = async () => {
    isInStep = false
    await settle(wanted(), memory, paths)
    isInStep = true
  }

  const publishNow = async (table: RouteTable) => {
    if (table.version < placement.version)
      throw new RouterError('stale', `Route table ${table.version} is older than the published ${placement.version}`)
    const occupied = slotsOf(memory.held()?.parked ?? new Set())
    const next = place(placement, table, { now: Date.now(), restMs: settings.slotRestMs, occupied })
    const changed = !haveSameRoutes(placement, next)
    if (changed && table.version === placement.version && placement.apps.length > 0)
      throw new RouterError('stale', `Route table ${table.version} is published with other routes`)
    const following = nextLayout(next, settings.domain, placement, layout)
    await certificates.ensure(certifiedHosts(following), new Date())
    failpoint('publish.before-files')
    await files.write(next, following)
    failpoint('publish.files-written')
    const gone = certifiedHosts(layout).filter((host) => !following.hosts.has(host))
    placement = next
    layout = following
    if (changed || !isInStep) await bringInStep()
    failpoint('publish.settled')
    await certificates.remove(gone)
    return { changed }
  }
  const publishInTurn = shareTurn(inTurn, publishNow, (table, than) => table.version >= than.version)

  return {
    async prepare() {
      placement = await readPlacement(paths.table, settings.slots, settings.domain)
      layout = layoutOf(placement, settings.domain)
      await files.prepare()
      await certificates.prepare()
      await certificates.ensureFile(paths.defaultCert, settings.domain, new Date())
      await certificates.ensure(certifiedHosts(layout), new Date())
      await files.write(placement, layout)
      await certificates.prune(certifiedHosts(layout))
    },
    placement: () => placement,
    async publish(table) {
      checkTable(table, settings.domain)
      return publishInTurn(table)
    },
    settle: bringInStep,
    async renewCertificates() {
      if (Date.now() - renewedAt < renewalCheckMs) return
      await certificates.ensureFile(paths.defaultCert, settings.domain, new Date())
      for (const host of await certificates.ensure(certifiedHosts(layout), new Date()))
        await renewCertificate(host, wanted(), memory, paths)
      renewedAt = Date.now()
    },
  }
}

/** Slots in which a server waits to become idle. */
function slotsOf(servers: ReadonlySet<string>): Set<number> {
  return new Set([...servers].map((server) => Number(/^slot_(\d+)\//.exec(server)?.[1] ?? -1)))
}
