// Goal: the house keeps its shape: who imports whom, what stands in one place only, how files are named and how long they are.
// Method: read the sources; nothing is run. The table below is the one of docs/ARCHITECTURE.md.
import path from 'node:path'
import t from 'tap'
import { filesBelow, linesMatching, readText } from './checkout.js'

/** What each folder of server/ may import of the others; `types:` means that nothing of it is there when the code runs. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  model: [],
  lib: [],
  store: ['model', 'lib'],
  engine: ['types:model', 'lib'],
  build: ['engine', 'model', 'lib', 'types:config'],
  router: ['model', 'lib'],
  logs: ['engine', 'model', 'lib'],
  actions: ['store', 'model', 'lib', 'types:build', 'types:platform', 'types:config'],
  dynos: ['store', 'engine', 'model', 'lib', 'router', 'types:platform', 'types:config'],
  addons: ['store', 'engine', 'model', 'lib', 'types:config'],
  git: ['actions', 'model', 'lib', 'types:build', 'types:platform', 'types:config'],
  api: ['actions', 'store', 'model', 'lib', 'types:platform', 'types:config'],
  // The context of actions: types of what the composition root puts together.
  platform: ['types:build', 'types:config', 'types:store', 'lib', 'model'],
  config: ['settings'],
  settings: [],
}

/** Packages that one folder speaks to and nobody else. */
const homes: Readonly<Record<string, readonly string[]>> = {
  pg: ['server/store/'],
  dockerode: ['server/engine/'],
  'node-git-server': ['server/git/'],
  fastify: ['server/api/', 'server/git/', 'server/control-plane.ts'],
  commander: ['cli/'],
}

/** The files longer than this, which must stay none. */
const maxLines = 350
const longerFiles: readonly string[] = []

interface Import {
  readonly from: string
  /** A file from the root, or a package's name. */
  readonly to: string
  readonly isType: boolean
  /** Names it takes, as the other side calls them. */
  readonly names: readonly string[]
}

