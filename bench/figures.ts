/** Medians, spreads and tables for benchmarks. */
import os from 'node:os'

export interface Figure {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly n: number
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b)
  const round = (value: number | undefined) => Math.round((value ?? 0) * 10) / 10
  return {
    median: round(medianOf(values)),
    min: round(sorted[0]),
    max: round(sorted[sorted.length - 1]),
    n: sorted.length,
  }
}

/** Rows of name and figure, in milliseconds unless told otherwise. */
export function printTable(title: string, rows: readonly (readonly [string, Figure])[], unit = 'ms'): void {
  console.log(`\n${title}`)
  const width = Math.max(...rows.map(([name]) => name.length), 10)
  console.log(`${'step'.padEnd(width)}  ${`median ${unit}`.padStart(12)}  ${'min – max'.padStart(18)}  n`)
  for (const [name, f] of rows)
    console.log(
      `${name.padEnd(width)}  ${f.median.toFixed(1).padStart(12)}  ${`${f.min.toFixed(1)} – ${f.max.toFixed(1)}`.padStart(18)}  ${f.n}`,
    )
}

/** Any table: the first column is left-aligned, the others right-aligned. */
export function printGrid(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => (row[column] ?? '').length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd()
  console.log(`\n${title}`)
  for (const row of [head, ...rows]) console.log(line(row))
}

/** `25,120 (24,001 – 26,230)`; with so few rounds the smallest and largest say more than a deviation. */
export function spread(values: readonly number[], digits = 0): string {
  const sorted = [...values].sort((a, b) => a - b)
  const text = (value: number | undefined) =>
    (value ?? Number.NaN).toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return `${text(medianOf(values))} (${text(sorted[0])} – ${text(sorted.at(-1))})`
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/**
 * The ratio of each round, ours to the peer's of the same round: the machine's slow moments, which last longer than a
 * round, meet both.
 */
export function ratios(ours: readonly number[], peers: readonly number[]): number[] {
  return ours.flatMap((value, round) => {
    const peer = peers[round]
    return peer === undefined || peer === 0 ? [] : [value / peer]
  })
}

export function machine(): string {
  const memory = Math.round(os.totalmem() / 1024 ** 3)
  const load = (os.loadavg()[0] ?? 0).toFixed(1)
  const processor = os.cpus()[0]?.model.trim() ?? process.arch
  return `${os.cpus().length} × ${processor}, ${memory} GiB, Linux ${os.release()}, Node.js ${process.version}, load ${load}`
}
