/** The dynos that should run for one release, from formation and restart requests. Pure. */
import { defaultDynoSize } from '../model/formation.js'
import type { DesiredApp, RunnableRelease } from './desired.js'

export interface WantedDyno {
  readonly dyno: string
  readonly type: string
  readonly ordinal: number
  readonly release: RunnableRelease
  /** `0`, or the time of the restart request it answers, in milliseconds. */
  readonly generation: string
  readonly size: string
  readonly command: string
}

export function wantedDynos(desired: DesiredApp, release: RunnableRelease | undefined): WantedDyno[] {
  if (!release?.slug || desired.app.destroyedAt) return []
  return desired.formation.flatMap((entry) => {
    // A type may be called like something every object has.
    const command = Object.hasOwn(release.processTypes, entry.type) ? release.processTypes[entry.type] : undefined
    if (command === undefined || entry.type === 'release') return []
    return Array.from({ length: entry.quantity }, (_, index): WantedDyno => {
      const dyno = `${entry.type}.${index + 1}`
      return {
        dyno,
        type: entry.type,
        ordinal: index + 1,
        release,
        generation: generationOf(desired, release, dyno, entry.type),
        size: entry.size || defaultDynoSize,
        command,
      }
    })
  })
}

/** A restart asked for after the release was made counts; an earlier one has been answered by the release's own dynos. */
function generationOf(desired: DesiredApp, release: RunnableRelease, dyno: string, type: string): string {
  const asked = [desired.restarts.get(''), desired.restarts.get(type), desired.restarts.get(dyno)]
    .filter((at): at is Date => at !== undefined && at > release.createdAt)
    .map((at) => at.getTime())
  return asked.length === 0 ? '0' : String(Math.max(...asked))
}
