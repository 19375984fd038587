/**
 * Which app sits in which slot.
 *
 * HAProxy can't be given a new backend while it runs, so the configuration holds a row of empty ones, the slots, and
 * an app keeps its slot for life. A slot that an app has left rests: first until the last request has left its
 * servers, then for a while longer, so that no half-read set of files can show one app's host with another's servers.
 */
import type { AppRoutes, RouteTable } from '../model/route-table.js'

export interface PlacedApp extends AppRoutes {
  readonly slot: number
}

/** A slot whose app is gone. `since` is in milliseconds of the epoch. */
export interface RestingSlot {
  readonly slot: number
  readonly appId: string
  readonly since: number
}

/** The published table with its slots; what `route-table.json` holds. */
export interface Placement {
  readonly version: number
  readonly slotCount: number
  /** Lowest slot first. */
  readonly apps: readonly PlacedApp[]
  readonly resting: readonly RestingSlot[]
}

export interface PlacementRules {
  /** Now, in milliseconds of the epoch. */
  readonly now: number
  readonly restMs: number
  /** Slots in which HAProxy still has a server. */
  readonly occupied: ReadonlySet<number>
}

export function emptyPlacement(slotCount: number): Placement {
  return { version: 0, slotCount, apps: [], resting: [] }
}

/** Seats a table: known apps stay where they are, new ones take the lowest free slot, and the row doubles when full. */
export function place(previous: Placement, table: RouteTable, rules: PlacementRules): Placement {
  const bySlot: (PlacedApp | undefined)[] = []
  for (const app of previous.apps) bySlot[app.slot] = app
  const isAsBefore = (app: AppRoutes) => {
    const placed = known.get(app)
    return placed !== undefined && bySlot[placed.slot] === placed
  }
  // Of a thousand apps in a table one or two have changed.
  const changed = table.apps.filter((app) => !isAsBefore(app))
  const same = new Set(table.apps.map((app) => known.get(app)))
  const gone = previous.apps.filter((app) => !same.has(app))
  for (const app of gone) bySlot[app.slot] = undefined

  const present = new Set(changed.map((app) => app.appId))
  const seats = new Map([...previous.resting, ...gone].map(({ appId, slot }) => [appId, slot]))
  const resting = [
    ...previous.resting.filter((rest) => !present.has(rest.appId) && !rested(rest, rules)),
    ...gone.filter(({ appId }) => !present.has(appId)).map(({ slot, appId }) => ({ slot, appId, since: rules.now })),
  ].sort((one, other) => one.slot - other.slot)

  const closed = new Set<number>([...rules.occupied, ...resting.map((rest) => rest.slot)])
  const unseated: AppRoutes[] = []
  for (const app of changed) {
    const seat = seats.get(app.appId)
    if (seat === undefined) unseated.push(app)
    else bySlot[seat] = seated(app, seat)
  }
  let lowest = 0
  for (const app of unseated) {
    while (bySlot[lowest] !== undefined || closed.has(lowest)) lowest++
    bySlot[lowest] = seated(app, lowest)
  }
  const apps = bySlot.filter((app) => app !== undefined)
  let slotCount = previous.slotCount
  while ((apps.at(-1)?.slot ?? 0) >= slotCount) slotCount *= 2
  return { version: table.version, slotCount, apps, resting }
}

const known = new WeakMap<AppRoutes, PlacedApp>()

/** The same object for the same app in the same slot, so that what is made of it need not be made at every change. */
function seated(app: AppRoutes, slot: number): PlacedApp {
  const before = known.get(app)
  if (before?.slot === slot) return before
  const placed = { ...app, slot }
  known.set(app, placed)
  return placed
}

function rested(rest: RestingSlot, rules: PlacementRules): boolean {
  return rules.now - rest.since >= rules.restMs && !rules.occupied.has(rest.slot)
}
