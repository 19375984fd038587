/** `route-table.json`: the published table with its slots, as the next control plane finds it. */
import { remembered, rememberedJoin } from '../lib/remembered.js'
import type { RouteTable } from '../model/route-table.js'
import { checkTable } from './check-table.js'
import { readIfThere } from './durable-file.js'
import { type PlacedApp, type Placement, emptyPlacement } from './placement.js'

const textOf = remembered((app: PlacedApp): string => JSON.stringify(app))
const textOfAll = rememberedJoin(textOf, ',')

export function renderPlacement({ version, slotCount, apps, resting }: Placement): string {
  const rest = JSON.stringify(resting)
  return `{"version":${version},"slotCount":${slotCount},"apps":[${textOfAll(apps)}],"resting":${rest}}\n`
}

/** Whether HAProxy would notice no difference. */
export function haveSameRoutes(one: Placement, other: Placement): boolean {
  return (
    one.slotCount === other.slotCount &&
    one.apps.length === other.apps.length &&
    one.apps.every((app, at) => {
      const same = other.apps[at]
      return same !== undefined && (app === same || textOf(app) === textOf(same))
    })
  )
}

/** The stored placement, or an empty one for a new folder. Throws when the file isn't ours. */
export async function readPlacement(file: string, slots: number, domain: string): Promise<Placement> {
  const text = await readIfThere(file)
  if (text === undefined) return emptyPlacement(slots)
  try {
    const placement = JSON.parse(text) as Placement
    checkTable(placement, domain)
    const seats = [...placement.apps, ...placement.resting].map((app) => app.slot)
    if (seats.some((slot) => !Number.isInteger(slot) || slot < 0 || slot >= placement.slotCount))
      throw new Error('a slot is out of range')
    // Room asked for by a later setting is given; room once given is never taken back under running apps.
    return { ...placement, slotCount: Math.max(placement.slotCount, slots) }
  } catch (cause) {
    throw new Error(`${file} can't be read; remove it to start with an empty route table`, { cause })
  }
}

/** The table alone, without slots. */
export function tableOf(placement: Placement): RouteTable {
  const apps = placement.apps.map(({ appId, appName, hosts, state, backends }) => ({
    appId,
    appName,
    hosts,
    state,
    backends,
  }))
  return { version: placement.version, apps }
}
