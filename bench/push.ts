/**
 * From Enter on `git push` to the new version answering through the router. Rounds alternate between a Node app, a Django
 * app, and the floor: a bare push to a local repository, and a bare container of the stack started until it answers.
 */
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runCommand, startWorld, until, type World } from '../test/support/world.js'
import { type Figure, figureOf, machine, printTable } from './figures.js'

const rounds = Number(process.argv[2] ?? 7)

interface Subject {
  readonly app: string
  readonly fixture: string
  /** Changes the source so that the page says `mark`. */
  change(repo: string, mark: string): Promise<void>
  /** Adds the dependency with this number, another one each time. */
  addDependency(repo: string, number: number): Promise<void>
}

const nodeDependencies = ['escape-html@1.0.3', 'ms@2.1.3', 'etag@1.8.1', 'bytes@3.1.2', 'vary@1.1.2']
const pythonDependencies = ['six==1.17.0', 'idna==3.10', 'attrs==25.3.0', 'pytz==2025.2', 'certifi==2025.6.15']

const subjects: readonly Subject[] = [
  {
    app: 'bench-node',
    fixture: 'node',
    change: (repo, mark) => edit(path.join(repo, 'index.js'), (text) => text.replace(/from [\w-]+/, `from ${mark}`)),
    addDependency: async (repo, number) => {
      const [name, version] = (nodeDependencies[number % nodeDependencies.length] as string).split('@')
      await edit(path.join(repo, 'package.json'), (text) => {
        const manifest = JSON.parse(text) as { dependencies: Record<string, string> }
        manifest.dependencies[name as string] = version as string
        return `${JSON.stringify(manifest, null, 2)}\n`
      })
      await runCommand(
        'npm',
        ['install', '--package-lock-only', '--no-audit', '--no-fund', '--omit-lockfile-registry-resolved'],
        repo,
        { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...ca() },
      )
    },
  },
  {
    app: 'bench-django',
    fixture: 'django',
    change: (repo, mark) =>
      edit(path.join(repo, 'visits', 'templates', 'index.html'), (text) =>
        text.replace(/<!-- mark: .* -->\n|^/, `<!-- mark: from ${mark} -->\n`),
      ),
    addDependency: (repo, number) =>
      edit(
        path.join(repo, 'requirements.txt'),
        (text) => `${text.trimEnd()}\n${pythonDependencies[number % pythonDependencies.length]}\n`,
      ),
  },
]

function ca(): Record<string, string> {
  return process.env.NODE_EXTRA_CA_CERTS ? { NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS } : {}
}

async function edit(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, 'utf8')))
}

/** Milliseconds from starting git to the first answer of the new version, and what the platform says of its steps. */
async function timedPush(
  world: World,
  subject: Subject,
  repo: string,
  mark: string,
): Promise<{ total: number; git: number; steps: Record<string, number> }> {
  const startedAt = performance.now()
  const pushed = await world.push(repo)
  const git = performance.now() - startedAt
  if (pushed.code !== 0) throw new Error(pushed.output)
  // The push returns once the new version is routed; asking earlier would only load the machine that builds.
  await until('the new version', async () => (await world.get(subject.app)).body.includes(`from ${mark}`))
  const total = performance.now() - startedAt
  const lines = (await world.controlPlaneLog()).split('\n').filter((line) => line.includes('"push timeline"'))
  const steps = (JSON.parse(lines.at(-1) ?? '{}') as { steps: Record<string, number> }).steps
  return { total, git, steps }
}

async function barePush(world: World, repo: string, bare: string): Promise<number> {
  await runCommand('git', ['commit', '-q', '--allow-empty', '-m', 'x'], repo, { ...world.env })
  const startedAt = performance.now()
  const pushed = await runCommand('git', ['push', '-q', bare, 'HEAD:master'], repo, { ...world.env })
  if (pushed.code !== 0) throw new Error(pushed.output)
  return performance.now() - startedAt
}

/** A container of the stack on the shared network, started until its server answers. */
async function bareStart(world: World, image: string): Promise<number> {
  const startedAt = performance.now()
  const id = await world.engine.createContainer({
    name: `${world.config.instance}-bench`,
    image,
    labels: { 'paas.instance': world.config.instance },
    command: ['bash', '-c', 'PORT=9000 exec /app/.heroku/node/bin/node /app/index.js'],
    network: [{ network: `${world.config.instance}-dynos` }],
  })
  await world.engine.startContainer(id)
  const address = Object.values((await world.engine.findContainer(id))?.addresses ?? {})[0] ?? ''
  for (;;) {
    const ok = await fetch(`http://${address}:9000/`).then(
      (r) => r.ok,
      () => false,
    )
    if (ok) break
    await new Promise((resolve) => setTimeout(resolve, 4))
  }
  const took = performance.now() - startedAt
  await world.engine.removeContainer(id, { force: true })
  return took
}

