/**
 * The dates of files in images. Web servers make `ETag` and `Last-Modified` of a file's date and size, so files that may
 * differ must not share a date: a browser would keep an old page that happens to be as long as the new one. The same commit
 * and inputs give the same dates, hence the same image.
 */
import { createHash } from 'node:crypto'

/** Programs that make zip archives refuse dates before 1980. */
const earliest = Date.UTC(1980, 0, 2)
const latest = Date.UTC(2100, 0, 1)
const tenYears = 10 * 365 * 86_400

/** Of the app's own files: the commit's, within what file formats can say. */
export function dateOfApp(committedAt: Date): Date {
  const at = committedAt.getTime()
  return new Date(Number.isFinite(at) ? Math.min(Math.max(at, earliest), latest) : earliest)
}

/** Of a layer of dependencies: one in the eighties that goes with its key, what the layer was made of. */
export function dateOfLayer(key: string): Date {
  const number = createHash('sha256').update(key).digest().readUInt32BE(0)
  return new Date(earliest + (number % tenYears) * 1_000)
}
