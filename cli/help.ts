/** The words of `paas help`, in the shape of Heroku's. */
import type { Command, FlagSpec } from './command.js'
import { alignColumns } from './format.js'
import { paint, print } from './output.js'
import { version } from './version.js'

const topics: Readonly<Record<string, string>> = {
  addons: 'databases and other add-ons of an app',
  apps: 'create, look at and destroy apps',
  auth: 'who you are to the platform',
  authorizations: 'API tokens',
  buildpacks: 'what an app is built with',
  builds: 'builds of an app',
  certs: "the platform's certificates",
  config: 'config vars of an app',
  domains: 'custom domains of an app',
  git: 'git remotes and credentials',
  maintenance: 'put an app into maintenance mode, and back',
  pg: 'PostgreSQL databases',
  ps: 'dynos of an app',
  releases: 'releases of an app',
  run: 'one-off dynos',
}

export function versionLine(): string {
  return `paas/${version} ${process.platform}-${process.arch} node-${process.version}`
}

/** Whether `name` is the first part of commands' names. */
export function isTopic(commands: readonly Command[], name: string): boolean {
  return commands.some((c) => !c.hidden && c.name.startsWith(`${name}:`))
}

/** What there is. */
export function printOverview(commands: readonly Command[]): void {
  const shown = commands.filter((c) => !c.hidden)
  const single = shown.filter((c) => !c.name.includes(':') && !isTopic(shown, c.name))
  print('Your own Heroku on a machine you own\n')
  printSection('VERSION', [versionLine()])
  printSection('USAGE', ['$ paas COMMAND'])
  printSection('TOPICS', alignColumns(Object.entries(topics)))
  printSection('COMMANDS', alignColumns(single.map((c) => [c.name, c.description]).sort(byFirst)))
  print('paas help TOPIC or paas help COMMAND shows more, with examples.')
}

/** One command, and the commands of its topic. */
export function printCommandHelp(commands: readonly Command[], command: Command): void {
  print(`${capitalised(command.description)}\n`)
  printSection('USAGE', [`$ ${usageOf(command)}`])
  const args = Object.entries(command.args).map(([name, spec]) => [placeholder(name), spec.description])
  printSection('ARGUMENTS', alignColumns(args))
  const flags = Object.entries(command.flags).filter(([, spec]) => !spec.hidden)
  printSection('FLAGS', alignColumns(flags.map(([name, spec]) => [flagForm(name, spec), spec.description])))
  if (command.details !== undefined) printSection('DESCRIPTION', command.details.split('\n'))
  if (command.aliases.length > 0)
    printSection(
      'ALIASES',
      command.aliases.map((alias) => `$ paas ${alias}`),
    )
  printSection(
    'EXAMPLES',
    command.examples.map((example) => `$ paas ${example}`),
  )
  if (!command.name.includes(':')) printTopicCommands(commands, command.name)
}

/** A topic that has no command of its own name. */
export function printTopicHelp(commands: readonly Command[], topic: string): void {
  print(`${capitalised(topics[topic] ?? topic)}\n`)
  printSection('USAGE', [`$ paas ${topic}:COMMAND`])
  printTopicCommands(commands, topic)
}

function printTopicCommands(commands: readonly Command[], topic: string): void {
  const rows = commands
    .filter((c) => !c.hidden && c.name.startsWith(`${topic}:`))
    .map((c) => [c.name, c.description])
    .sort(byFirst)
  printSection('COMMANDS', alignColumns(rows))
}

function printSection(title: string, lines: readonly string[]): void {
  if (lines.length > 0) print(`${paint().bold(title)}\n${lines.map((line) => `  ${line}`).join('\n')}\n`)
}

function usageOf(command: Command): string {
  const args = Object.entries(command.args).map(([name, spec]) => {
    const word = spec.variadic ? `${placeholder(name)}...` : placeholder(name)
    return spec.required ? word : `[${word}]`
  })
  const app = 'app' in command.flags ? ['[-a APP]'] : []
  return ['paas', command.name, ...(command.passThrough ? [...app, '[--]', ...args] : [...args, ...app])].join(' ')
}

function flagForm(name: string, spec: FlagSpec): string {
  const short = spec.short === undefined ? '    ' : `-${spec.short}, `
  return `${short}--${name}${spec.value === undefined ? '' : `=${spec.value}`}`
}

function placeholder(name: string): string {
  return name.toUpperCase()
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function byFirst(a: readonly string[], b: readonly string[]): number {
  return (a[0] ?? '').localeCompare(b[0] ?? '')
}
