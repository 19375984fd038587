/**
 * How many gits read for clients at once: each takes a process and, for a clone, up to a hundred megabytes. Who comes later
 * waits in the order of coming; one account has at most half of the places, so that it never keeps the others waiting.
 */

interface Waiting {
  readonly accountId: string
  readonly begin: () => void
}

export class FetchTurns {
  readonly #places: number
  readonly #share: number
  readonly #running: string[] = []
  readonly #waiting: Waiting[] = []

  constructor(places: number) {
    this.#places = places
    this.#share = Math.ceil(places / 2)
  }

  /** Waits for a place and resolves with the function that gives it back; with undefined when `signal` fires first. */
  async enter(accountId: string, signal: AbortSignal): Promise<(() => void) | undefined> {
    if (signal.aborted) return undefined
    if (this.#hasPlace(accountId)) this.#running.push(accountId)
    else if (!(await this.#waited(accountId, signal))) return undefined
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#running.splice(this.#running.indexOf(accountId), 1)
      this.#callNext()
    }
  }

  #hasPlace(accountId: string): boolean {
    return this.#running.length < this.#places && this.#running.filter((id) => id === accountId).length < this.#share
  }

  #waited(accountId: string, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        resolve(false)
      }
      const begin = () => {
        this.#running.push(accountId)
        signal.removeEventListener('abort', leave)
        resolve(true)
      }
      const waiting = { accountId, begin }
      this.#waiting.push(waiting)
      signal.addEventListener('abort', leave, { once: true })
    })
  }

  #callNext(): void {
    const at = this.#waiting.findIndex(({ accountId }) => this.#hasPlace(accountId))
    const [next] = at < 0 ? [] : this.#waiting.splice(at, 1)
    next?.begin()
  }
}
