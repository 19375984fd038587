/**
 * The head of a push's body: the list of ref updates before the pack. It is read here only for its shape, so that git gets
 * a whole list at once and never a body that isn't a push; what the list means is decided in the hook.
 */

export interface CommandList {
  /** The bytes of the list and of whatever came with it: nothing is taken out. */
  readonly bytes: Buffer
  readonly firstRef: string
  /** Where the first ref's name ends in `bytes`. */
  readonly firstRefEnd: number
}

export type CommandListState = 'more' | 'done' | 'probe' | 'bad' | 'too-long'

const maxListBytes = 4 * 1024 ** 2
/** Longer than any file name that a ref could be stored under. */
const maxRefBytes = 1024
/** Ids, ref and what the client can do. */
const maxLineBytes = 4096
const updatePattern = /^(?:[0-9a-f]{40} [0-9a-f]{40}|[0-9a-f]{64} [0-9a-f]{64}) ([^\0\n]+)/
const shallowPattern = /^shallow (?:[0-9a-f]{40}|[0-9a-f]{64})\n?$/

/**
 * Reads a list that may arrive byte by byte. `probe` is a list without updates: git sends an empty one before a large push,
 * and a shallow clone one that only says where its history ends when git itself has refused all that was to be pushed.
 */
export class CommandListReader {
  #buffer = Buffer.alloc(4096)
  #size = 0
  #at = 0
  #updateCount = 0
  #firstRef = ''
  #firstRefEnd = 0

  read(chunk: Buffer): CommandListState {
    this.#append(chunk)
    for (;;) {
      const length = this.#nextLength()
      if (length === 'bad') return 'bad'
      if (length === 0) return this.#updateCount > 0 ? 'done' : this.#size === this.#at + 4 ? 'probe' : 'bad'
      if (this.#at > maxListBytes) return 'too-long'
      if (length === undefined || this.#size < this.#at + length) return 'more'
      if (!this.#readLine(this.#at + 4, this.#at + length)) return 'bad'
      this.#at += length
    }
  }

  /** After `done`. */
  get list(): CommandList {
    return {
      bytes: this.#buffer.subarray(0, this.#size),
      firstRef: this.#firstRef,
      firstRefEnd: this.#firstRefEnd,
    }
  }

  #append(chunk: Buffer): void {
    const size = this.#size + chunk.length
    if (size > this.#buffer.length) {
      const larger = Buffer.alloc(size * 2)
      this.#buffer.copy(larger, 0, 0, this.#size)
      this.#buffer = larger
    }
    chunk.copy(this.#buffer, this.#size)
    this.#size = size
  }

  #nextLength(): number | undefined | 'bad' {
    const digits = this.#buffer.toString('latin1', this.#at, Math.min(this.#at + 4, this.#size))
    if (!/^[0-9a-fA-F]*$/.test(digits)) return 'bad'
    if (digits.length < 4) return undefined
    const length = Number.parseInt(digits, 16)
    return length === 0 || (length > 4 && length <= maxLineBytes) ? length : 'bad'
  }

  #readLine(start: number, end: number): boolean {
    const line = this.#buffer.toString('latin1', start, end)
    if (shallowPattern.test(line)) return true
    const [prefix = '', ref = ''] = updatePattern.exec(line) ?? []
    if (ref === '' || ref.length > maxRefBytes) return false
    if (this.#updateCount === 0) {
      this.#firstRef = ref
      this.#firstRefEnd = start + prefix.length
    }
    this.#updateCount += 1
    return true
  }
}
