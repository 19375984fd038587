/** How often each account has pushed to each app within the last hour; kept in memory, so a restart forgets it. */
import type { Account } from '../model/account.js'
import { PlatformError } from '../model/errors.js'

const windowMs = 3_600_000

export class PushRate {
  readonly #perHour: number
  readonly #now: () => number
  /** Times of an account's pushes to an app, oldest first; none older than the window once it was looked at. */
  readonly #times = new Map<string, number[]>()

  constructor(perHour: number, now: () => number = Date.now) {
    this.#perHour = perHour
    this.#now = now
  }

  /** Throws a refusal that says when to come back. */
  check(account: Account, appId: string): void {
    const [oldest, ...others] = this.#recent(keyOf(account, appId))
    if (oldest === undefined || others.length + 1 < this.#perHour) return
    const minutes = Math.ceil((oldest + windowMs - this.#now()) / 60_000)
    throw new PlatformError(
      'rate_limit',
      `You have pushed to this app ${this.#perHour} times within an hour, which is the limit. Push again in ${minutes} min.`,
    )
  }

  count(account: Account, appId: string): void {
    const key = keyOf(account, appId)
    this.#times.set(key, [...this.#recent(key), this.#now()])
  }

  #recent(key: string): readonly number[] {
    const since = this.#now() - windowMs
    const recent = (this.#times.get(key) ?? []).filter((time) => time > since)
    if (recent.length === 0) this.#times.delete(key)
    return recent
  }
}

function keyOf(account: Account, appId: string): string {
  return `${account.id} ${appId}`
}
