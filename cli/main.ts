/** `paas`: finds the command, gives it its surroundings, and turns what happens into words and an exit code. */
import { ApiClient } from './api-client.js'
import { resolveApp } from './app-context.js'
import type { Command, ParsedInput, Surroundings } from './command.js'
import { commands } from './commands/index.js'
import { type CliConfig, loadCliConfig } from './config.js'
import { Credentials } from './credentials.js'
import { ApiError, CliError, exitCodes } from './errors.js'
import { isTopic, printCommandHelp, printOverview, printTopicHelp, versionLine } from './help.js'
import { configureOutput, flushOutput, print, printError } from './output.js'
import { findCommand, parseInput, unknownCommand } from './parse.js'
import { caFileOf } from './platform-ca.js'

const helpWords = ['--help', '-h']

async function runCommandLine(words: readonly string[]): Promise<void> {
  const config = loadCliConfig()
  configureOutput(config.color)
  const [name = '--help', ...rest] = words
  if (name === '--version' || name === '-v') return print(versionLine())
  if (name === 'help' || helpWords.includes(name)) return showHelp(rest[0])
  const found = findCommand(commands, name)
  if (found === undefined) {
    if (isTopic(commands, name)) return printTopicHelp(commands, name)
    throw unknownCommand(commands, name)
  }
  if (asksForHelp(found, rest)) return printCommandHelp(commands, found)
  const input = parseInput(found, rest)
  await found.execute(input, surroundingsOf(found, input, config))
}

function showHelp(subject: string | undefined): void {
  const found = subject === undefined ? undefined : findCommand(commands, subject)
  if (subject === undefined || helpWords.includes(subject)) printOverview(commands)
  else if (found !== undefined) printCommandHelp(commands, found)
  else if (isTopic(commands, subject)) printTopicHelp(commands, subject)
  else throw unknownCommand(commands, subject)
}

function asksForHelp(command: Command, words: readonly string[]): boolean {
  // `run rails --help` asks rails.
  if (command.passThrough) return helpWords.includes(words[0] ?? '')
  const end = words.indexOf('--')
  return (end === -1 ? words : words.slice(0, end)).some((word) => helpWords.includes(word))
}

function surroundingsOf(command: Command, input: ParsedInput, config: CliConfig): Surroundings {
  const credentials = new Credentials(config)
  const api = new ApiClient({
    origin: config.apiOrigin,
    token: () => credentials.token(),
    caFile: caFileOf(config),
  })
  const { app, remote } = input.flags
  const flags = {
    ...(typeof app === 'string' ? { app } : {}),
    ...(typeof remote === 'string' ? { remote } : {}),
  }
  let resolved: Promise<string> | undefined
  return {
    config,
    credentials,
    api,
    app() {
      resolved ??= resolveApp(flags, config, credentials, command.name)
      return resolved
    },
  }
}

/** Words a failure and returns the exit code it means. */
function report(error: unknown): number {
  if (error instanceof ApiError && error.status === 401)
    printError(`${error.message}\nThe token was not accepted. Run paas login.`)
  else if (error instanceof CliError) printError(error.message)
  else printError(`Something went wrong in paas itself:\n${error instanceof Error ? error.stack : String(error)}`)
  return error instanceof CliError ? error.exitCode : exitCodes.failed
}

async function main(): Promise<void> {
  let exitCode: number | undefined
  try {
    await runCommandLine(process.argv.slice(2))
  } catch (error) {
    exitCode = report(error)
  }
  await flushOutput()
  // An idle connection or an open stdin must not keep the process; `run` leaves its command's code in exitCode.
  process.exit(exitCode ?? process.exitCode ?? 0)
}

void main()
