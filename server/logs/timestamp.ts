/** RFC 3339 timestamps of up to nanoseconds, kept as text: a JavaScript date would cut them to milliseconds. */

const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

export function isTimestamp(text: string): boolean {
  return form.test(text)
}

export function timestampOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

/** Whole seconds since 1970 and the nine digits below them. */
function parts(at: string): { readonly seconds: number; readonly fraction: string } {
  const offset = at.endsWith('Z') ? 'Z' : at.slice(-6)
  return {
    seconds: Date.parse(at.slice(0, 19) + offset) / 1000,
    fraction: at.slice(20, at.length - offset.length).padEnd(9, '0'),
  }
}

/** Negative, zero or positive as `a` is before, at or after `b`; both must be timestamps. */
export function compareTimestamps(a: string, b: string): number {
  if (a === b) return 0
  if (a.length === b.length && a.endsWith('Z') && b.endsWith('Z')) return a < b ? -1 : 1
  const [left, right] = [parts(a), parts(b)]
  if (left.seconds !== right.seconds) return left.seconds - right.seconds
  return left.fraction === right.fraction ? 0 : left.fraction < right.fraction ? -1 : 1
}

/** As Heroku prints it: UTC with microseconds, `2012-02-07T09:43:06.123456+00:00`. */
export function renderTimestamp(at: string): string {
  if (at.endsWith('Z')) return `${at.slice(0, 19)}.${at.slice(20, -1).padEnd(6, '0').slice(0, 6)}+00:00`
  const { seconds, fraction } = parts(at)
  return `${timestampOf(seconds * 1000).slice(0, 19)}.${fraction.slice(0, 6)}+00:00`
}

/** As Heroku writes it in a sentence: UTC, whole seconds. */
export function renderSecond(at: string): string {
  return `${renderTimestamp(at).slice(0, 19)}+00:00`
}

/** As the engine's `since` wants it, moved by whole seconds: `1700000000.000000001`. */
export function engineTimestamp(at: string, moveSeconds: number): string {
  const { seconds, fraction } = parts(at)
  return `${seconds + moveSeconds}.${fraction}`
}
