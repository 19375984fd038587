/** The checkout as the tests of this folder read it: its files as text, and documents that are kept equal to the code. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** From sources and from dist/ alike. */
export const root = rootAbove(path.resolve(import.meta.dirname, '..', '..'))

function rootAbove(folder: string): string {
  return path.basename(folder) === 'dist' ? path.dirname(folder) : folder
}

export function readText(file: string): string {
  return readFileSync(path.join(root, file), 'utf8')
}

/** Files below a folder that end in one of `endings`, as paths from the root with forward slashes; fixtures are left out. */
export function filesBelow(folder: string, ...endings: readonly string[]): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith('test/fixtures/') && !file.includes('node_modules'))
    .sort()
}

/** Lines of a text with their numbers, from 1, that match the pattern: `server/x.ts:12: the line`. */
export function linesMatching(file: string, pattern: RegExp): string[] {
  return readText(file)
    .split('\n')
    .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : []))
}

/** A document's cells of the first column of every table row that begins with code: "| `H10` | …" gives `H10`. */
export function codedRows(markdown: string): string[] {
  return [...markdown.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? '')
}

/**
 * Compares a document with what the code says it must be, or with UPDATE_DOCS=1 writes it. The failure says how to
 * bring the document up to date.
 */
export function checkGenerated(
  t: { equal(found: unknown, wanted: unknown, message: string): unknown },
  file: string,
  wanted: string,
  by: string,
): void {
  if (process.env.UPDATE_DOCS === '1') writeFileSync(path.join(root, file), wanted)
  t.equal(readText(file), wanted, `${file} is as \`node build.mjs && UPDATE_DOCS=1 node dist/${by}\` writes it`)
}
