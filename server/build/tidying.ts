/**
 * What a build leaves is cleared away a little later, while nobody waits for the machine: removing some thousand files takes
 * as long as starting a dyno. Sooner when the same app is built again, or when the platform stops.
 */
interface Pending {
  begin(): void
  readonly done: Promise<void>
}

export class Tidying {
  readonly #delayMs: number
  readonly #pending = new Map<string, Pending>()

  constructor(delayMs: number) {
    this.#delayMs = delayMs
  }

  /** `task` must not throw. One at a time for a key: whoever builds an app again waits for `now` first. */
  later(key: string, task: () => Promise<void>): void {
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const timer = setTimeout(begin, this.#delayMs)
    const done = begun
      .then(() => clearTimeout(timer))
      .then(task)
      .finally(() => this.#pending.delete(key))
    this.#pending.set(key, { begin, done })
  }

  /** Resolves when nothing is left to do for the key. */
  async now(key: string): Promise<void> {
    const pending = this.#pending.get(key)
    pending?.begin()
    await pending?.done
  }

  async all(): Promise<void> {
    await Promise.all([...this.#pending.keys()].map((key) => this.now(key)))
  }
}
