/** Questions to the person at the terminal; they go to stderr, so that stdout stays a result. */
import { CliError, exitCodes } from './errors.js'
import { printProgress, printQuestion, warn } from './output.js'

/** Whether somebody is there to answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true
}

/** Asks for a line; with `hidden` what is typed isn't shown. Ctrl-C ends with exit code 130. */
export async function ask(question: string, options: { readonly hidden?: boolean } = {}): Promise<string> {
  const [{ createInterface }, { Writable }] = await Promise.all([import('node:readline'), import('node:stream')])
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const output = options.hidden ? silent : process.stderr
  const lines = createInterface({ input: process.stdin, output, terminal: true })
  if (options.hidden) printQuestion(question)
  try {
    return await new Promise<string>((resolve, reject) => {
      const interrupt = () => reject(new CliError('Cancelled', exitCodes.interrupted))
      lines.on('SIGINT', interrupt)
      lines.on('close', interrupt)
      lines.question(options.hidden ? '' : question, resolve)
    })
  } finally {
    if (options.hidden) printProgress('')
    lines.close()
  }
}

/** Everything on stdin as text, at most 1 MB. */
export async function readStdin(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk
    if (text.length > 1024 * 1024) throw new CliError('Standard input is larger than 1 MB')
  }
  return text
}

/**
 * Has the person type the app's name before something is destroyed; `--confirm` answers ahead. Without a terminal and
 * without `--confirm` nothing is destroyed: it throws.
 */
export async function confirmApp(app: string, given: string | undefined, warning: string): Promise<void> {
  if (given === app) return
  if (given !== undefined) throw new CliError(`Confirmation ${given} did not match ${app}. Aborted.`)
  const proceed = `re-run this command with --confirm ${app}`
  if (!canAsk()) throw new CliError(`${warning}\nTo proceed, ${proceed}.`)
  warn(`WARNING: ${warning}\nTo proceed, type ${app} or ${proceed}`)
  const answer = (await ask('\n> ')).trim()
  if (answer !== app) throw new CliError(`Confirmation ${answer || '(nothing)'} did not match ${app}. Aborted.`)
}
