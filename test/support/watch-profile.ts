/**
 * Looks at every container of a test run as it is made, from whatever test: `watch-profile.js FILE` follows the engine's
 * events until SIGTERM, writes what it saw to FILE, and ends with 1 when one deviated from `profile.ts` or escaped it.
 */
import { writeFileSync } from 'node:fs'
import { createDockerEngine } from '../../server/engine/docker-engine.js'
import { labelNames } from '../../server/model/labels.js'
import { deviations, type InspectDocument } from './profile.js'

const engine = createDockerEngine({ socketPath: process.env.PAAS_ENGINE_SOCKET ?? '/var/run/docker.sock' })
const stop = new AbortController()
const byKind = new Map<string, number>()
const found = new Set<string>()
const looks = new Set<Promise<void>>()

async function look(id: string, labels: Readonly<Record<string, string>>): Promise<void> {
  const container = await engine.findContainer(id)
  if (container === undefined) {
    found.add(`${labels.name ?? id}: it was gone before it could be looked at`)
    return
  }
  const kind = container.labels[labelNames.kind] ?? ''
  byKind.set(kind, (byKind.get(kind) ?? 0) + 1)
  for (const deviation of deviations(container.raw as InspectDocument)) found.add(deviation)
}

process.once('SIGTERM', () => stop.abort())
await engine.followEvents(
  { [labelNames.instance]: '' },
  (event) => {
    if (event.action !== 'create') return
    const looking = look(event.containerId, event.labels).catch((error: unknown) => void found.add(String(error)))
    looks.add(looking)
    void looking.finally(() => looks.delete(looking))
  },
  stop.signal,
)
await Promise.all(looks)
const counts = [...byKind].sort().map(([kind, count]) => `${count} ${kind}`)
const report = [`# looked at ${counts.join(', ') || 'no container'}`, ...[...found].map((what) => `not ok - ${what}`)]
writeFileSync(process.argv[2] ?? '/dev/stdout', `${report.join('\n')}\n`)
process.exit(found.size > 0 ? 1 : 0)
