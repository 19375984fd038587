/** What a pass saw, told to those who ask: rows for `paas ps`, lines for the log, steps for whoever waits for a release. */
import type { Dyno, DynoState } from '../model/dyno.js'
import { type DynoSighting, listDynos, recordDynos } from '../store/dynos.js'
import type { DesiredApp } from './desired.js'
import type { LoopContext } from './loop-context.js'
import { hasEnded, killedExitCode, type ObservedApp, type ObservedDyno } from './observed.js'

const rank: Readonly<Record<DynoState, number>> = { up: 0, starting: 1, stopping: 2, crashed: 3, down: 4, idle: 5 }

function stateOf(dyno: ObservedDyno): DynoState {
  if (hasEnded(dyno)) return 'crashed'
  if (dyno.isStopping) return 'stopping'
  return dyno.isUp ? 'up' : 'starting'
}

/** One row a dyno name: of several containers, the one that serves, else the newest; and what could not be started. */
function toSightings(desired: DesiredApp, observed: ObservedApp): DynoSighting[] {
  const best = new Map<string, ObservedDyno>()
  for (const dyno of observed.dynos) {
    const other = best.get(dyno.dyno)
    const order =
      other &&
      (rank[stateOf(dyno)] - rank[stateOf(other)] || other.version - dyno.version || other.attempt - dyno.attempt)
    if (order === undefined || order < 0) best.set(dyno.dyno, dyno)
  }
  const failures = new Map(observed.failures?.flatMap((f) => (f.wanted ? [[f.wanted.dyno, f]] : [])))
  const seen = [...best.values()].map((dyno): DynoSighting => {
    const release = [desired.current, desired.target].find((r) => r?.id === dyno.releaseId)
    return {
      name: dyno.dyno,
      type: dyno.type,
      size: dyno.size,
      command: release?.processTypes[dyno.type] ?? '',
      state: stateOf(dyno),
      releaseId: dyno.releaseId,
      releaseVersion: dyno.version,
      failure: failures.get(dyno.dyno)?.sentence,
    }
  })
  const missing = [...failures.values()].flatMap(({ wanted, sentence }): DynoSighting[] =>
    wanted === undefined || best.has(wanted.dyno)
      ? []
      : [
          {
            name: wanted.dyno,
            type: wanted.type,
            size: wanted.size,
            command: wanted.command,
            state: 'down',
            releaseId: wanted.release.id,
            releaseVersion: wanted.release.version,
            failure: sentence,
          },
        ],
  )
  return [...seen, ...missing]
}

export interface Sightings {
  /** Compares with what was seen before, tells the differences, and writes the rows. */
  record(desired: DesiredApp, observed: ObservedApp, now: Date): Promise<void>
}

/** What has been told of one container. */
interface Told {
  up: boolean
  stopping: boolean
  ended: boolean
}

export type SightingsContext = Pick<LoopContext, 'db' | 'appLog' | 'releaseNews' | 'outlivedOom' | 'toldToStop'>

export function createSightings(context: SightingsContext): Sightings {
  /** By app, then by container; only containers that are there. */
  const told = new Map<string, Map<string, Told>>()

  const tell = (desired: DesiredApp, dyno: ObservedDyno, seen: Told, now: Date) => {
    const say = (text: string) => context.appLog(desired.app.id, { source: 'heroku', dyno: dyno.dyno, text })
    if (dyno.isUp && !seen.up) {
      seen.up = true
      say('State changed from starting to up')
      const seconds = (now.getTime() - (dyno.startedAt?.getTime() ?? now.getTime())) / 1000
      context.releaseNews.publish(dyno.releaseId, { kind: 'step', text: `${dyno.dyno} up in ${seconds.toFixed(1)} s` })
    }
    seen.stopping ||= dyno.isStopping || context.toldToStop.has(dyno.containerId)
    if (hasEnded(dyno) && !seen.ended) {
      seen.ended = true
      context.toldToStop.delete(dyno.containerId)
      // The engine's mark stays with one that outlived it, which `usage-watch.ts` told of.
      const ranOut = dyno.oomKilled && dyno.exitCode === killedExitCode && !context.outlivedOom.has(dyno.containerId)
      if (ranOut) say('Error R15 (Memory quota vastly exceeded)')
      say(`Process exited with status ${dyno.exitCode}`)
      const end = seen.up && seen.stopping ? 'down' : dyno.exitCode === 0 ? 'complete' : 'crashed'
      say(`State changed from ${seen.up ? 'up' : 'starting'} to ${end}`)
    }
  }

  return {
    async record(desired, observed, now) {
      const appId = desired.app.id
      const before = await listDynos(context.db, appId)
      const known = told.get(appId)
      const present = new Map(
        observed.dynos.map((d) => [d.containerId, known?.get(d.containerId) ?? fromRow(known ? [] : before, d)]),
      )
      if (present.size > 0) told.set(appId, present)
      else told.delete(appId)
      for (const dyno of observed.dynos) tell(desired, dyno, present.get(dyno.containerId) ?? untold(), now)
      const sightings = toSightings(desired, observed)
      if (!isSame(before, sightings)) await recordDynos(context.db, appId, sightings)
    },
  }
}

function untold(): Told {
  return { up: false, stopping: false, ended: false }
}

/** What the process before this one has told, as far as its rows say. */
function fromRow(rows: readonly Dyno[], dyno: ObservedDyno): Told {
  const row = rows.find((r) => r.name === dyno.dyno && r.releaseId === dyno.releaseId)
  const isSince = (at: Date | undefined) => row !== undefined && at !== undefined && row.updatedAt >= at
  const ended = row?.state === 'crashed' && hasEnded(dyno) && isSince(dyno.endedAt)
  return { up: row?.state === 'up' && isSince(dyno.startedAt), stopping: false, ended }
}

function isSame(before: readonly Dyno[], after: readonly DynoSighting[]): boolean {
  const line = (d: DynoSighting) =>
    [d.name, d.type, d.size, d.command, d.state, d.releaseId, d.releaseVersion, d.failure].join('\t')
  return before.map(line).sort().join('\n') === after.map(line).sort().join('\n')
}
