/**
 * What a command is. One file under `commands/` holds one: description, arguments, flags, examples, `run` and `print`.
 *
 * `run` asks the API and returns what it learnt; `print` words it for a person. With `--json` the returned value is
 * printed instead, so every command has both forms without saying so twice. Parsing is `parse.ts`, help `help.ts`.
 */
import type { ApiClient } from './api-client.js'
import type { CliConfig } from './config.js'
import type { Credentials } from './credentials.js'
import { printJson } from './output.js'

export interface FlagSpec {
  readonly description: string
  readonly short?: string
  /** Placeholder of the value in help; a flag without one is a switch. */
  readonly value?: string
  readonly multiple?: boolean
  /** Accepted, and left out of help. */
  readonly hidden?: boolean
}

export interface ArgSpec {
  readonly description: string
  readonly required?: boolean
  /** Takes all the arguments that are left; only the last may. */
  readonly variadic?: boolean
}

type FlagSpecs = Readonly<Record<string, FlagSpec>>
type ArgSpecs = Readonly<Record<string, ArgSpec>>

type FlagValue<F extends FlagSpec> = F extends { readonly multiple: true }
  ? readonly string[]
  : F extends { readonly value: string }
    ? string | undefined
    : boolean

type ArgValue<A extends ArgSpec> = A extends { readonly variadic: true }
  ? readonly string[]
  : A extends { readonly required: true }
    ? string
    : string | undefined

/** Parsed words of a command line, by the name of the flag or argument. */
export interface ParsedInput {
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
  readonly args: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** What every command is given besides its words. */
export interface Surroundings {
  readonly config: CliConfig
  readonly credentials: Credentials
  readonly api: ApiClient
  /** The app the command acts on; a `UsageError` says how to name one when none is known. */
  app(): Promise<string>
}

export interface CommandContext<F extends FlagSpecs, A extends ArgSpecs> extends Surroundings {
  readonly flags: { readonly [K in keyof F]: FlagValue<F[K]> } & { readonly json: boolean }
  readonly args: { readonly [K in keyof A]: ArgValue<A[K]> }
}

interface Definition<F extends FlagSpecs, A extends ArgSpecs, R> {
  /** `topic:verb`, or `topic` for the one that lists. */
  readonly name: string
  readonly aliases?: readonly string[]
  /** A fragment in lower case without a full stop, as in `list the apps`. */
  readonly description: string
  /** Paragraphs shown in the command's own help. */
  readonly details?: string
  readonly args?: A
  readonly flags?: F
  /** Command lines without the leading `paas `. */
  readonly examples: readonly string[]
  /** Words after the first argument belong to the app's own command and aren't flags of ours. */
  readonly passThrough?: boolean
  readonly hidden?: boolean
  run(context: CommandContext<F, A>): Promise<R>
  print?(result: R, context: CommandContext<F, A>): void | Promise<void>
}

/** A command whose own types are closed over: what the list of commands holds. */
export interface Command {
  readonly name: string
  readonly aliases: readonly string[]
  readonly description: string
  readonly details: string | undefined
  readonly args: ArgSpecs
  readonly flags: FlagSpecs
  readonly examples: readonly string[]
  readonly passThrough: boolean
  readonly hidden: boolean
  execute(input: ParsedInput, surroundings: Surroundings): Promise<void>
}

const jsonFlag = { json: { short: 'j', description: 'print the result as JSON' } } as const

/** Flags of every command that acts on one app. */
export const appFlags = {
  app: { short: 'a', value: 'APP', description: 'app to run the command against' },
  remote: { short: 'r', value: 'REMOTE', description: 'git remote of the app to use' },
} as const

/** The flag of commands that destroy something. */
export const confirmFlag = {
  confirm: { short: 'c', value: 'APP', description: "the app's name, to go ahead without being asked" },
} as const

/** Makes a command of its definition; `--json` comes with it. */
export function command<const F extends FlagSpecs, const A extends ArgSpecs, R>(
  definition: Definition<F, A, R>,
): Command {
  return {
    name: definition.name,
    aliases: definition.aliases ?? [],
    description: definition.description,
    details: definition.details,
    args: definition.args ?? {},
    flags: { ...definition.flags, ...jsonFlag },
    examples: definition.examples,
    passThrough: definition.passThrough ?? false,
    hidden: definition.hidden ?? false,
    async execute(input, surroundings) {
      // The one place where parsed words get the types that the definition's specs promise; parse.ts keeps the promise.
      const typed = { flags: input.flags, args: input.args } as unknown as Pick<CommandContext<F, A>, 'flags' | 'args'>
      const context: CommandContext<F, A> = { ...surroundings, ...typed }
      const result = await definition.run(context)
      if (context.flags.json) {
        if (result !== undefined) printJson(result)
      } else await definition.print?.(result, context)
    },
  }
}
