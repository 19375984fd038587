/**
 * Watches what running dynos use of what they share with others. Memory and processes have limits that the kernel keeps;
 * a dyno's own files have none, so they are measured, and a dyno past its limit is stopped. Whatever is limited is said in
 * the app's log: R14 near the memory limit, R15 when the kernel stopped a process for it, and the disk's own sentence.
 *
 * How a dyno ended is told by `sightings.ts`; starting another is the loop's.
 */
import type { Container } from '../engine/engine.js'
import { labelNames } from '../model/labels.js'
import type { LoopContext } from './loop-context.js'

export interface UsageWatch {
  start(): void
  /** Ends after the look under way. */
  stop(): Promise<void>
}

export type UsageContext = Pick<
  LoopContext,
  'engine' | 'config' | 'log' | 'appLog' | 'nudge' | 'releaseNews' | 'outlivedOom' | 'toldToStop'
>

/** A container whose first process was the one that ran out of memory has ended by then. */
const endsWithinMs = 1_000

const kinds = ['dyno', 'one-off', 'release']

export function createUsageWatch(context: UsageContext): UsageWatch {
  const { engine, config } = context
  const labels = { [labelNames.instance]: config.instance, [labelNames.app]: '' }
  const ending = new AbortController()
  const timers = new Set<NodeJS.Timeout>()
  let looking = Promise.resolve()

  const later = (ms: number, work: () => Promise<void>) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      void work().catch((err: unknown) => context.log.warn({ err }, 'what dynos use could not be looked at'))
    }, ms)
    timers.add(timer)
  }

  const lookAndGoOn = (): Promise<void> => {
    looking = lookAtAll(context, labels)
      .catch((err: unknown) => context.log.warn({ err }, 'what dynos use could not be looked at'))
      .then(() => {
        if (!ending.signal.aborted) later(config.dynos.usageIntervalMs, lookAndGoOn)
      })
    return looking
  }

  /** The kernel stopped a process of it. When that ended the dyno, its end is told by whoever sees it, but for later ones. */
  const outOfMemory = async (id: string) => {
    const container = await engine.findContainer(id)
    if (container === undefined) return
    if (container.state !== 'running' && !context.outlivedOom.has(id)) return
    context.outlivedOom.add(id)
    say(context, container, await memoryLine(context, container))
    say(context, container, 'Error R15 (Memory quota vastly exceeded)')
    say(context, container, 'Stopped a process of it with SIGKILL')
  }

  return {
    start() {
      void engine.followEvents(
        labels,
        (event) => {
          if (event.action === 'oom') later(endsWithinMs, () => outOfMemory(event.containerId))
        },
        ending.signal,
      )
      later(config.dynos.usageIntervalMs, lookAndGoOn)
    },
    async stop() {
      ending.abort()
      for (const timer of timers) clearTimeout(timer)
      await looking
    },
  }
}

async function lookAtAll(context: UsageContext, labels: Readonly<Record<string, string>>): Promise<void> {
  const all = await context.engine.listContainers(labels)
  const running = all.filter((c) => c.state === 'running' && kinds.includes(c.labels[labelNames.kind] ?? ''))
  for (const marked of [context.outlivedOom, context.toldToStop])
    for (const id of marked) if (!all.some((c) => c.id === id)) marked.delete(id)
  const disk = await context.engine.diskUse(running.map((c) => c.id))
  for (const container of running) {
    const bytes = disk.get(container.id) ?? 0
    if (bytes > context.config.dynos.diskBytes) await stopForDisk(context, container, bytes)
    else await warnOfMemory(context, container)
  }
}

async function stopForDisk(context: UsageContext, container: Container, bytes: number): Promise<void> {
  const limit = context.config.dynos.diskBytes
  say(
    context,
    container,
    `Error: its own files take ${megabytes(bytes)}M of disk, more than the ${megabytes(limit)}M that a dyno may have (PAAS_APP_DISK_BYTES)`,
  )
  say(context, container, 'Stopping process with SIGKILL')
  await context.engine.killContainer(container.id, 'SIGKILL')
  context.nudge(container.labels[labelNames.app] ?? '')
}

async function warnOfMemory(context: UsageContext, container: Container): Promise<void> {
  const usage = await usageOf(context, container)
  if (usage === undefined || usage.percent < context.config.dynos.memoryWarningPercent) return
  say(context, container, usage.line)
  say(context, container, 'Error R14 (Memory quota exceeded)')
}

async function memoryLine(context: UsageContext, container: Container): Promise<string> {
  return (await usageOf(context, container))?.line ?? 'Process running'
}

/** Undefined when it has just ended. */
async function usageOf(context: UsageContext, container: Container) {
  const { memoryBytes, memoryLimitBytes } = await context.engine.usage(container.id).catch(() => nothing)
  if (memoryLimitBytes === 0) return undefined
  const percent = (100 * memoryBytes) / memoryLimitBytes
  return { percent, line: `Process running mem=${megabytes(memoryBytes)}M(${percent.toFixed(1)}%)` }
}

const nothing = { memoryBytes: 0, memoryLimitBytes: 0 }

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 ** 2)
}

/** Whoever waits for a release reads it too, when it is about the release's command. */
function say(context: UsageContext, container: Container, text: string): void {
  const appId = container.labels[labelNames.app] ?? ''
  const release = container.labels[labelNames.release]
  context.appLog(appId, { source: 'heroku', dyno: container.labels[labelNames.dyno] ?? '', text })
  if (container.labels[labelNames.kind] === 'release' && release !== undefined)
    context.releaseNews.publish(release, { kind: 'line', text })
}
