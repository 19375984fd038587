/** The changes an app goes through while it is under load; each resolves when it is done for those who send requests. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { routerPaths } from '../../../server/router/paths.js'
import { ask } from '../../../server/router/runtime-socket.js'
import { readPlacement } from '../../../server/router/stored-placement.js'
import { until, type World } from '../world.js'
import type { Load } from './load.js'

const changeDeadlineMs = 120_000

export class Changes {
  /** What was done when, to lay beside the failures. */
  readonly journal: { readonly at: number; readonly what: string }[] = []
  private serial = 0

  constructor(
    private readonly world: World,
    readonly app: string,
    private readonly repo: string,
    private readonly loads: readonly Load[],
  ) {}

  /** Pushes a commit; the release is live when git's answer is there. */
  async deploy(): Promise<void> {
    await writeFile(path.join(this.repo, 'version.txt'), `${++this.serial}\n`)
    await this.world.commitAll(this.repo, `Version ${this.serial}`)
    const pushed = await this.step('git push', () => this.world.push(this.repo))
    if (pushed.code !== 0) throw new Error(pushed.output)
    this.announce(Number(/Released v(\d+)/.exec(pushed.output)?.[1]))
  }

  config(): Promise<void> {
    return this.release('config:set', ['config:set', `SERIAL=${++this.serial}`])
  }

  /** To the release before the current one. */
  async rollback(): Promise<void> {
    const version = await this.answeringVersion()
    await this.release('rollback', ['rollback', `v${version - 1}`])
  }

  async scale(quantity: number): Promise<void> {
    await this.step(`ps:scale web=${quantity}`, async () => {
      await this.paas(['ps:scale', `web=${quantity}`])
      await until(`${quantity} routed dynos`, async () => (await this.routed()).length === quantity, changeDeadlineMs)
    })
  }

  async restart(): Promise<void> {
    const before = await this.routed()
    await this.step('ps:restart', async () => {
      await this.paas(['ps:restart'])
      await until(
        'dynos that are all new',
        async () => {
          const now = await this.routed()
          return now.length === before.length && now.every((name) => !before.includes(name))
        },
        changeDeadlineMs,
      )
    })
  }

  /** Kills the control plane, leaves the apps alone for a while, and starts another. */
  async killControlPlane(awayMs: number): Promise<void> {
    await this.step('control plane killed', () => this.world.endControlPlane('SIGKILL'))
    await wait(awayMs)
    await this.step('control plane started', () => this.world.startControlPlane())
  }

  async reloadRouter(): Promise<void> {
    const reply = await this.step('router reload', () => ask(this.paths().masterSocket, 'reload', 30_000))
    if (!reply.startsWith('Success=1')) throw new Error(reply)
  }

  /** Makes apps until the router has had to make room by a reload. */
  async growSlots(): Promise<void> {
    const before = (await this.placement()).slotCount
    await this.step('router slots grow', async () => {
      for (let n = 0; (await this.placement()).slotCount === before; n++) {
        await this.world.api('POST', '/apps', { name: `room-${this.serial}-${n}` })
        await wait(200)
      }
    })
  }

  private async release(what: string, args: readonly string[]): Promise<void> {
    const before = await this.answeringVersion()
    await this.step(what, async () => {
      await this.paas(args)
      const version = await until(
        'the release to answer every time',
        async () => {
          for (let n = 0; n < 20; n++) if ((await this.answeringVersion()) <= before) return false
          return this.answeringVersion()
        },
        changeDeadlineMs,
      )
      this.announce(version)
    })
  }

  private announce(version: number): void {
    for (const load of this.loads) load.live(version)
  }

  private async answeringVersion(): Promise<number> {
    const { headers } = await this.world.get(this.app)
    return Number(String(headers['x-release']).slice(1))
  }

  /** Names of the app's dynos in the route table. */
  private async routed(): Promise<string[]> {
    const { apps } = await this.placement()
    return apps.find((app) => app.appName === this.app)?.backends.map((backend) => backend.name) ?? []
  }

  private placement() {
    return readPlacement(this.paths().table, 1, this.world.config.domain)
  }

  private paths() {
    return routerPaths(path.join(this.world.config.dataDir, 'router'))
  }

  private async paas(args: readonly string[]): Promise<void> {
    const ran = await this.world.paas([...args, '--app', this.app])
    if (ran.code !== 0) throw new Error(ran.output)
  }

  private async step<T>(what: string, act: () => Promise<T>): Promise<T> {
    this.journal.push({ at: Date.now(), what: `${what} begins` })
    const result = await act()
    this.journal.push({ at: Date.now(), what: `${what} done` })
    return result
  }
}
