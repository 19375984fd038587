/** The rows of one app: its releases, one-offs, formation and what else users ask for, with the store's compare-and-set. */
import type { DesiredApp, RunnableRelease } from '../../../server/dynos/desired.js'
import type { Boot } from './simulated-engine.js'
import type { PendingBuild } from '../../../server/store/builds.js'
import { oneOff, read, release } from './situation.js'

/** A release to be, and how its containers will behave. */
export interface ReleaseWish {
  readonly types: readonly string[]
  /** Of the dynos and their attempts in turn; the third attempt is always good. */
  readonly boots: readonly Boot[]
  readonly bootMs: number
  readonly command: { readonly ms: number; readonly exitCode: number } | undefined
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
export type ReleaseRow = Mutable<RunnableRelease> & { readonly wish: ReleaseWish }
export type OneOffRow = Mutable<ReturnType<typeof oneOff>> & { readonly ms: number }

export class SimulatedRows {
  readonly releases: ReleaseRow[] = []
  readonly oneOffs: OneOffRow[] = []
  readonly formation = new Map([
    ['web', 2],
    ['worker', 1],
  ])
  readonly restarts = new Map<string, Date>()
  addOnsReady = true
  maintenance = false
  destroyedAt: Date | undefined
  #build: PendingBuild | undefined
  #builds = 0

  deploy(wish: ReleaseWish, now: Date): void {
    this.#insert(wish, `s${this.releases.length + 1}`, now)
    const releaseId = this.releases.at(-1)?.id
    if (this.#build?.releaseId === undefined && this.#build) this.#build = { ...this.#build, releaseId }
  }

  /** The beginning of a push; a deploy may be its end. */
  beginBuild(hasReleaseCommand: boolean): void {
    this.#build = { id: `b${++this.#builds}`, hasReleaseCommand, releaseId: undefined }
  }

  /** It came to nothing, or nobody is at it any more. */
  abandonBuild(): void {
    this.#build = undefined
  }

  pendingBuild(): PendingBuild | undefined {
    const release = this.releases.find((r) => r.id === this.#build?.releaseId)
    return release === undefined || release.status === 'pending' ? this.#build : undefined
  }

  setConfig(wish: ReleaseWish, now: Date): void {
    const target = this.target()
    if (target) this.#insert({ ...wish, types: target.wish.types }, target.slugId ?? '', now)
  }

  #insert(wish: ReleaseWish, slugId: string, createdAt: Date): void {
    const types = [...wish.types, ...(wish.command ? ['release'] : [])]
    const row = release(this.releases.length + 1, {
      processTypes: Object.fromEntries(types.map((type) => [type, type])),
      status: 'pending',
      commandState: wish.command ? 'waiting' : 'none',
      createdAt,
      slugId,
    })
    this.releases.push({ ...row, wish })
  }

  createOneOff(attached: boolean, ms: number, createdAt: Date): void {
    const current = this.current()
    if (!current || this.destroyedAt) return
    const number = this.oneOffs.length + 1
    const row = oneOff({ id: `o${number}`, number, attached, timeToLiveSeconds: 120, createdAt })
    this.oneOffs.push({ ...row, release: current, ms })
  }

  desired(): DesiredApp {
    const { desired } = read({
      current: this.current(),
      target: this.target(),
      app: { maintenance: this.maintenance, destroyedAt: this.destroyedAt },
      addOnsReady: this.addOnsReady,
      pendingBuild: this.pendingBuild(),
      oneOffs: this.oneOffs.filter((o) => o.state !== 'ended'),
      formation: [...this.formation].map(([type, quantity]) => `${type}=${quantity}`).join(' '),
    })
    return { ...desired, restarts: new Map(this.restarts) }
  }

  current(): ReleaseRow | undefined {
    return this.releases.findLast((r) => r.status === 'succeeded')
  }

  target(): ReleaseRow | undefined {
    return this.releases.findLast((r) => r.status !== 'failed')
  }

  release({ version }: { readonly version: number }): ReleaseRow {
    return this.releases[version - 1] as ReleaseRow
  }

  settleRelease(row: ReleaseRow, status: 'succeeded' | 'failed'): void {
    if (row.status !== 'pending') return
    row.status = status
    if (status === 'failed') return
    for (const older of this.releases)
      if (older.version < row.version && older.status === 'pending')
        older.status = older.slugId === row.slugId ? 'succeeded' : 'failed'
  }

  moveCommand(row: ReleaseRow, from: ReleaseRow['commandState'], to: ReleaseRow['commandState']): boolean {
    if (row.commandState !== from) return false
    row.commandState = to
    return true
  }

  moveOneOff(row: OneOffRow, to: OneOffRow['state'], exitCode?: number): void {
    const order = ['starting', 'up', 'stopping', 'ended']
    if (order.indexOf(row.state) >= order.indexOf(to)) return
    row.state = to
    if (exitCode !== undefined) row.exitCode = exitCode
  }
}
