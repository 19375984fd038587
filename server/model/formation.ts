/** The formation: which process types run, how many of each and how large. */
import { invalid } from './errors.js'

export interface FormationEntry {
  readonly type: string
  readonly quantity: number
  readonly size: string
  readonly updatedAt: Date
}

export interface DynoSize {
  readonly name: string
  readonly memoryBytes: number
  readonly cpus: number
  readonly pids: number
}

const mib = 1024 ** 2

/** Sizes by Heroku's names; price is the machine's, so only the limits differ. */
export const dynoSizes: readonly DynoSize[] = [
  { name: 'Basic', memoryBytes: 512 * mib, cpus: 1, pids: 256 },
  { name: 'Standard-1X', memoryBytes: 512 * mib, cpus: 1, pids: 256 },
  { name: 'Standard-2X', memoryBytes: 1024 * mib, cpus: 2, pids: 512 },
  { name: 'Performance-M', memoryBytes: 2560 * mib, cpus: 2, pids: 4096 },
  { name: 'Performance-L', memoryBytes: 14 * 1024 * mib, cpus: 8, pids: 8192 },
]

export const defaultDynoSize = 'Basic'

/** Case-insensitive; `eco`, `free` and `hobby` of older app.json files mean the default. */
export function findDynoSize(name: string): DynoSize {
  const wanted = name.toLowerCase()
  const known = ['eco', 'free', 'hobby'].includes(wanted) ? 'basic' : wanted
  const size = dynoSizes.find((s) => s.name.toLowerCase() === known)
  if (!size)
    throw invalid(
      `There is no dyno size '${name.slice(0, 40)}'; the sizes are ${dynoSizes.map((s) => s.name).join(', ')}.`,
    )
  return size
}

/** `2`, `"2"`, `"+1"` or `"-1"` against the present quantity. */
export function nextQuantity(present: number, wanted: number | string, limit: number): number {
  const text = String(wanted)
  if (!/^[+-]?\d{1,6}$/.test(text))
    throw invalid(`Quantity '${text.slice(0, 20)}' must be a number such as 2, +1 or -1.`)
  const next = /^[+-]/.test(text) ? present + Number(text) : Number(text)
  if (next < 0) throw invalid(`There are ${present} dynos of that type; the quantity can't go below 0.`)
  if (next > limit) throw invalid(`An app may have ${limit} dynos of a type at most here (PAAS_DYNOS_PER_APP).`)
  return next
}
