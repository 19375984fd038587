/**
 * One line of an app's log: its shape, how it is cleaned on its way in, how Heroku prints it, and how it is kept on disk.
 *
 * On disk a line is five fields between tabs, the text last, so the text may hold tabs itself. A clean text holds no line
 * feed, no NUL and no half of a surrogate pair, which is all that the file format and UTF-8 need. Colours stay as they are:
 * whoever shows the text decides what to do with them.
 */
import { isTimestamp, renderTimestamp } from './timestamp.js'

export type LogSource = 'app' | 'heroku'

export interface LogLine {
  /** RFC 3339, up to nanoseconds. */
  readonly at: string
  readonly source: LogSource
  /** `web.1`, `run.1234`, or the part of the platform that speaks: `router`, `api`. */
  readonly dyno: string
  /** The first 12 hexadecimal digits of the container that wrote it, when one did. */
  readonly container?: string
  readonly text: string
}

/** A dyno without a number means all dynos of that process type. */
export interface LogFilter {
  readonly source?: string
  readonly dyno?: string
}

/** Bytes of one line's text at most; the rest follows as further lines, as on Heroku. */
export const textBytesMax = 10_000

/** The one line that Heroku prints: `2012-02-07T09:43:06.123456+00:00 app[web.1]: text`. Holds no line break. */
export function renderLogLine(line: LogLine): string {
  const text = line.text.includes('\r') ? line.text.replaceAll('\r', ' ') : line.text
  return `${renderTimestamp(line.at)} ${line.source}[${line.dyno}]: ${text}`
}

/** The platform's own remark about an app's log. */
export function logplexLine(at: string, text: string): LogLine {
  return { at, source: 'heroku', dyno: 'logplex', text }
}

export function matchesFilter(line: LogLine, filter: LogFilter): boolean {
  if (filter.source !== undefined && line.source !== filter.source) return false
  const { dyno } = filter
  if (dyno === undefined || line.dyno === dyno) return true
  return !dyno.includes('.') && line.dyno.length > dyno.length && line.dyno.startsWith(`${dyno}.`)
}

const unsafeName = /[^\w.-]/g
const safeName = /^[\w.-]+$/
const unsafeText = /[\0\ud800-\udfff]/gu
const unsafeLine = /[\0\n\ud800-\udfff]|\r$/u

/** The lines to keep for one that came in: fields made safe, split at line breaks and at the longest text. */
export function cleanLines(line: LogLine, now: () => string): LogLine[] {
  const base = {
    at: isTimestamp(line.at) ? line.at : now(),
    source: line.source === 'app' ? ('app' as const) : ('heroku' as const),
    dyno: line.dyno.replace(unsafeName, '_'),
    ...(line.container ? { container: line.container.replace(unsafeName, '_') } : {}),
  }
  return cleanTexts(line.text).map((text) => ({ ...base, text }))
}

function cleanTexts(text: string): string[] {
  const safe = text.replace(unsafeText, '\ufffd')
  return safe.split('\n').flatMap((part) => splitText(part.endsWith('\r') ? part.slice(0, -1) : part))
}

function splitText(text: string): string[] {
  // A UTF-16 unit is three bytes of UTF-8 at most, which spares nearly every line the counting.
  if (text.length * 3 <= textBytesMax || Buffer.byteLength(text) <= textBytesMax) return [text]
  const bytes = Buffer.from(text)
  const pieces: string[] = []
  for (let from = 0; from < bytes.length; ) {
    let to = Math.min(from + textBytesMax, bytes.length)
    while (to < bytes.length && ((bytes[to] ?? 0) & 0xc0) === 0x80) to--
    pieces.push(bytes.toString('utf8', from, to))
    from = to
  }
  return pieces
}

/** True for the ordinary line, which `cleanLines` would return as it is; every line is asked, so it is quick. */
export function isClean(line: LogLine): boolean {
  const { text } = line
  return (
    text.length * 3 <= textBytesMax &&
    !unsafeLine.test(text) &&
    isTimestamp(line.at) &&
    safeName.test(line.dyno) &&
    (line.container === undefined || safeName.test(line.container))
  )
}

export function encodeLine(line: LogLine): string {
  return `${line.at}\t${line.source}\t${line.dyno}\t${line.container ?? ''}\t${line.text}\n`
}

/** Undefined for what isn't a line: a cursor record, or bytes that a crash left behind. */
export function decodeLine(encoded: string): LogLine | undefined {
  const a = encoded.indexOf('\t')
  const b = encoded.indexOf('\t', a + 1)
  const c = encoded.indexOf('\t', b + 1)
  const d = encoded.indexOf('\t', c + 1)
  if (a < 0 || b < 0 || c < 0 || d < 0) return undefined
  const at = encoded.slice(0, a)
  const source = encoded.slice(a + 1, b)
  if ((source !== 'app' && source !== 'heroku') || !isTimestamp(at)) return undefined
  const container = encoded.slice(c + 1, d)
  return {
    at,
    source,
    dyno: encoded.slice(b + 1, c),
    ...(container === '' ? {} : { container }),
    text: encoded.slice(d + 1),
  }
}
