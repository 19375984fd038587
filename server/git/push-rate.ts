/** How often each account has pushed within the last hour; kept in memory, so a restart forgets it. */
import type { Account } from '../model/account.js'
import { PlatformError } from '../model/errors.js'

const windowMs = 3_600_000

export class PushRate {
  readonly #perHour: number
  readonly #now: () => number
  /** Times of an account's pushes, oldest first; none older than the window once it was looked at. */
  readonly #times = new Map<string, number[]>()

  constructor(perHour: number, now: () => number = Date.now) {
    this.#perHour = perHour
    this.#now = now
  }

  /** Throws a refusal that says when to come back. */
  check(account: Account): void {
    const [oldest, ...others] = this.#recent(account.id)
    if (oldest === undefined || others.length + 1 < this.#perHour) return
    const minutes = Math.ceil((oldest + windowMs - this.#now()) / 60_000)
    throw new PlatformError(
      'rate_limit',
      `You have pushed ${this.#perHour} times within an hour, which is the limit. Push again in ${minutes} min.`,
    )
  }

  count(account: Account): void {
    this.#times.set(account.id, [...this.#recent(account.id), this.#now()])
  }

  #recent(accountId: string): readonly number[] {
    const since = this.#now() - windowMs
    const recent = (this.#times.get(accountId) ?? []).filter((time) => time > since)
    if (recent.length === 0) this.#times.delete(accountId)
    return recent
  }
}
