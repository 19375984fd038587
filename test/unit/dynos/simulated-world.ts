/**
 * Rows, engine, router and memory of one app, simulated closely enough for `plan`: steps have the effects that `execute`
 * gives them, one after the other, and the control plane can die between any two. Time jumps from event to event.
 *
 * It watches over what must never happen and throws a `Violation` as soon as it does.
 */
import { plan, type Step } from '../../../server/dynos/plan.js'
import { printStep } from '../../../server/dynos/print-step.js'
import { wantedDynos } from '../../../server/dynos/wanted.js'
import { never, SimulatedEngine, Violation } from './simulated-engine.js'
import { SimulatedMemory } from './simulated-memory.js'
import { SimulatedRows } from './simulated-rows.js'
import { type Live, limits, SimulatedSteps, since } from './simulated-steps.js'
import { at } from './situation.js'

class Died extends Error {}

export class SimulatedWorld {
  readonly rows = new SimulatedRows()
  readonly engine = new SimulatedEngine()
  readonly log: string[] = []
  /** Whether each question is asked twice, to see that asking changes nothing. */
  asksTwice = true
  /** After so many effects more the control plane dies, one entry a life. */
  deathsAt: readonly number[] = []
  effects = 0
  readonly #live: Live = { routes: undefined, memory: new SimulatedMemory(this.engine, 0), isGone: false }
  readonly #steps = new SimulatedSteps(this.rows, this.engine, this.#live)
  #isAway = false

  now(): Date {
    return at(this.engine.now / 1000)
  }

  note(text: string): void {
    this.log.push(`${(this.engine.now / 1000).toFixed(3)} ${text}`)
  }

  // What people and the machine do.

  /** Somebody attaches to the first one-off that waits for it. */
  attach(): void {
    for (const row of this.rows.oneOffs) {
      const found = this.engine.named(`run.${row.number}`)
      if (!row.attached || row.state !== 'starting' || found?.state !== 'created') continue
      row.state = 'up'
      this.engine.start(found)
      return
    }
  }

  /** A dyno, or a sandbox, dies or goes altogether by somebody else's hand. */
  kill(name: string, isRemoved: boolean): void {
    const found = this.engine.all().find((c) => (c.kind === 'dyno' && c.label.dyno === name) || c.kind === name)
    if (!found) return
    if (isRemoved) this.engine.remove(found.containerId)
    else this.#steps.end(found, 137)
  }

  /** The machine reboots: everything ends, and the control plane is another. */
  reboot(): void {
    for (const c of this.engine.running()) this.#steps.end(c, 255)
    this.die()
  }

  /** The control plane is away for so long; the machine goes on. */
  sleep(ms: number): void {
    this.die()
    this.#isAway = true
    this.advance(ms)
    this.#isAway = false
    this.#live.memory = new SimulatedMemory(this.engine, this.engine.now)
  }

  die(): void {
    this.note('the control plane dies')
    // The next one ends what the last one was building.
    this.rows.abandonBuild()
    this.#live.memory = new SimulatedMemory(this.engine, this.engine.now)
  }

  // The loop.

  /** Looks until nothing is left to do at this moment; a control plane that dies is followed by another at once. */
  pass(): void {
    for (let round = 0; !this.#live.isGone; round++) {
      const steps = this.#plan()
      if (round > 60) throw new Violation(`the plan never rests: ${steps.map(printStep).join('; ')}`)
      if (steps.length === 0) return
      try {
        const isStart = (s: Step) => s.kind === 'start-dyno' || s.kind === 'start-sandbox'
        for (const step of [...steps.filter((s) => !isStart(s)), ...steps.filter(isStart)]) this.#execute(step)
      } catch (error) {
        if (!(error instanceof Died)) throw error
        this.die()
      }
    }
  }

