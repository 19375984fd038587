/** Everything there is of a platform, read once from where it truly is: rows, engine, files, git, the router's table. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { platformDatabaseUrl } from '../../docker/parts.js'
import { readSealingKey } from '../../server/config.js'
import type { Container, ContainerDetail, Network } from '../../server/engine/engine.js'
import { createSealer } from '../../server/lib/seal.js'
import { type Database, openDatabase } from '../../server/store/database.js'
import { type Reply, until, type World } from '../support/world.js'

export interface ReleaseRow {
  id: string
  version: number
  status: string
  slug_id: string | null
  description: string
  process_types: Record<string, string>
  config_vars: Record<string, string>
  created_at: Date
}

export interface AppState {
  readonly id: string
  readonly name: string
  readonly isDestroyed: boolean
  readonly maintenance: boolean
  readonly networkIndex: number | null
  readonly releases: readonly ReleaseRow[]
  readonly formation: readonly { type: string; quantity: number }[]
  readonly restarts: readonly { name: string; restarted_at: Date }[]
  readonly hosts: readonly string[]
  readonly attached: readonly string[]
  readonly slugs: readonly { id: string; commit: string; image_reference: string; pruned_at: Date | null }[]
  readonly oneOffs: readonly { id: string; number: number; state: string }[]
  readonly builds: readonly { id: string; status: string; slug_id: string | null; release_id: string | null }[]
  /** What master and main name, and what git says about the objects. */
  readonly branches: Readonly<Record<string, string>>
  readonly fsck: string
  readonly reply: Reply | undefined
}

export interface RoutedApp {
  readonly appId: string
  readonly appName: string
  readonly state: string
  readonly hosts: readonly string[]
  readonly backends: readonly { readonly name: string; readonly address: string; readonly port: number }[]
}

export interface PlatformState {
  readonly apps: readonly AppState[]
  readonly addOns: readonly { id: string; name: string; state: string; app_id: string | null }[]
  readonly containers: readonly (Container & { readonly detail: ContainerDetail | undefined })[]
  readonly networks: readonly Network[]
  readonly tags: readonly string[]
  readonly table: readonly RoutedApp[]
  /** Paths below the data folder. */
  readonly files: {
    readonly rooms: readonly string[]
    readonly caches: readonly string[]
    readonly logs: readonly string[]
    readonly repositories: readonly string[]
    readonly quarantines: readonly string[]
    readonly addOns: readonly string[]
    readonly drafts: readonly string[]
  }
  readonly gitProcesses: readonly string[]
}

export function openRows(world: World): Database {
  return openDatabase({
    url: platformDatabaseUrl(world.config),
    sealer: createSealer(readSealingKey(world.config)),
    onError: () => {},
  })
}

const run = promisify(execFile)
const namesIn = (dir: string) => readdir(dir).catch((): string[] => [])

export async function readState(world: World, rows: Database): Promise<PlatformState> {
  const { engine, config } = world
  const labels = { 'paas.instance': config.instance }
  const [apps, addOns, containers, networks, tags, tableText, files, gitProcesses] = await Promise.all([
    readApps(world, rows),
    rows.query<PlatformState['addOns'][number]>('SELECT id, name, state, app_id FROM add_ons'),
    engine.listContainers(labels),
    engine.listNetworks(labels),
    engine.listTags(`${config.instance}/app-*`),
    readFile(path.join(config.dataDir, 'router', 'route-table.json'), 'utf8'),
    readFiles(config.dataDir),
    processesOf(config.dataDir),
  ])
  return {
    apps,
    addOns,
    containers: await Promise.all(containers.map(async (c) => ({ ...c, detail: await engine.findContainer(c.id) }))),
    networks,
    tags,
    table: (JSON.parse(tableText) as { apps: RoutedApp[] }).apps,
    files,
    gitProcesses,
  }
}

