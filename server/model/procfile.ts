/** The Procfile: process types and their commands. */

export type ProcessTypes = Readonly<Record<string, string>>

export type ProcfileResult =
  | { readonly ok: true; readonly types: ProcessTypes }
  | { readonly ok: false; readonly reason: string }

const line = /^([A-Za-z0-9][A-Za-z0-9_-]{0,62}):\s*(.+)$/

/**
 * Reads a Procfile. Comment lines, blank lines, tabs, Windows line ends and a missing final newline are fine; an inline
 * `#` belongs to the command, as the shell will read it. A line that is neither is an error with its number.
 */
export function parseProcfile(text: string): ProcfileResult {
  const types: Record<string, string> = Object.create(null)
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  for (const [index, raw] of lines.entries()) {
    const trimmed = raw.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const match = line.exec(trimmed)
    if (!match?.[1] || !match[2])
      return {
        ok: false,
        reason: `Procfile line ${index + 1} is '${trimmed.slice(0, 80)}'; it must read 'type: command', for example 'web: gunicorn mysite.wsgi'.`,
      }
    if (match[2].includes('\0'))
      return { ok: false, reason: `Procfile line ${index + 1} contains a NUL character; save the file as plain text.` }
    types[match[1]] = match[2].trim()
  }
  return { ok: true, types: { ...types } }
}
