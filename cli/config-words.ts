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

/** `KEY=value` lines that a shell reads back as they were. */
export async function shellAssignments(vars: ConfigVars): Promise<string> {
  const { quote } = await import('shell-quote')
  return Object.entries(vars)
    .map(([name, value]) => `${name}=${quote([value])}\n`)
    .join('')
}
