/** Reads what the probe app says, wherever it ran: a line an attempt, and why it was kept out. */
import type { Test } from 'tap'

/** An attempt may only end in one of these: refused, not there, read-only, or no such call. Others mean it was tried wrongly. */
const refusals = /^(EPERM|EACCES|EROFS|ENOSYS|ENOENT|ESRCH)$/
/** A way that is closed: nobody there, no route, no answer. */
const closed = /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|timed out|EADDRNOTAVAIL|EPERM|EACCES)$/

export interface Report {
  /** Attempts by name, with the reason. */
  readonly keptOut: ReadonlyMap<string, string>
  readonly gotThrough: readonly string[]
  /** Folders and files its user may write. */
  readonly writable: readonly string[]
  /** Of its process: Uid, CapEff, NoNewPrivs … */
  readonly status: ReadonlyMap<string, string>
}

export function readReport(text: string): Report {
  // git puts its own word before and blanks behind what a push prints.
  const lines = text.split('\n').map((line) => line.replace(/^remote: /, '').trim())
  const pairs = (pattern: RegExp) =>
    lines.flatMap((line): [string, string][] => {
      const match = pattern.exec(line)
      return match ? [[match[1] ?? '', match[2] ?? '']] : []
    })
  const writable = pairs(/^writable(): (\[.*\])$/)[0]?.[1] ?? '[]'
  return {
    keptOut: new Map(pairs(/^(.+?): kept out \((.*)\)$/)),
    gotThrough: lines.filter((line) => line.includes('GOT THROUGH')),
    writable: JSON.parse(writable) as string[],
    status: new Map(pairs(/^status (\w+):\s+(.*)$/)),
  }
}

export interface Place {
  /** What its user may write, and nothing else. */
  readonly writable: readonly string[]
  /** Names of the probe's targets. */
  readonly targets: readonly string[]
}

export function expectKeptIn(t: Test, text: string, place: Place): void {
  const report = readReport(text)
  t.strictSame(report.gotThrough, [], 'nothing got through')
  t.ok(report.keptOut.size > 120, `${report.keptOut.size} attempts were made`)
  const reasons = [...report.keptOut]
  const isTarget = (name: string) => place.targets.includes(name)
  t.strictSame(
    place.targets.filter((name) => !report.keptOut.has(name)),
    [],
    'every target was tried',
  )
  t.strictSame(
    reasons.filter(([name, why]) => isTarget(name) && !closed.test(why)),
    [],
  )
  t.strictSame(
    reasons.filter(([name, why]) => !isTarget(name) && !name.startsWith('search for') && !refusals.test(why)),
    [],
    'each was refused, not tried wrongly',
  )
  t.strictSame([...report.writable].sort(), [...place.writable].sort(), 'what its user may write')
  const none = '0000000000000000'
  t.match(Object.fromEntries(report.status), {
    Uid: /^59419\s+59419\s+59419\s+59419$/,
    Gid: /^59419\s+59419\s+59419\s+59419$/,
    CapInh: none,
    CapPrm: none,
    CapEff: none,
    CapBnd: none,
    CapAmb: none,
    NoNewPrivs: '1',
    Seccomp: '2',
  })
}
