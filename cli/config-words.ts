/** Config vars as people write them on a command line and in a shell. */
import type { ConfigVars } from './api-types.js'
import { UsageError } from './errors.js'

/** Reads `KEY=value` words; the value may hold anything, line breaks too. A name given twice has its last value. */
export function parseAssignments(words: readonly string[]): ConfigVars {
  return Object.fromEntries(
    words.map((word) => {
      const split = word.indexOf('=')
      if (split < 1) throw new UsageError(`${word} is invalid. Must be in the format FOO=bar.`)
      return [word.slice(0, split), word.slice(split + 1)]
    }),
  )
}

/**
 * `KEY=value` lines that a shell reads back as they were. What needs no quotes has none and no backslashes: the lines are
 * kept in .env files too, whose other readers know fewer rules than a shell.
 */
export function shellAssignments(vars: ConfigVars): string {
  return Object.entries(vars)
    .map(([name, value]) => `${name}=${quoted(value)}\n`)
    .join('')
}

function quoted(value: string): string {
  if (/^[\w./:@%+=,-]+$/.test(value)) return value
  if (value.includes("'") && !/[$`"\\!]/.test(value)) return `"${value}"`
  return `'${value.replaceAll("'", `'\\''`)}'`
}
