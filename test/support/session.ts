/**
 * Terminal sessions as people see them, kept as text: a line `$ command`, then what it prints. `…` alone on a line stands
 * for any lines, within a line for any characters; `[exit 3]` after the output is the exit code, 0 when it isn't given;
 * `[soon]` means that the command is to be tried again until it prints this, as a user would who watches something start;
 * lines that begin with `#` before the first command, or after an empty line, are for the reader.
 */
export interface SessionStep {
  readonly command: string
  readonly output: readonly string[]
  readonly exitCode: number
  readonly soon: boolean
  /** Of the command in the file, from 1. */
  readonly line: number
}

export function parseSession(text: string): SessionStep[] {
  const steps: { command: string; output: string[]; exitCode: number; soon: boolean; line: number }[] = []
  let before = ''
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trimEnd()
    const step = steps.at(-1)
    const exit = /^\[exit (\d+)\]$/.exec(line)
    if (line.startsWith('$ '))
      steps.push({ command: line.slice(2), output: [], exitCode: 0, soon: false, line: index + 1 })
    else if (line.startsWith('#') && (step === undefined || before === '')) continue
    else if (step === undefined) {
      if (line !== '') throw new Error(`line ${index + 1} comes before the first command`)
    } else if (line === '[soon]') step.soon = true
    else if (exit) step.exitCode = Number(exit[1])
    else step.output.push(line)
    before = line
  }
  if (steps.length === 0) throw new Error('a session without a command')
  return steps.map((step) => ({ ...step, output: withoutEmptyEnds(step.output) }))
}

/** What differs first, in words; undefined when the output is as expected. */
export function findDifference(step: SessionStep, output: string, exitCode: number): string | undefined {
  const lines = withoutEmptyEnds(output.split('\n').map((line) => line.trimEnd()))
  const reached = { expected: 0 }
  if (!fits(step.output, 0, lines, 0, reached)) {
    const missing = step.output[reached.expected]
    return missing === undefined ? 'there is more output than expected' : `not found where it should be: ${missing}`
  }
  return exitCode === step.exitCode ? undefined : `the exit code is ${exitCode}, not ${step.exitCode}`
}

function fits(
  expected: readonly string[],
  at: number,
  lines: readonly string[],
  from: number,
  reached: { expected: number },
): boolean {
  reached.expected = Math.max(reached.expected, at)
  const next = expected[at]
  if (next === undefined) return from === lines.length
  if (next === '…') {
    for (let skip = from; skip <= lines.length; skip += 1) if (fits(expected, at + 1, lines, skip, reached)) return true
    return false
  }
  const line = lines[from]
  return line !== undefined && matchesLine(next, line) && fits(expected, at + 1, lines, from + 1, reached)
}

function matchesLine(expected: string, line: string): boolean {
  const parts = expected.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(line)
}

function withoutEmptyEnds(lines: readonly string[]): string[] {
  const first = lines.findIndex((line) => line !== '')
  return first === -1 ? [] : lines.slice(first, lines.findLastIndex((line) => line !== '') + 1)
}
