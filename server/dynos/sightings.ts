/** What a pass saw, told to those who ask: rows for `paas ps`, lines for the log, steps for whoever waits for a release. */
import type { Dyno, DynoState } from '../model/dyno.js'
import { type DynoSighting, listDynos, recordDynos } from '../store/dynos.js'
import type { DesiredApp } from './desired.js'
import type { LoopContext } from './loop-context.js'
import { hasEnded, type ObservedApp, type ObservedDyno } from './observed.js'

const rank: Readonly<Record<DynoState, number>> = { up: 0, starting: 1, stopping: 2, crashed: 3, down: 4, idle: 5 }

function stateOf(dyno: ObservedDyno): DynoState {
  if (hasEnded(dyno)) return 'crashed'
  if (dyno.isStopping) return 'stopping'
  return dyno.isUp ? 'up' : 'starting'
}

/** One row a dyno name: of several containers, the one that serves, else the newest. */
function toSightings(desired: DesiredApp, observed: ObservedApp): { sighting: DynoSighting; dyno: ObservedDyno }[] {
  const best = new Map<string, ObservedDyno>()
  for (const dyno of observed.dynos) {
    const other = best.get(dyno.dyno)
    const order =
      other &&
      (rank[stateOf(dyno)] - rank[stateOf(other)] || other.version - dyno.version || other.attempt - dyno.attempt)
    if (order === undefined || order < 0) best.set(dyno.dyno, dyno)
  }
  return [...best.values()].map((dyno) => {
    const release = [desired.current, desired.target].find((r) => r?.id === dyno.releaseId)
    const sighting: DynoSighting = {
      name: dyno.dyno,
      type: dyno.type,
      size: dyno.size,
      command: release?.processTypes[dyno.type] ?? '',
      state: stateOf(dyno),
      releaseId: dyno.releaseId,
      releaseVersion: dyno.version,
    }
    return { sighting, dyno }
  })
}

export interface Sightings {
  /** Compares with what was seen before, tells the differences, and writes the rows. */
  record(desired: DesiredApp, observed: ObservedApp, now: Date): Promise<void>
}

export function createSightings(context: LoopContext): Sightings {
  const seenUp = new Set<string>()
  const seenEnded = new Set<string>()

  const tell = (desired: DesiredApp, dyno: ObservedDyno, now: Date) => {
    const say = (text: string) => context.appLog(desired.app.id, { source: 'heroku', dyno: dyno.dyno, text })
    if (dyno.isUp && !seenUp.has(dyno.containerId)) {
      seenUp.add(dyno.containerId)
      say('State changed from starting to up')
      const seconds = (now.getTime() - (dyno.startedAt?.getTime() ?? now.getTime())) / 1000
      context.releaseNews.publish(dyno.releaseId, { kind: 'step', text: `${dyno.dyno} up in ${seconds.toFixed(1)} s` })
    }
    if (hasEnded(dyno) && !seenEnded.has(dyno.containerId)) {
      seenEnded.add(dyno.containerId)
      if (dyno.oomKilled) say('Error R15 (Memory quota vastly exceeded)')
      say(`Process exited with status ${dyno.exitCode}`)
      say(
        `State changed from ${seenUp.has(dyno.containerId) ? 'up' : 'starting'} to ${dyno.exitCode === 0 ? 'complete' : 'crashed'}`,
      )
    }
  }

  return {
    async record(desired, observed, now) {
      for (const dyno of observed.dynos) tell(desired, dyno, now)
      const sightings = toSightings(desired, observed)
      const before = await listDynos(context.db, desired.app.id)
      if (
        isSame(
          before,
          sightings.map((s) => s.sighting),
        )
      )
        return
      await recordDynos(
        context.db,
        desired.app.id,
        sightings.map((s) => s.sighting),
      )
    },
  }
}

function isSame(before: readonly Dyno[], after: readonly DynoSighting[]): boolean {
  const line = (d: DynoSighting) =>
    [d.name, d.type, d.size, d.command, d.state, d.releaseId, d.releaseVersion].join('\t')
  return before.map(line).sort().join('\n') === after.map(line).sort().join('\n')
}
