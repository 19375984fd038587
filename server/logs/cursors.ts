/**
 * How far each container of an app has been read: the timestamp of its newest line in the files.
 *
 * The table itself is written among the lines now and then, so after a restart the end of the newest file tells it whole,
 * and a quiet dyno keeps its place when a loud one has pushed its last line out of the files.
 */
import { compareTimestamps, isTimestamp } from './timestamp.js'

const mark = '#cursors'
/** The containers longest silent are forgotten beyond this many. */
const containersMax = 1000

export interface Cursors {
  /** Moves a container's cursor forward; a timestamp before it changes nothing. */
  note(container: string, at: string): void
  get(container: string): string | undefined
  /** The table as one line of a file. */
  encode(): string
  /** Takes what it doesn't know yet from an encoded table; false when the line is none. */
  merge(encoded: string): boolean
}

export function createCursors(): Cursors {
  const table = new Map<string, { at: string; turn: number }>()
  let turn = 0
  let last: { container: string; entry: { at: string; turn: number } } | undefined

  const forgetOldest = () => {
    const [oldest] = [...table].reduce((a, b) => (b[1].turn < a[1].turn ? b : a))
    table.delete(oldest)
    if (last?.container === oldest) last = undefined
  }
  const find = (container: string) => {
    if (last?.container === container) return last.entry
    const entry = table.get(container)
    if (entry) last = { container, entry }
    return entry
  }
  return {
    note(container, at) {
      const entry = find(container)
      turn += 1
      if (entry) {
        entry.turn = turn
        if (compareTimestamps(at, entry.at) > 0) entry.at = at
        return
      }
      if (table.size >= containersMax) forgetOldest()
      table.set(container, { at, turn })
    },
    get: (container) => table.get(container)?.at,
    encode() {
      const oldestFirst = [...table].sort((a, b) => a[1].turn - b[1].turn)
      return `${[mark, ...oldestFirst.map(([container, { at }]) => `${container}=${at}`)].join('\t')}\n`
    },
    merge(encoded) {
      if (!encoded.startsWith(mark)) return false
      for (const [index, field] of encoded.split('\t').slice(1).entries()) {
        const [container = '', at = ''] = field.split('=')
        const entry = table.get(container)
        if (!isTimestamp(at)) continue
        if (!entry) table.set(container, { at, turn: index - containersMax })
        else if (compareTimestamps(at, entry.at) > 0) entry.at = at
      }
      return true
    },
  }
}
