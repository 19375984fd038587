/**
 * Makes text from elsewhere safe to show: a log line or an error message is written by an app, and a terminal obeys
 * control sequences (retitle the window, answer as if typed, overwrite what stands above) and bidirectional controls (show
 * the words in another order). Colour alone is let through.
 */

// One alternative per family: colour (kept by the caller), other CSI, OSC and the string families up to their
// terminator, any other escape, a lone ESC, C1 controls, C0 controls except tab and line feed; bidirectional controls, which
// right-to-left scripts do without.
const controls =
  /\x1b\[[0-9;:]*m|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\p{Bidi_Control}]/gu
const color = /^\x1b\[[0-9;:]*m$/
const anyColor = /\x1b\[[0-9;:]*m/g
const reset = '\x1b[0m'

/** The text without control sequences; with `keepColor`, colours stay and end with the text. */
export function stripControls(text: string, keepColor = false): string {
  const clean = text.replace(controls, (found) => (keepColor && color.test(found) ? found : ''))
  const last = clean.match(anyColor)?.at(-1)
  return last === undefined || last === reset || last === '\x1b[m' ? clean : clean + reset
}

/** Columns the text takes, its colours not counted. */
export function visibleWidth(text: string): number {
  return [...text.replace(anyColor, '')].length
}