async function main(): Promise<void> {
  const world = await startWorld({ env: { PAAS_LOG_LEVEL: 'info' } })
  try {
    const repos = new Map<string, string>()
    for (const subject of subjects) {
      const repo = await world.checkout(subject.fixture, subject.app)
      repos.set(subject.app, repo)
      const first = await world.push(repo)
      if (first.code !== 0) throw new Error(first.output)
    }
    const bare = path.join(world.dir, 'bare.git')
    await runCommand('git', ['init', '-q', '--bare', bare], world.dir, { ...world.env })
    const floor = { push: [] as number[], start: [] as number[] }
    const sources = new Measured()
    const dependencies = new Measured()
    const image = await imageOf(world, 'bench-node')
    for (let round = 0; round < rounds; round++) {
      for (const subject of subjects) {
        const repo = repos.get(subject.app) ?? ''
        await subject.change(repo, `round${round}`)
        await pushed(world, subject, repo, `round${round}`, sources)
        await subject.addDependency(repo, round)
        await subject.change(repo, `dependency${round}`)
        await pushed(world, subject, repo, `dependency${round}`, dependencies)
      }
      floor.push.push(await barePush(world, repos.get('bench-node') ?? '', bare))
      floor.start.push(await bareStart(world, image))
    }
    report(floor, sources, dependencies)
  } finally {
    await world.stop()
  }
}

/** What pushes of each app took, in all and by step, in milliseconds. */
class Measured {
  readonly totals = new Map<string, number[]>()
  readonly steps = new Map<string, Map<string, number[]>>()
}

async function pushed(world: World, subject: Subject, repo: string, mark: string, into: Measured): Promise<void> {
  await world.commitAll(repo, mark)
  await quiet(world)
  const took = await timedPush(world, subject, repo, mark)
  add(into.totals, subject.app, took.total)
  const split = into.steps.get(subject.app) ?? new Map<string, number[]>()
  for (const [name, ms] of Object.entries(took.steps)) add(split, name, ms)
  add(split, 'git and hook', took.git - Object.values(took.steps).reduce((a, b) => a + b, 0))
  into.steps.set(subject.app, split)
}

async function imageOf(world: World, app: string): Promise<string> {
  const { id } = await world.api<{ id: string }>('GET', `/apps/${app}`)
  const [tag] = await world.engine.listTags(`${world.config.instance}/app-${id}`)
  if (tag === undefined) throw new Error(`${app} has no image`)
  return tag
}

/** The build room that the push before found ready. */
let usedRoom = ''

/** Waits until the tidying of the push before is over: another build room is ready, alone, and nothing drains. */
async function quiet(world: World): Promise<void> {
  usedRoom = await until(
    'a quiet platform',
    async () => {
      const all = await world.engine.listContainers({ 'paas.instance': world.config.instance })
      const rooms = all.filter((c) => c.labels['paas.kind'] === 'build')
      const dynos = all.filter((c) => c.labels['paas.kind'] === 'dyno')
      const [ready] = rooms.filter((c) => c.state === 'running' && c.name !== usedRoom)
      return rooms.length === 1 && dynos.length === subjects.length && ready?.name
    },
    60_000,
  )
  await new Promise((resolve) => setTimeout(resolve, 1_500))
}

function add(map: Map<string, number[]>, name: string, value: number): void {
  map.set(name, [...(map.get(name) ?? []), value])
}

function report(floor: { push: number[]; start: number[] }, sources: Measured, dependencies: Measured): void {
  const rows: [string, Figure][] = [
    ['floor: bare git push', figureOf(floor.push)],
    ['floor: bare container start', figureOf(floor.start)],
  ]
  const kinds = [
    ['source change', sources],
    ['one dependency added', dependencies],
  ] as const
  for (const [kind, { totals }] of kinds)
    for (const [app, values] of totals) rows.push([`${app}: ${kind}`, figureOf(values)])
  printTable(`push (${machine()}); ${rounds} rounds`, rows)
  for (const [kind, { steps }] of kinds)
    for (const [app, split] of steps)
      printTable(
        `${app}: ${kind}, by step`,
        [...split].map(([name, values]) => [name, figureOf(values)]),
      )
  console.log(JSON.stringify(Object.fromEntries(rows)))
}

await main()
