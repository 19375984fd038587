/**
 * Rows, engine, router and memory of one app, simulated closely enough for `plan`: steps have the effects that `execute`
 * gives them, one after the other, and the control plane can die between any two. Time jumps from event to event.
 *
 * It watches over what must never happen and throws as soon as it does; each `violation` says what that is.
 */
import type { DesiredApp } from '../../../server/dynos/desired.js'
import type { ObservedApp, ObservedContainer, ObservedDyno } from '../../../server/dynos/observed.js'
import { plan, printStep, type Step } from '../../../server/dynos/plan.js'
import { backendName, printRoutes } from '../../../server/dynos/routes.js'
import { wantedDynos } from '../../../server/dynos/wanted.js'
import type { AppRoutes } from '../../../server/model/route-table.js'
import { type Boot, type SimulatedContainer, SimulatedEngine, never, Violation } from './simulated-engine.js'
import { at, limits as usual, oneOff as oneOffRow, read, release as releaseRow } from './situation.js'

export interface ReleaseWish {
  readonly types: readonly string[]
  readonly boots: readonly Boot[]
  readonly bootMs: number
  readonly command: { readonly ms: number; readonly exitCode: number } | undefined
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type ReleaseRow = Mutable<DesiredApp['oneOffs'][number]['release']> & { wish: ReleaseWish }
type OneOffRow = Mutable<ReturnType<typeof oneOffRow>> & { readonly ms: number }

const limits = { ...usual, crashBackoffMaxMs: 8_000 }
const drainTimeoutMs = 30_000

class Died extends Error {}

export class SimulatedWorld {
  /** Whether each question is asked twice, to see that asking changes nothing. */
  asksTwice = true
  /** After so many effects more the control plane dies, one entry a life. */
  deathsAt: readonly number[] = []
  effects = 0
  readonly log: string[] = []
  readonly releases: ReleaseRow[] = []
  readonly oneOffs: OneOffRow[] = []
  readonly formation = new Map<string, number>([
    ['web', 2],
    ['worker', 1],
  ])
  readonly restarts = new Map<string, Date>()
  addOnsReady = true
  maintenance = false
  destroyedAt: Date | undefined
  isGone = false
  readonly engine = new SimulatedEngine()
  routes: AppRoutes | undefined
  #isAway = false
  #memory = this.#freshMemory()

  #freshMemory() {
    return {
      since: this.engine.now,
      stopping: new Map<string, number>(),
      up: new Set<string>(),
      asked: new Map<string, number>(),
      unrouted: new Map<string, number>(),
    }
  }

  // What users and the machine do.

  deploy(wish: ReleaseWish): void {
    this.#insert(wish, `s${this.releases.length + 1}`)
  }

  setConfig(wish: ReleaseWish): void {
    const target = this.#target()
    if (target) this.#insert({ ...wish, types: target.wish.types }, target.slugId ?? '')
  }