const statement =
  /^(?:import|export)\s+(?:(type)\s+)?(?:([\w*{][^'";]*?)\s+from\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm

function importsOf(file: string): Import[] {
  return [...readText(file).matchAll(statement)].flatMap((match): Import[] => {
    const [, type, clause = '', fixed, dynamic] = match
    const target = fixed ?? dynamic
    if (target === undefined) return []
    const inBraces = /\{([^}]*)\}/.exec(clause)?.[1]
    const parts = (inBraces ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
    const onlyTypes = clause.startsWith('{') && parts.length > 0 && parts.every((part) => part.startsWith('type '))
    return [
      {
        from: file,
        to: target.startsWith('.') ? path.join(path.dirname(file), target).replace(/\.js$/, '.ts') : packageOf(target),
        isType: type !== undefined || onlyTypes,
        names: parts.filter((part) => !part.startsWith('type ')).map((part) => part.split(' as ')[0]?.trim() ?? ''),
      },
    ]
  })
}

function packageOf(target: string): string {
  const parts = target.split('/')
  return target.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? target)
}

/** `store` of server/store/apps.ts, `platform` of server/platform.ts; any other file of the root is `root`. */
function partOf(file: string): string {
  const [, part = ''] = file.split('/')
  if (!part.endsWith('.ts')) return part
  return ['config.ts', 'settings.ts', 'platform.ts'].includes(part) ? part.slice(0, -'.ts'.length) : 'root'
}

const serverFiles = filesBelow('server', '.ts')
const cliFiles = filesBelow('cli', '.ts')
const dockerFiles = filesBelow('docker', '.ts')
const shipped = [...serverFiles, ...cliFiles, ...dockerFiles]
const imports = shipped.flatMap(importsOf)

const told = ({ from, to, isType }: Import) => `${from} imports ${isType ? 'types of ' : ''}${to}`

t.test('the sources were found and read', async (t) => {
  t.ok(serverFiles.length > 100)
  t.ok(imports.length > 300)
  t.strictSame(
    imports.filter((i) => i.to.startsWith('server/') && !serverFiles.includes(i.to)).map(told),
    [],
    'every import leads to a file',
  )
})

t.test('each folder of server/ imports only what it may', async (t) => {
  const known = [...Object.keys(mayImport), 'root']
  t.strictSame(
    [...new Set(serverFiles.map(partOf))].filter((part) => !known.includes(part)),
    [],
    'every folder is known',
  )
  const offending = imports.filter(({ from, to, isType }) => {
    if (!from.startsWith('server/') || !to.includes('/') || to.startsWith('@')) return false
    const part = partOf(from)
    if (part === 'root') return !to.startsWith('server/')
    if (!to.startsWith('server/')) return true
    if (partOf(to) === part) return false
    const allowed = mayImport[part] ?? []
    return !allowed.includes(partOf(to)) && !(isType && allowed.includes(`types:${partOf(to)}`))
  })
  t.strictSame(offending.map(told), [])
})

t.test('model is rules without input, output, clock or package', async (t) => {
  const model = serverFiles.filter((file) => partOf(file) === 'model')
  t.strictSame(imports.filter(({ from, to }) => model.includes(from) && !to.startsWith('server/model/')).map(told), [])
  t.strictSame(
    model.flatMap((file) => linesMatching(file, /\bDate\.now\(|new Date\(\)|\bfetch\(|\bprocess\.|Math\.random\(/)),
    [],
  )
})

t.test('the plan is computed from what it is given, by files that do nothing else', async (t) => {
  const reached = new Set<string>()
  const follow = (file: string) => {
    if (reached.has(file)) return
    reached.add(file)
    for (const { to, isType } of importsOf(file)) if (!isType) follow(to)
  }
  follow('server/dynos/plan.ts')
  t.strictSame(
    [...reached].filter(
      (file) => !/^server\/(?:model\/|dynos\/(?:plan[a-z-]*|observed|routes|wanted)\.ts$)/.test(file),
    ),
    [],
  )
  t.strictSame(
    [...reached].flatMap((file) => linesMatching(file, /\bDate\.now\(|new Date\(\)|\bawait\b|\basync\b/)),
    [],
    'it has no clock and waits for nothing',
  )
})

t.test('the API only reads rows; changing them is the actions’', async (t) => {
  const taken = imports.filter(({ from, to }) => from.startsWith('server/api/') && to.startsWith('server/store/'))
  t.ok(taken.length > 5)
  t.strictSame(
    taken.flatMap((i) =>
      i.names.filter((name) => !/^(?:find|get|list|read|count|is)[A-Z]/.test(name)).map((n) => `${told(i)} ${n}`),
    ),
    [],
  )
})

t.test('the command line talks only to the API', async (t) => {
  const outside = imports.filter(
    ({ from, to }) => from.startsWith('cli/') && /^(?:server|docker|test|bench)\//.test(to),
  )
  t.strictSame(outside.filter(({ to, isType }) => !(isType && to.startsWith('server/api/'))).map(told), [])
})

t.test('set-up takes what it needs of the command line from its settings and its credentials', async (t) => {
  const taken = imports.filter(({ from, to }) => from.startsWith('docker/') && to.startsWith('cli/'))
  t.strictSame(taken.filter(({ to }) => to !== 'cli/config.ts' && to !== 'cli/credentials.ts').map(told), [])
})

t.test('a package has one home', async (t) => {
  for (const [name, folders] of Object.entries(homes)) {
    const users = imports.filter(({ to }) => to === name)
    t.ok(users.length > 0, `${name} is used`)
    t.strictSame(users.filter(({ from }) => !folders.some((folder) => from.startsWith(folder))).map(told), [], name)
  }
})

t.test('the environment is read in two files, and the terminal written in one', async (t) => {
  const code = [...serverFiles, ...cliFiles]
  const readers = code.filter((file) => linesMatching(file, /\bprocess\.env\b/).length > 0)
  t.strictSame(readers, ['server/config.ts', 'cli/config.ts'])
  const writers = code.filter((file) => file !== 'cli/output.ts').flatMap((file) => linesMatching(file, /\bconsole\./))
  t.strictSame(writers, [])
})

t.test('no command goes through a shell', async (t) => {
  const shells = imports.filter(
    ({ to, names }) =>
      to === 'node:child_process' && names.some((name) => /^exec(?:Sync)?$|^(?:spawn|execFile)Sync$/.test(name)),
  )
  t.strictSame(shells.map(told), [])
  t.strictSame(
    shipped.flatMap((file) => linesMatching(file, /\bshell:\s*(?:true|')/)),
    [],
  )
})

t.test('names: no default exports, no file that could hold anything', async (t) => {
  const all = [...shipped, ...filesBelow('test', '.ts')]
  t.strictSame(
    all.flatMap((file) => linesMatching(file, /^export default\b/)),
    [],
  )
  t.strictSame(
    all.filter(
      (file) =>
        /(?:^|[/-])(?:utils?|helpers?|managers?|services?)\.ts$/.test(file) && !file.startsWith('cli/commands/'),
    ),
    [],
  )
  t.strictSame(
    all.filter((file) => !/^[a-z0-9-]+(?:\.test)?\.ts$/.test(path.basename(file))),
    [],
    'files are kebab-case',
  )
})

t.test('no file of what runs is longer than it should be', async (t) => {
  const scripts = [...filesBelow('docker', 'engine', 'build', '.sh', '.py'), ...filesBelow('buildpacks', '')]
  const long = [...shipped, ...scripts].flatMap((file) => {
    const lines = readText(file).split('\n').length - 1
    return lines > maxLines && !longerFiles.includes(file) ? [`${file} has ${lines} lines`] : []
  })
  t.strictSame(long, [], 'look for the missing noun before splitting by size')
})

t.test('nothing is left to be done later', async (t) => {
  const mark = new RegExp(`\\b${['TO', 'DO'].join('')}\\b|\\b${['FIX', 'ME'].join('')}\\b|\\bX{3}\\b`)
  const all = [...shipped, ...filesBelow('test', '.ts'), ...filesBelow('buildpacks', ''), ...filesBelow('docs', '.md')]
  t.strictSame(
    all.flatMap((file) => linesMatching(file, mark)),
    [],
  )
})
