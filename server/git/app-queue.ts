/** One push per app at a time: whoever comes later waits in the order of coming, or leaves. Apps don't wait for each other. */

interface Entry {
  readonly begin: () => void
  since: number
}

export interface Turn {
  /** Gives the turn to the next; a second call does nothing. */
  end(): void
}

export class AppQueue {
  readonly #entries = new Map<string, Entry[]>()

  /**
   * Waits for the turn; undefined when `signal` fires first. `onWait` is called once, before waiting, with a function
   * that tells for how many milliseconds the present holder has had its turn and how many stand before this one.
   */
  async enter(appId: string, signal: AbortSignal, onWait: (look: QueueLook) => void): Promise<Turn | undefined> {
    if (signal.aborted) return undefined
    const line = this.#entries.get(appId) ?? []
    this.#entries.set(appId, line)
    let begin = () => {}
    const turn = new Promise<void>((resolve) => {
      begin = resolve
    })
    const entry: Entry = { begin, since: Date.now() }
    line.push(entry)
    if (line[0] !== entry) {
      onWait(() => ({ ahead: line.indexOf(entry), holderAgeMs: Date.now() - (line[0]?.since ?? Date.now()) }))
      if (!(await this.#waited(turn, signal))) {
        this.#remove(appId, entry)
        return undefined
      }
      entry.since = Date.now()
    }
    return { end: () => this.#remove(appId, entry) }
  }

  async #waited(turn: Promise<void>, signal: AbortSignal): Promise<boolean> {
    let leave = () => {}
    const left = new Promise<void>((resolve) => {
      leave = resolve
    })
    signal.addEventListener('abort', leave, { once: true })
    await Promise.race([turn, left])
    signal.removeEventListener('abort', leave)
    return !signal.aborted
  }

  #remove(appId: string, entry: Entry): void {
    const line = this.#entries.get(appId)
    const at = line?.indexOf(entry) ?? -1
    if (!line || at < 0) return
    line.splice(at, 1)
    if (line.length === 0) this.#entries.delete(appId)
    else if (at === 0) line[0]?.begin()
  }
}

export type QueueLook = () => { readonly ahead: number; readonly holderAgeMs: number }
