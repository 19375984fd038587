/** Medians, spreads and tables for benchmarks. */

export interface Figure {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly n: number
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const median = sorted.length % 2 === 1 ? sorted[middle] : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
  const round = (value: number | undefined) => Math.round((value ?? 0) * 10) / 10
  return { median: round(median), min: round(sorted[0]), max: round(sorted[sorted.length - 1]), n: sorted.length }
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

export function machine(): string {
  return `Node ${process.version}, ${process.platform} ${process.arch}`
}
