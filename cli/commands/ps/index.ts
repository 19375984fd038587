import { route } from '../../api-client.js'
import type { Dyno } from '../../api-types.js'
import { appFlags, command } from '../../command.js'
import { CliError } from '../../errors.js'
import { formatTime } from '../../format.js'
import { appLabel, paint, print, printHeader } from '../../output.js'

export const ps = command({
  name: 'ps',
  aliases: ['ps:list'],
  description: 'list the dynos of an app',
  args: { type: { variadic: true, description: 'process types to list; all unless given' } },
  flags: appFlags,
  examples: ['ps', 'ps run', 'ps --json'],
  async run({ args, app, api }) {
    const dynos = await api.list<Dyno>(route`/apps/${await app()}/dynos`)
    const missing = args.type.find((type) => !dynos.some((dyno) => dyno.type === type))
    if (missing !== undefined) throw new CliError(`No ${missing} dynos on ${await app()}`)
    return dynos.filter((dyno) => args.type.length === 0 || args.type.includes(dyno.type)).sort(byName)
  },
  async print(dynos, { app }) {
    if (dynos.length === 0) return print(`No dynos on ${appLabel(await app())}`)
    printOneOffs(dynos.filter((dyno) => dyno.type === 'run'))
    const types = new Set(dynos.map((dyno) => dyno.type).filter((type) => type !== 'run'))
    for (const type of types) {
      const found = dynos.filter((dyno) => dyno.type === type)
      const first = found[0]
      printHeader(`${paint().green(type)} (${paint().cyan(first?.size ?? '')}): ${first?.command} (${found.length})`)
      for (const dyno of found) {
        print(`${dyno.name}: ${stateWord(dyno.state)} ${formatTime(dyno.updated_at)}`)
        if (dyno.failure) print(`  ${dyno.failure}`)
      }
      print()
    }
  },
})

function printOneOffs(dynos: readonly Dyno[]): void {
  if (dynos.length === 0) return
  printHeader(`${paint().green('run')}: one-off processes (${dynos.length})`)
  for (const dyno of dynos)
    print(
      `${dyno.name} (${paint().cyan(dyno.size)}): ${stateWord(dyno.state)} ${formatTime(dyno.updated_at)}: ${dyno.command}`,
    )
  print()
}

function stateWord(state: string): string {
  const c = paint()
  if (state === 'up' || state === 'idle') return c.green(state)
  return state === 'crashed' || state === 'down' ? c.red(state) : c.yellow(state)
}

function byName(a: Dyno, b: Dyno): number {
  const numberOf = (dyno: Dyno) => Number(dyno.name.split('.')[1] ?? 0)
  return a.type.localeCompare(b.type) || numberOf(a) - numberOf(b)
}
