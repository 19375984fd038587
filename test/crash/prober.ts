/**
 * Asks apps through the router, again and again, while things die around them. An app that was healthy when it was named
 * here must answer every request; whoever answers, it must never be another app.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Reply, World } from '../support/world.js'

export interface Prober {
  /** From now on every request to this app must be answered with 200. */
  expectUp(app: string): void
  /** Asked about as well, whether it is up or not: only another app's answer is a fault. */
  watch(app: string): void
  forget(app: string): void
  requests(): number
  /** One line a fault, at most as many as fit a report. */
  faults(): readonly string[]
  stop(): Promise<void>
}

const pauseMs = 60
const keptFaults = 50

/** `hostOf` an app, and what it answers: JSON with `app`. */
export function startProber(world: World): Prober {
  const strict = new Set<string>()
  const watched = new Set<string>()
  const faults: string[] = []
  let count = 0
  let stopped = false

  const judge = (app: string, isStrict: boolean, reply: Reply | Error) => {
    const now = new Date().toISOString()
    const fault = (text: string) => faults.length < keptFaults && faults.push(`${now} ${app}: ${text}`)
    if (reply instanceof Error) return isStrict && fault(reply.message)
    if (reply.status === 200) {
      const who = (JSON.parse(reply.body) as { app: string }).app
      if (who !== app) fault(`answered by ${who}`)
    } else if (isStrict) fault(`${reply.status} ${reply.body.slice(0, 200).replaceAll('\n', ' ')}`)
  }

  const ask = async (app: string) => {
    // An app that is no longer expected up when the answer comes has none to give.
    const wasStrict = strict.has(app)
    const reply = await world.get(app).catch((error: Error) => error)
    count++
    judge(app, wasStrict && strict.has(app), reply)
  }

  const running = (async () => {
    while (!stopped) {
      await Promise.all([...new Set([...strict, ...watched])].map(ask))
      await delay(pauseMs)
    }
  })()

  return {
    expectUp: (app) => void strict.add(app),
    watch: (app) => void watched.add(app),
    forget: (app) => {
      strict.delete(app)
      watched.delete(app)
    },
    requests: () => count,
    faults: () => faults,
    async stop() {
      stopped = true
      await running
    },
  }
}