async function readApps(world: World, rows: Database): Promise<AppState[]> {
  const found = await rows.query<{
    id: string
    name: string
    destroyed_at: Date | null
    maintenance: boolean
    network_index: number | null
  }>('SELECT id, name, destroyed_at, maintenance, network_index FROM apps')
  return Promise.all(
    found.map(async (app) => {
      const of = <Row extends object>(sql: string) => rows.query<Row>(sql, [app.id])
      const repository = path.join(world.config.dataDir, 'repositories', `${app.id}.git`)
      const [releases, formation, restarts, domains, attached, slugs, oneOffs, builds, git, reply] = await Promise.all([
        of<ReleaseRow>('SELECT * FROM releases WHERE app_id = $1 ORDER BY version'),
        of<AppState['formation'][number]>('SELECT type, quantity FROM formations WHERE app_id = $1'),
        of<AppState['restarts'][number]>('SELECT name, restarted_at FROM dyno_restarts WHERE app_id = $1'),
        of<{ hostname: string }>('SELECT hostname FROM domains WHERE app_id = $1'),
        of<{ add_on_id: string }>('SELECT add_on_id FROM attachments WHERE app_id = $1'),
        of<AppState['slugs'][number]>('SELECT id, commit, image_reference, pruned_at FROM slugs WHERE app_id = $1'),
        of<AppState['oneOffs'][number]>('SELECT id, number, state FROM one_offs WHERE app_id = $1'),
        of<AppState['builds'][number]>('SELECT id, status, slug_id, release_id FROM builds WHERE app_id = $1'),
        readGit(repository),
        world.get(app.name).catch(() => undefined),
      ])
      return {
        id: app.id,
        name: app.name,
        isDestroyed: app.destroyed_at !== null,
        maintenance: app.maintenance,
        networkIndex: app.network_index,
        releases,
        formation,
        restarts,
        hosts: [`${app.name}.${world.config.domain}`, ...domains.map((d) => d.hostname)].sort(),
        attached: attached.map((a) => a.add_on_id),
        slugs,
        oneOffs,
        builds,
        ...git,
        reply,
      }
    }),
  )
}

async function readGit(repository: string): Promise<Pick<AppState, 'branches' | 'fsck'>> {
  if ((await namesIn(repository)).length === 0) return { branches: {}, fsck: '' }
  const git = (args: string[]) =>
    run('git', ['-c', 'safe.directory=*', `--git-dir=${repository}`, ...args]).then(
      ({ stdout }) => stdout.trim(),
      (error: Error) => `failed: ${error.message}`,
    )
  const listed = await git(['for-each-ref', '--format=%(refname:short) %(objectname)', 'refs/heads'])
  return {
    branches: Object.fromEntries(listed.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' ')]))),
    fsck: await git(['fsck', '--no-dangling', '--no-progress', '--connectivity-only']),
  }
}

async function readFiles(dataDir: string): Promise<PlatformState['files']> {
  const below = (...parts: string[]) => path.join(dataDir, ...parts)
  const repositories = await namesIn(below('repositories'))
  const quarantines = await Promise.all(
    repositories
      .filter((name) => name.endsWith('.git'))
      .map(async (name) =>
        (await namesIn(below('repositories', name, 'objects'))).filter((each) => /incoming/.test(each)),
      ),
  )
  const drafts = (await Promise.all(['', 'router', 'router/maps', 'router/certs'].map((dir) => namesIn(below(dir)))))
    .flat()
    .filter((name) => /\.new|\.tmp|^\.(?:making|gone|hook)|\.draft/.test(name))
  return {
    rooms: await namesIn(below('builds', 'rooms')),
    caches: await namesIn(below('builds', 'apps')),
    logs: (await namesIn(below('logs'))).filter((name) => /^[0-9a-f-]{36}$/.test(name)),
    repositories: repositories.filter((name) => name !== '.shared'),
    quarantines: quarantines.flat(),
    addOns: (await namesIn(below('add-ons'))).filter((name) => name !== 'spares'),
    drafts: [...drafts, ...(await namesIn(below('repositories', '.shared'))).filter((n) => /-[0-9a-f]{12}$/.test(n))],
  }
}

/** git's processes at work in this platform's folder. */
async function processesOf(dataDir: string): Promise<string[]> {
  const lines = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  )
  return lines
    .map((line) => line.replaceAll('\0', ' ').trim())
    .filter((line) => line.includes('receive-pack') && line.includes(dataDir))
}

/** Resolves when a row says so. */
export async function untilRow<Row extends object>(
  rows: Database,
  what: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row> {
  return until(what, async () => (await rows.query<Row>(sql, values))[0], 60_000)
}
