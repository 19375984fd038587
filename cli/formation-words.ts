/** Formations as people write and read them: `web=2:basic`. */
import type { Formation } from './api-types.js'
import { UsageError } from './errors.js'
import { countOf } from './format.js'

export interface FormationUpdate {
  readonly type: string
  /** A count, or a change such as `+1`. */
  readonly quantity?: string
  readonly size?: string
}

const scaleForm = /^([a-zA-Z0-9_-]+?)(?:=(\d+)|([+-]\d+))(?::([\w-]+))?$/

/** Reads `web=2`, `web+1`, `worker-1` or `web=2:size`. */
export function parseScale(word: string): FormationUpdate {
  const [, type, count, change, size] = scaleForm.exec(word) ?? []
  const quantity = count ?? change
  if (type === undefined || quantity === undefined)
    throw new UsageError(`${word} is invalid. Must be in the format web=2, web+1 or web=2:size.`)
  return { type, quantity, ...(size === undefined ? {} : { size }) }
}

/** `web=1:basic worker=0:basic`: what `ps:scale` takes back. */
export function scaleWords(formation: readonly Formation[]): string {
  return sorted(formation)
    .map((f) => `${f.type}=${f.quantity}:${f.size}`)
    .join(' ')
}

/** `web at 2:basic, worker at 1:basic`. */
export function runningWords(formation: readonly Formation[]): string {
  return sorted(formation)
    .map((f) => `${f.type} at ${f.quantity}:${f.size}`)
    .join(', ')
}

/** Rows of a table: type, size, how many. */
export function formationRows(formation: readonly Formation[]): string[][] {
  return sorted(formation).map((f) => [f.type, f.size, countOf(f.quantity, 'dyno')])
}

function sorted(formation: readonly Formation[]): Formation[] {
  return [...formation].sort((a, b) => a.type.localeCompare(b.type))
}
