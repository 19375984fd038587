/**
 * The line by which `heroku run --exit-code` learns how its command ended: it has the dyno's shell print it, and looks for
 * it in every piece of output by itself. So the line must arrive in one piece, and must arrive: its shell doesn't print it
 * when the command ends the shell, or when both are killed.
 */

const mark = '\uFFFF heroku-command-exit-status: '
const markBytes = Buffer.from(mark)
/** Three digits, a carriage return and a line feed. */
const lineBytesMax = markBytes.length + 5

export interface ExitStatusLine {
  /** The output in pieces to be sent one by one; what may be the beginning of the line waits for the rest of it. */
  pieces(chunk: Buffer): Buffer[]
  /** What is left to send when the dyno has ended: all that waits, and the line itself where it hasn't been sent. */
  last(exitCode: number): Buffer[]
}

/** Undefined for a command that doesn't print the line. */
export function exitStatusLineOf(command: string): ExitStatusLine | undefined {
  if (!command.endsWith(`echo "${mark}$?"`)) return undefined
  let held: Buffer = Buffer.alloc(0)
  let sent = false

  const pieces = (chunk: Buffer): Buffer[] => {
    const data = Buffer.concat([held, chunk])
    const at = markAt(data)
    held = data.subarray(at)
    const before = data.subarray(0, at)
    const end = held.indexOf('\n') + 1
    if (end === 0 && held.length < lineBytesMax) return notEmpty([before])
    const line = end === 0 ? held : held.subarray(0, end)
    const after = held.subarray(line.length)
    held = Buffer.alloc(0)
    sent ||= line.length > markBytes.length
    return [...notEmpty([before, line]), ...(after.length === 0 ? [] : pieces(after))]
  }

  return {
    pieces,
    last(exitCode) {
      sent ||= held.length > markBytes.length
      return notEmpty([held, ...(sent ? [] : [Buffer.from(`${mark}${exitCode}\n`)])])
    },
  }
}

function notEmpty(pieces: readonly Buffer[]): Buffer[] {
  return pieces.filter((piece) => piece.length > 0)
}

/** Where the mark begins, or what may become one at the end; the length where there is neither. */
function markAt(data: Buffer): number {
  const whole = data.indexOf(markBytes)
  if (whole >= 0) return whole
  for (let at = Math.max(0, data.length - markBytes.length + 1); at < data.length; at += 1)
    if (data.subarray(at).equals(markBytes.subarray(0, data.length - at))) return at
  return data.length
}