  #insert(wish: ReleaseWish, slugId: string): void {
    const commands = [...wish.types, ...(wish.command ? ['release'] : [])]
    const row = releaseRow(this.releases.length + 1, {
      processTypes: Object.fromEntries(commands.map((type) => [type, type])),
      status: 'pending',
      commandState: wish.command ? 'waiting' : 'none',
      createdAt: this.#date(),
      slugId,
    })
    this.releases.push({ ...row, wish })
  }

  createOneOff(attached: boolean, ms: number): void {
    const current = this.#current()
    if (!current || this.destroyedAt) return
    const number = this.oneOffs.length + 1
    const row = oneOffRow({ id: `o${number}`, number, attached, timeToLiveSeconds: 120, createdAt: this.#date() })
    this.oneOffs.push({ ...row, release: current, ms })
  }

  /** Somebody attaches to the first one-off that waits for it. */
  attach(): void {
    for (const row of this.oneOffs) {
      const found = this.engine.named(`run.${row.number}`)
      if (!row.attached || row.state !== 'starting' || found?.state !== 'created') continue
      row.state = 'up'
      this.engine.start(found)
      return
    }
  }

  /** A dyno dies, or goes altogether, by somebody else's hand. */
  kill(name: string, isRemoved: boolean): void {
    const found = this.engine.all().find((c) => c.kind === 'dyno' && c.label.dyno === name)
    if (!found) return
    if (isRemoved) this.engine.remove(found.containerId)
    else this.#end(found, 137)
  }

  /** The control plane is away for so long; the machine goes on. */
  sleep(ms: number): void {
    this.die()
    this.#isAway = true
    this.advance(ms)
    this.#isAway = false
    this.#memory = this.#freshMemory()
  }

  die(): void {
    this.log.push('  (the control plane dies)')
    this.#memory = this.#freshMemory()
  }

  // The loop.

  /** Looks until nothing is left to do at this moment; a control plane that dies is followed by another at once. */
  pass(): void {
    for (let round = 0; !this.isGone; round++) {
      if (round > 60) throw new Violation(`the plan never rests: ${this.#lines(this.#plan()).join('; ')}`)
      const steps = this.#plan()
      if (steps.length === 0) return
      try {
        const isStart = (s: Step) => s.kind === 'start-dyno'
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
    const left = this.engine.all().map((c) => `${c.containerName.replace(/-\d+$/, '')} ${c.state}`)
    return [
      ...this.releases.map((r) => `v${r.version} ${r.status}`),
      ...this.oneOffs.map((o) => `run.${o.number} ${o.state} ${o.exitCode}`),
      ...left.sort(),
      this.isGone ? 'gone' : `${this.routes?.state} ${this.routes?.backends.map((b) => b.dyno).join(' ')}`,
    ].join('\n')
  }

  /** In which ways what runs is not what should. */
  differences(): string[] {
    const desired = this.desired()
    const found = this.engine.all().map((c) => `${c.containerName.replace(/-\d+$/, '')} ${c.state}`)
    const wanted = wantedDynos(desired, desired.current).map(
      (w) => `${w.dyno}-v${w.release.version}-${w.generation} running`,
    )
    const web = wanted.filter((w) => w.startsWith('web.')).map((w) => w.replace(/-.*/, ''))
    const routed = this.isGone ? [] : this.#serving(this.routes).map((c) => c.label.dyno)
    return [
      ...found.filter((c) => !wanted.includes(c)).map((c) => `${c} is too many`),
      ...wanted.filter((w) => !found.includes(w)).map((w) => `${w} is lacking`),
      ...(routed.sort().join() === web.sort().join() ? [] : [`routed: ${routed}, wanted: ${web}`]),
      ...this.oneOffs.filter((o) => o.state !== 'ended' && !this.isGone).map((o) => `run.${o.number} is ${o.state}`),
      ...(desired.target?.status === 'pending' && !this.isGone ? ['a release is pending'] : []),
      ...(this.destroyedAt && !this.isGone ? ['the app is still there'] : []),
    ]
  }

  desired(): DesiredApp {
    const { desired } = read({
      current: this.#current(),
      target: this.#target(),
      app: { maintenance: this.maintenance, destroyedAt: this.destroyedAt },
      addOnsReady: this.addOnsReady,
      oneOffs: this.oneOffs.filter((o) => o.state !== 'ended'),
      formation: [...this.formation].map(([type, quantity]) => `${type}=${quantity}`).join(' '),
    })
    return { ...desired, restarts: new Map(this.restarts) }
  }

  // Looking.

  #plan(): Step[] {
    const [desired, observed] = [this.desired(), this.#observe()]
    const options = { ...limits, watchingSince: at(this.#memory.since / 1000) }
    const before = this.asksTwice ? JSON.stringify([desired, observed]) : ''
    const steps = plan(desired, observed, this.#date(), options)
    if (!this.asksTwice) return steps
    const again = plan(desired, observed, this.#date(), options)
    if (JSON.stringify(steps) !== JSON.stringify(again)) throw new Violation('the same question got two answers')
    if (JSON.stringify([desired, observed]) !== before) throw new Violation('plan changed what it was given')
    return steps
  }

  #lines(steps: readonly Step[]): string[] {
    return steps.map((step) => `${(this.engine.now / 1000).toFixed(3)} ${printStep(step)}`)
  }

  #observe(): ObservedApp {
    const all = this.engine.all()
    return {
      dynos: all.filter((c) => c.kind === 'dyno').map((c) => this.#observeDyno(c)),
      oneOffs: all
        .filter((c) => c.kind === 'one-off')
        .map((c) => ({ ...view(c), oneOffId: c.owner, isStopping: this.#memory.stopping.has(c.containerId) })),
      releaseCommands: all.filter((c) => c.kind === 'release').map((c) => ({ ...view(c), releaseId: c.owner })),
      publishedRoutes: this.routes && printRoutes(this.routes),
    }
  }

  #observeDyno(c: SimulatedContainer): ObservedDyno {
    const { up, asked, unrouted, stopping } = this.#memory
    const id = c.containerId
    const isRouted = this.#isRouted(c)
    c.wasRouted ||= isRouted
    if (isRouted) up.add(id)
    if (c.state === 'running' && c.label.type === 'web' && !up.has(id)) {
      const since = asked.get(id) ?? this.engine.now
      asked.set(id, since)
      if (since < this.engine.now && c.upAt <= this.engine.now) up.add(id)
    }
    const isStopping = stopping.has(id)
    if (!isRouted && !unrouted.has(id)) unrouted.set(id, this.engine.now)
    const drainedAt = this.#drainedAt(c)
    return {
      ...view(c),
      ...c.label,
      releaseId: c.owner,
      size: 'Basic',
      address: `10.0.0.${c.label.ordinal}`,
      port: 5000 + c.label.version,
      isUp: c.state === 'running' && (c.label.type !== 'web' || up.has(id)),
      isRouted,
      isStopping,
      isDrained: c.state !== 'running' || (!isRouted && !isStopping && drainedAt <= this.engine.now),
    }
  }

  /** Requests in flight take as long as the dyno takes to stop. */
  #drainedAt(c: SimulatedContainer): number {
    const inFlightMs = c.wasRouted ? Math.min(c.ms.stop, drainTimeoutMs) : 0
    return (this.#memory.unrouted.get(c.containerId) ?? never) + inFlightMs
  }

  // Doing.

  #execute(step: Step): void {
    this.log.push(...this.#lines([step]))
    for (const effect of this.#effectsOf(step)) {
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

  #effectsOf(step: Step): (() => void)[] {
    switch (step.kind) {
      case 'create-release-command':
        return [
          () => this.#create('release', `release-v${step.release.version}`, step.release.id, this.#row(step.release)),
        ]
      case 'start-release-command':
        return [
          () => this.#moveCommand(step.release.version, 'waiting', 'started'),
          () => this.engine.start(this.#container(step.containerId)),
        ]
      case 'settle-release-command':
        return [() => this.#settleCommand(step.release.version, step.containerId)]
      case 'remove-container':
        return [() => this.#remove(step.containerId)]
      case 'start-dyno': {
        const { dyno, type, ordinal, release, generation } = step.wanted
        const label = { dyno, type, ordinal, version: release.version, generation, attempt: step.attempt }
        const name = `${dyno}-v${release.version}-${generation}-${step.attempt}`
        return [
          () => this.#create('dyno', name, release.id, this.#row(release), label),
          () => this.engine.start(this.#named(name)),
        ]
      }
      case 'settle-release':
        return [
          () => {
            if (step.fault && 'dyno' in step.fault) this.#checkFault(step.fault.kind, step.fault.dyno.containerId)
            this.#settleRelease(step.release.version, step.status)
          },
        ]
      case 'publish-routes':
        return [() => this.#publish(step.routes)]
      case 'stop-dyno':
        return [
          () => {
            if (step.kill) this.#checkFault('late', step.dyno.containerId)
            this.#stop(step.dyno.containerId, step.kill ?? false)
          },
        ]
      case 'start-one-off': {
        const row = this.oneOffs.find((o) => o.id === step.oneOff.id) as OneOffRow
        const name = `run.${row.number}`
        return [
          () => this.#create('one-off', name, row.id, this.#row(row.release), undefined, row.ms),
          ...(row.attached ? [] : [() => this.engine.start(this.#named(name)), () => this.#moveOneOff(row, 'up')]),
        ]
      }
      case 'stop-one-off':
        return [() => this.#stop(step.container.containerId, false)]
      case 'settle-one-off': {
        const row = this.oneOffs.find((o) => o.id === step.oneOff?.id)
        const { container } = step
        return [
          ...(row ? [() => this.#moveOneOff(row, 'ended', container?.exitCode ?? 255)] : []),
          ...(container ? [() => this.#remove(container.containerId)] : []),
        ]
      }
      case 'remove-app':
        return [() => this.#removeApp()]
    }
  }

  #create(
    kind: SimulatedContainer['kind'],
    containerName: string,
    owner: string,
    { wish }: ReleaseRow,
    label?: SimulatedContainer['label'],
    oneOffMs = 0,
  ): void {
    const { ordinal, attempt } = label ?? { ordinal: 1, attempt: 2 }
    const boot = attempt < 2 ? (wish.boots[(ordinal + attempt) % wish.boots.length] ?? 'up') : 'up'
    const up = wish.bootMs + 137 * ordinal
    const end = { up: never, never, crash: up, 'crash-later': up + 9_000 }[boot]
    this.engine.create({
      kind,
      containerName,
      owner,
      label,
      ms: {
        up: boot === 'up' || boot === 'crash-later' ? up : never,
        end: kind === 'dyno' ? end : kind === 'release' ? (wish.command?.ms ?? 0) : oneOffMs,
        stop: 40 + 700 * ordinal + (wish.bootMs % 5) * 1_000,
      },
      naturalExit: kind === 'dyno' ? 1 : kind === 'release' ? (wish.command?.exitCode ?? 0) : 0,
    })
  }

  #end(c: SimulatedContainer, exitCode: number): void {
    this.engine.end(c, exitCode)
    this.#memory.stopping.delete(c.containerId)
  }

  #stop(id: string, isKilled: boolean): void {
    const c = this.#container(id)
    if (c.state !== 'running') return
    if (this.#isRouted(c)) throw new Violation(`${c.containerName} is stopped while it is routed`)
    if (this.#memory.stopping.has(id)) throw new Violation(`${c.containerName} is told to stop twice`)
    this.#memory.stopping.set(id, this.engine.now + (isKilled ? 0 : 30_000))
    this.engine.terminate(c)
  }

  #remove(id: string): void {
    const c = this.engine.find(id)
    if (!c) return
    if (c.kind === 'dyno' && c.state === 'running' && this.#isRouted(c))
      throw new Violation(`${c.containerName} is removed while it is routed`)
    if (c.kind === 'release') this.#checkForgotten(c)
    this.engine.remove(id)
  }

  /** How the command of a release that may yet be the target ended is known before its container goes. */
  #checkForgotten(c: SimulatedContainer): void {
    const row = this.releases.find((r) => r.id === c.owner)
    if (row?.status !== 'pending' || row.commandState !== 'started' || this.destroyedAt) return
    const isLate = c.state === 'running' && this.engine.now > this.#since(c.startedAt) + limits.releaseCommandTimeoutMs
    if (!isLate) throw new Violation(`${c.containerName} is cut short or forgotten`)
  }

  #publish(routes: AppRoutes): void {
    const wantsWeb = wantedDynos(this.desired(), this.#current()).some((w) => w.type === 'web')
    const before = this.#serving(this.routes)
    this.routes = routes
    if (wantsWeb && before.length > 0 && this.#serving(routes).length === 0)
      throw new Violation(`nothing serves where ${before.map((c) => c.containerName).join(', ')} did`)
    if (routes.backends.length > 0 && !wantsWeb) throw new Violation('routes for an app that wants no web dyno')
  }

  /** Containers that a request gets to and that answer it. */
  #serving(routes: AppRoutes | undefined): SimulatedContainer[] {
    const names = new Set(routes?.backends.map((b) => b.name))
    return this.engine.all().filter((c) => names.has(backendOf(c)) && this.engine.isUp(c))
  }

  #isRouted(c: SimulatedContainer): boolean {
    return this.routes?.backends.some((b) => b.name === backendOf(c)) ?? false
  }

  /** A dyno is blamed only for what it did itself. */
  #checkFault(kind: 'crashed' | 'late', containerId: string): void {
    const c = this.#container(containerId)
    if (kind === 'crashed' && c.isTold) throw new Violation(`${c.containerName} was stopped and is blamed for a crash`)
    if (kind === 'late' && this.engine.isUp(c))
      throw new Violation(`${c.containerName} is up and blamed for being late`)
  }

  #settleRelease(version: number, status: 'succeeded' | 'failed'): void {
    const row = this.#row({ version })
    if (row.status !== 'pending') return
    row.status = status
    if (status === 'failed') return
    for (const older of this.releases)
      if (older.version < version && older.status === 'pending')
        older.status = older.slugId === row.slugId ? 'succeeded' : 'failed'
  }

  #moveCommand(version: number, from: ReleaseRow['commandState'], to: ReleaseRow['commandState']): boolean {
    const row = this.#row({ version })
    if (row.commandState !== from) return false
    row.commandState = to
    return true
  }

  #settleCommand(version: number, containerId: string | undefined): void {
    const ended = containerId === undefined ? undefined : this.engine.find(containerId)
    if (ended && ended.state !== 'exited') throw new Violation('a release command is settled while it runs')
    if (ended?.exitCode === 0) this.#moveCommand(version, 'started', 'succeeded')
    else if (this.#moveCommand(version, 'started', 'failed')) this.#settleRelease(version, 'failed')
  }

  #moveOneOff(row: OneOffRow, to: OneOffRow['state'], exitCode?: number): void {
    const order = ['starting', 'up', 'stopping', 'ended']
    if (order.indexOf(row.state) >= order.indexOf(to)) return
    row.state = to
    if (exitCode !== undefined) row.exitCode = exitCode
  }

  #removeApp(): void {
    if (this.engine.all().length > 0) throw new Violation('the app goes while something of it is there')
    this.isGone = true
  }

  // Time.

  #nextEvent(): number {
    const times = this.engine.all().flatMap((c) => {
      const [started, ended] = [this.#since(c.startedAt), this.#since(c.endedAt)]
      const asked = this.#memory.asked.get(c.containerId) ?? never
      const backoff = Math.min(limits.crashBackoffMs * 2 ** c.label.attempt, limits.crashBackoffMaxMs)
      const late = Math.max(started, this.#memory.since) + limits.bootTimeoutMs + 1
      const ends = [c.endAt, this.#memory.stopping.get(c.containerId) ?? never]
      const boots = c.state === 'running' ? [Math.max(c.upAt, asked + 8), late, this.#drainedAt(c)] : []
      return [...ends, ...boots, ended + limits.crashBackoffMs, ended + backoff, started + 600_001]
    })
    const oneOffs = this.oneOffs
      .filter((o) => o.state !== 'ended')
      .flatMap((o) => [this.#since(o.createdAt) + 60_001, this.#since(o.createdAt) + 120_001])
    return Math.min(...[...times, ...oneOffs].filter((time) => time > this.engine.now), never)
  }

  #goTo(time: number): void {
    this.engine.now = Math.max(time, this.engine.now)
    for (const c of this.engine.all()) {
      if (c.state !== 'running') continue
      const killAt = this.#memory.stopping.get(c.containerId) ?? never
      if (killAt <= this.engine.now) this.#end(c, 137)
      else if (c.endAt <= this.engine.now) this.#end(c, this.#memory.stopping.has(c.containerId) ? 143 : c.naturalExit)
    }
    if (!this.#isAway) this.pass()
  }

  #date(): Date {
    return at(this.engine.now / 1000)
  }

  #since(date: Date | undefined): number {
    return date === undefined ? never : date.getTime() - at(0).getTime()
  }

  #container(id: string): SimulatedContainer {
    const found = this.engine.find(id)
    if (!found) throw new Violation(`${id} is not there`)
    return found
  }

  #named(name: string): SimulatedContainer {
    const found = this.engine.named(name)
    if (!found) throw new Violation(`${name} is not there`)
    return found
  }

  #row({ version }: { readonly version: number }): ReleaseRow {
    return this.releases[version - 1] as ReleaseRow
  }

  #current(): ReleaseRow | undefined {
    return this.releases.findLast((r) => r.status === 'succeeded')
  }

  #target(): ReleaseRow | undefined {
    return this.releases.findLast((r) => r.status !== 'failed')
  }
}

function view(c: SimulatedContainer): ObservedContainer {
  const { containerId, containerName, state, startedAt, endedAt, exitCode, oomKilled } = c
  return { containerId, containerName, state, startedAt, endedAt, exitCode, oomKilled }
}

function backendOf(c: SimulatedContainer): string {
  return backendName({ ...c, ...c.label })
}
