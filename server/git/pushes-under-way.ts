/**
 * Which repositories are being pushed to. A git that is ended by a signal leaves its quarantine behind; it is removed once
 * nobody pushes to the repository, since a quarantine's name doesn't tell whose it is.
 */
export class PushesUnderWay {
  readonly #apps = new Map<string, { count: number; hasLeft: boolean }>()
  readonly #sweep: (appId: string) => Promise<void>

  constructor(sweep: (appId: string) => Promise<void>) {
    this.#sweep = sweep
  }

  /** Before its git starts. */
  begin(appId: string): void {
    const app = this.#apps.get(appId) ?? { count: 0, hasLeft: false }
    app.count += 1
    this.#apps.set(appId, app)
  }

  /** After its git ended; `wasKilled` if that was by a signal. */
  async end(appId: string, wasKilled: boolean): Promise<void> {
    const app = this.#apps.get(appId)
    if (!app) return
    app.count -= 1
    app.hasLeft ||= wasKilled
    if (app.count > 0) return
    this.#apps.delete(appId)
    if (app.hasLeft) await this.#sweep(appId)
  }
}
