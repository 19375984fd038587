/** Wording of values, as Heroku's CLI words them. Pure: the time is a parameter. */
import { visibleWidth } from './terminal-text.js'

const units: readonly (readonly [seconds: number, name: string])[] = [
  [60, 's'],
  [3600, 'm'],
  [86400, 'h'],
  [Number.POSITIVE_INFINITY, 'd'],
]

/** `2026/09/01 10:00:00 +0200 (~ 2h ago)`, in the reader's time zone; text that is no date is shown as it is. */
export function formatTime(iso: string | null | undefined, now: Date = new Date()): string {
  if (iso === null || iso === undefined) return ''
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return iso
  return `${formatDate(date)} (~ ${formatAge(date, now)} ago)`
}

function formatDate(date: Date): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const day = `${date.getFullYear()}/${two(date.getMonth() + 1)}/${two(date.getDate())}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  const offset = -date.getTimezoneOffset()
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`
  return `${day} ${time} ${zone}`
}

function formatAge(date: Date, now: Date): string {
  const seconds = Math.max(0, Math.floor((now.getTime() - date.getTime()) / 1000))
  let size = 1
  for (const [limit, name] of units) {
    if (seconds < limit) return `${Math.floor(seconds / size)}${name}`
    size = limit
  }
  return ''
}

/** `1.4 MB`; nothing for an unknown size. */
export function formatBytes(bytes: number | null | undefined): string | undefined {
  if (bytes === null || bytes === undefined) return undefined
  const names = ['B', 'KB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < names.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : Number(value.toFixed(1))} ${names[unit]}`
}

interface Price {
  readonly cents?: number
  readonly unit?: string
  readonly contract?: boolean
}

/** `free`, `$5/month` or `contract`. */
export function formatPrice(price: Price | null | undefined): string {
  if (price?.contract) return 'contract'
  if (price === null || price === undefined || !price.cents) return 'free'
  return `$${price.cents % 100 === 0 ? price.cents / 100 : (price.cents / 100).toFixed(2)}/${price.unit ?? 'month'}`
}

/** Lines whose columns stand under one another; the last column isn't padded. */
export function alignColumns(rows: readonly (readonly string[])[], gap = 2): string[] {
  const widths: number[] = []
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, visibleWidth(cell))
    })
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - visibleWidth(cell) + gap),
      )
      .join('')
      .trimEnd(),
  )
}

/** `1 dyno`, `2 dynos`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** `a`, `a and b`, `a, b and c`. */
export function listOf(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}
