/**
 * Everything the CLI says, and the only file that writes to the terminal. Results go to stdout, so that they can be
 * piped; progress, warnings and errors go to stderr.
 *
 * Whatever is printed may hold text that an app or another account wrote, so control sequences other than colour never
 * reach the terminal. Data asked for as it is (`printData`) is exempt when it goes to a file or pipe.
 */
import pc from 'picocolors'
import { alignColumns } from './format.js'
import { stripControls, visibleWidth } from './terminal-text.js'

type Colors = ReturnType<typeof pc.createColors>

let onStdout: Colors = pc.createColors(false)
let onStderr: Colors = pc.createColors(false)
const coloured = { stdout: false, stderr: false }

/** How long an action may take before a spinner says that it is still going on. */
const spinnerDelayMs = 200

/** Says once, at start, which stream may show colours; a reader that went away (`| head`) ends the process quietly. */
export function configureOutput(color: { readonly stdout: boolean; readonly stderr: boolean }): void {
  configureColor(color)
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
}

/** Changes which streams may show colours. */
export function configureColor(color: { readonly stdout?: boolean; readonly stderr?: boolean }): void {
  Object.assign(coloured, color)
  onStdout = pc.createColors(coloured.stdout)
  onStderr = pc.createColors(coloured.stderr)
}

/** Colours for text on stdout; they do nothing where colour isn't wanted. */
export function paint(): Colors {
  return onStdout
}

/** A line, or several, on stdout. */
export function print(text = ''): void {
  process.stdout.write(`${stripControls(text, coloured.stdout)}\n`)
}

/** A line on stderr. */
export function printProgress(text: string): void {
  process.stderr.write(`${stripControls(text, coloured.stderr)}\n`)
}

/** A question on stderr; the answer is typed behind it. */
export function printQuestion(text: string): void {
  process.stderr.write(stripControls(text, coloured.stderr))
}

/** Data exactly as it is, unless it goes to a terminal. */
export function printData(text: string): void {
  process.stdout.write(process.stdout.isTTY ? stripControls(text) : text)
}

/** Bytes of an attached dyno, untouched; returns whether the stream takes more at once. */
export function writeRaw(stream: 'stdout' | 'stderr', bytes: Uint8Array): boolean {
  return process[stream].write(bytes)
}

/** Resolves when everything written so far has left the process. */
export async function flushOutput(): Promise<void> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => stream.write('', () => resolve()))
}

export function printJson(value: unknown): void {
  process.stdout.write(`${escapeControls(JSON.stringify(value ?? null, null, 2))}\n`)
}

/** One value on one line, for output that goes on. */
export function printJsonLine(value: unknown): void {
  process.stdout.write(`${escapeControls(JSON.stringify(value))}\n`)
}

// JSON escapes C0 controls by itself; the C1 range would still reach the terminal.
function escapeControls(json: string): string {
  return json.replace(/[\x7f-\x9f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** `=== ⬢ my-app Config Vars`, and an empty line. */
export function printHeader(text: string): void {
  print(`${onStdout.dim('===')} ${onStdout.bold(text)}\n`)
}

/** `Owner:  me@example.com`, one line per name; undefined values are left out, lists stand under one another. */
export function printProperties(
  values: Readonly<Record<string, string | number | readonly string[] | null | undefined>>,
): void {
  const rows = Object.entries(values).flatMap(([name, value]) => {
    if (value === undefined || value === null) return []
    const lines = Array.isArray(value) ? value : String(value).split('\n')
    return lines.map((line: string, i: number) => [i === 0 ? onStdout.cyan(`${name}:`) : '', line])
  })
  for (const line of alignColumns(rows)) print(line)
}

/** A table with a header and a line under it. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = alignColumns([header.map((cell) => onStdout.bold(cell)), ...rows])
  const width = Math.max(...lines.map(visibleWidth))
  print(`${lines[0]}\n${onStdout.dim('─'.repeat(width))}\n${lines.slice(1).join('\n')}`)
}

/** ` ▸    message` on stderr, every line of it marked. */
export function printError(message: string): void {
  printMarked(message, (line) => `${onStderr.red(' ▸')}    ${line}`)
}

/** ` ▸    message` in yellow on stderr: the command goes on. */
export function warn(message: string): void {
  printMarked(message, (line) => `${onStderr.yellow(' ▸')}    ${line}`)
}

function printMarked(message: string, mark: (line: string) => string): void {
  printProgress(message.trimEnd().split('\n').map(mark).join('\n'))
}

/** `⬢ my-app`, in the colour apps have; `stderr` for progress lines. */
export function appLabel(app: string, stream: 'stdout' | 'stderr' = 'stdout'): string {
  return (stream === 'stdout' ? onStdout : onStderr).magenta(`⬢ ${app}`)
}

/**
 * Does the work between `Creating ⬢ my-app...` and `done, …`, on stderr. A terminal gets a spinner if it takes long;
 * elsewhere the line is written when it is complete. A failure ends the line with `!` and is thrown on.
 */
export async function action<T>(
  message: string,
  work: () => Promise<T>,
  outcome: (result: T) => string | undefined = () => undefined,
): Promise<T> {
  const spinner = process.stderr.isTTY ? startSpinner(message) : undefined
  const finish = (end: string) => {
    spinner?.stop()
    printProgress(`${message}... ${end}`)
  }
  try {
    const result = await work()
    const extra = outcome(result)
    finish(extra === undefined || extra === '' ? 'done' : `done, ${extra}`)
    return result
  } catch (error) {
    finish(onStderr.red('!'))
    throw error
  }
}

function startSpinner(message: string): { stop(): void } {
  let stopped = false
  let stopSpinner = () => {}
  const timer = setTimeout(async () => {
    const { createSpinner } = await import('./spinner.js')
    if (!stopped) stopSpinner = createSpinner(`${stripControls(message, coloured.stderr)}...`)
  }, spinnerDelayMs)
  return {
    stop() {
      stopped = true
      clearTimeout(timer)
      stopSpinner()
    },
  }
}
