/**
 * From words to a command and its typed input. Commander does the parsing of one command's flags; this file gives it
 * the definition and words its refusals.
 */
import { Command as Parser, CommanderError, Option } from 'commander'
import type { Command, FlagSpec, ParsedInput } from './command.js'
import { UsageError } from './errors.js'
import { insteadOf } from './heroku-only.js'

/** The command of that name or alias. */
export function findCommand(commands: readonly Command[], name: string): Command | undefined {
  return commands.find((c) => c.name === name || c.aliases.includes(name))
}

/** Refuses an unknown command name: what to use instead of one that only Heroku has, else the nearest known ones. */
export function unknownCommand(commands: readonly Command[], name: string): UsageError {
  const instead = insteadOf(name)
  if (instead !== undefined) return new UsageError(`There is no ${name} here. ${instead}`)
  const parser = quiet(new Parser('paas'))
  for (const c of commands)
    if (!c.hidden) for (const known of [c.name, ...c.aliases]) parser.addCommand(new Parser(known))
  const message = `${name} is not a paas command.`
  try {
    parser.parse([name], { from: 'user' })
  } catch (error) {
    const near = error instanceof CommanderError ? /\(Did you mean (?:one of )?(.+)\?\)/.exec(error.message)?.[1] : ''
    if (near) return new UsageError(`${message}\nDid you mean ${near}? Run paas help for a list of commands.`)
  }
  return new UsageError(`${message}\nRun paas help for a list of commands.`)
}

/** Parses the words after the command's name; a `UsageError` says what is wrong with them. */
export function parseInput(command: Command, words: readonly string[]): ParsedInput {
  const parser = quiet(new Parser(command.name))
  for (const [name, spec] of Object.entries(command.flags)) parser.addOption(toOption(name, spec))
  const { ours, rest } = command.passThrough ? splitPassThrough(command.flags, words) : { ours: words, rest: [] }
  if (!command.passThrough)
    for (const [name, spec] of Object.entries(command.args)) {
      const word = spec.variadic ? `${name}...` : name
      parser.argument(spec.required ? `<${word}>` : `[${word}]`)
    }
  try {
    parser.parse([...ours], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) throw new UsageError(wordRefusal(command, error))
    throw error
  }
  const processed: unknown[] = command.passThrough ? [rest] : parser.processedArgs
  const args = Object.fromEntries(
    Object.entries(command.args).map(([name, spec], i) => [name, processed[i] ?? (spec.variadic ? [] : undefined)]),
  ) as ParsedInput['args']
  if (command.passThrough && rest.length === 0)
    throw new UsageError(`What to run is missing.\nSee paas help ${command.name}`)
  return { flags: readFlags(command, parser), args }
}

function quiet(parser: Parser): Parser {
  return parser
    .helpOption(false)
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
}

function toOption(name: string, spec: FlagSpec): Option {
  const short = spec.short === undefined ? '' : `-${spec.short}, `
  const option = new Option(`${short}--${name}${spec.value === undefined ? '' : ` <${spec.value}>`}`, spec.description)
  // Commander reads `--no-x` as the opposite of `--x`; here it is a switch of that name.
  option.negate = false
  option.attributeName = () => name
  return spec.multiple ? option.argParser((value, before: string[] = []) => [...before, value]) : option
}

function readFlags(command: Command, parser: Parser): ParsedInput['flags'] {
  const given: Record<string, string | boolean | string[] | undefined> = parser.opts()
  return Object.fromEntries(
    Object.entries(command.flags).map(([name, spec]) => {
      const absent = spec.multiple ? [] : spec.value === undefined ? false : undefined
      return [name, given[name] ?? absent]
    }),
  )
}

function wordRefusal(command: Command, error: CommanderError): string {
  const text = error.message.replace(/^error: /, '').replace(/\n\((Did you mean .+\?)\)$/, '. $1')
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}\nSee paas help ${command.name}`
}

/**
 * Parts our flags from the words of the app's own command, as in `run -s basic rake db:migrate -a my-app`.
 *
 * Before the first word of the command every flag is ours. After it ours are the long ones, and `-a` and `-r` with a
 * value, because people write them last; everything behind `--` belongs to the command.
 */
export function splitPassThrough(
  flags: Readonly<Record<string, FlagSpec>>,
  words: readonly string[],
): { readonly ours: string[]; readonly rest: string[] } {
  const ours: string[] = []
  const rest: string[] = []
  const lateShort = ['-a', '-r']
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? ''
    if (word === '--') {
      // Behind the command's first word the dashes are its own: `run npm test -- --watch`.
      rest.push(...words.slice(rest.length === 0 ? i + 1 : i))
      break
    }
    const started = rest.length > 0
    const spec = findFlag(flags, word)
    const known = spec !== undefined && (!started || word.startsWith('--') || lateShort.includes(word))
    const takesNext = spec?.value !== undefined && !word.includes('=')
    if (started && (!known || (takesNext && words[i + 1] === undefined))) rest.push(word)
    else if (!started && !word.startsWith('-')) rest.push(word)
    else {
      ours.push(word)
      const next = words[i + 1]
      if (takesNext && next !== undefined) {
        ours.push(next)
        i += 1
      }
    }
  }
  return { ours, rest }
}

function findFlag(flags: Readonly<Record<string, FlagSpec>>, word: string): FlagSpec | undefined {
  if (word.startsWith('--')) return flags[word.slice(2).split('=')[0] ?? '']
  const short = word.startsWith('-') && word.length === 2 ? word.slice(1) : undefined
  return short === undefined ? undefined : Object.values(flags).find((spec) => spec.short === short)
}