  advance(ms: number): void {
    const until = this.engine.now + ms
    for (let next = this.#nextEvent(); next <= until; next = this.#nextEvent()) this.#goTo(next)
    this.#goTo(until)
  }

  /** Goes on until nothing happens any more. */
  settle(): void {
    if (this.rows.pendingBuild()?.releaseId === undefined) this.rows.abandonBuild()
    for (let events = 0; ; events++) {
      this.pass()
      const next = this.#nextEvent()
      if (next === never) return
      if (events > 500) throw new Violation('the world does not settle')
      this.#goTo(next)
    }
  }

  /** How it stands, without what may differ between two equal ends. */
  describe(): string {
    const { releases, oneOffs } = this.rows
    return [
      ...releases.map((r) => `v${r.version} ${r.status}`),
      ...oneOffs.map((o) => `run.${o.number} ${o.state} ${o.exitCode}`),
      ...this.#containers().sort(),
      this.#live.isGone
        ? 'gone'
        : `${this.#live.routes?.state} ${this.#live.routes?.backends.map((b) => b.dyno).join(' ')}`,
    ].join('\n')
  }

  /** In which ways what runs is not what should. */
  differences(): string[] {
    const found = this.#containers()
    if (this.#live.isGone) return found.map((c) => `${c} is left of an app that is gone`)
    const desired = this.rows.desired()
    const wanted = wantedDynos(desired, desired.current).map(
      (w) => `${w.dyno}-v${w.release.version}-${w.generation} running`,
    )
    const web = wanted.filter((w) => w.startsWith('web.')).map((w) => w.replace(/-.*/, ''))
    const routed = this.#steps.serving(this.#live.routes).map((c) => c.label.dyno)
    return [
      ...found.filter((c) => !wanted.includes(c)).map((c) => `${c} is too many`),
      ...wanted.filter((w) => !found.includes(w)).map((w) => `${w} is lacking`),
      ...(routed.sort().join() === web.sort().join() ? [] : [`routed: ${routed}, wanted: ${web}`]),
      ...desired.oneOffs.map((o) => `run.${o.number} is ${o.state}`),
      ...(desired.target?.status === 'pending' ? ['a release is pending'] : []),
      ...(this.rows.destroyedAt ? ['the app is still there'] : []),
    ]
  }

  #containers(): string[] {
    return this.engine.all().map((c) => `${c.containerName.replace(/-\d+$/, '')} ${c.state}`)
  }

  #plan(): Step[] {
    const [desired, observed] = [this.rows.desired(), this.#live.memory.observe(this.#live.routes)]
    const options = { ...limits, watchingSince: at(this.#live.memory.since / 1000) }
    const before = this.asksTwice ? JSON.stringify([desired, observed]) : ''
    const steps = plan(desired, observed, this.now(), options)
    if (!this.asksTwice) return steps
    const again = plan(desired, observed, this.now(), options)
    if (JSON.stringify(steps) !== JSON.stringify(again)) throw new Violation('the same question got two answers')
    if (JSON.stringify([desired, observed]) !== before) throw new Violation('plan changed what it was given')
    return steps
  }

  #execute(step: Step): void {
    this.note(printStep(step))
    for (const effect of this.#steps.effectsOf(step)) {
      const [left, ...later] = this.deathsAt
      if (left === 0) {
        this.deathsAt = later
        throw new Died()
      }
      if (left !== undefined) this.deathsAt = [left - 1, ...later]
      this.effects++
      effect()
    }
  }

  // Time.

  #nextEvent(): number {
    const times = this.engine.all().flatMap((c) => {
      const [started, ended] = [since(c.startedAt), since(c.endedAt)]
      const backoff = Math.min(limits.crashBackoffMs * 2 ** c.label.attempt, limits.crashBackoffMaxMs)
      const late = Math.max(started, this.#live.memory.since) + limits.bootTimeoutMs + 1
      return c.state === 'running'
        ? [...this.#live.memory.newsAt(c), c.endAt, late, started + limits.releaseCommandTimeoutMs + 1]
        : [ended + limits.crashBackoffMs, ended + backoff]
    })
    const oneOffs = this.rows.oneOffs
      .filter((o) => o.state !== 'ended')
      .flatMap((o) => [since(o.createdAt) + 60_001, since(o.createdAt) + 120_001])
    return Math.min(...[...times, ...oneOffs].filter((time) => time > this.engine.now), never)
  }

  #goTo(time: number): void {
    this.engine.now = Math.max(time, this.engine.now)
    for (const c of this.engine.all()) {
      if (c.state !== 'running') continue
      const killAt = this.#live.memory.stopping.get(c.containerId) ?? never
      if (killAt <= this.engine.now) this.#steps.end(c, 137)
      else if (c.endAt <= this.engine.now)
        this.#steps.end(c, this.#live.memory.stopping.has(c.containerId) ? 143 : c.naturalExit)
    }
    if (!this.#isAway) this.pass()
  }
}
