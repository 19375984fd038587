/**
 * Attacks on git's door of a running platform, over both ways that a push can reach git. After each one the control plane
 * is the same process with nothing left behind. The ids are those of the table in docs/reliability.md.
 */
import path from 'node:path'
import t from 'tap'
import { runCommand } from '../support/world.js'
import { attack, fetches } from './door-attacks.js'
import { gitUid, openDoor, type PlatformDoor } from './door-world.js'
import { below, gitWithInput } from './raw-git.js'

t.setTimeout(500_000)

const limits = {
  PAAS_PACK_BYTES: '3m',
  PAAS_SOURCE_BYTES: '20m',
  PAAS_SOURCE_FILES: '1000',
  PAAS_PUSH_IDLE_TIMEOUT_MS: '4000',
  PAAS_PUSH_TIMEOUT_MS: '60000',
  PAAS_FETCHES: String(fetches),
  PAAS_WARM_BUILDS: '0',
}

/** In the control plane's environment; no git may see any of it. */
const canaries = {
  CANARY_VARIABLE: 'canary',
  GIT_TRACE: '/dev/null',
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: 'core.hooksPath',
  GIT_CONFIG_VALUE_0: '/canary',
}

let door: PlatformDoor
t.before(async () => {
  door = await openDoor(limits)
})
t.teardown(() => door?.world.stop())

for (const transport of ['node-git-server', 'spawn'])
  t.test(`the door over ${transport}`, async (t) => {
    await door.startControlPlane({ PAAS_GIT_TRANSPORT: transport, ...canaries })
    attack(t, door)
  })

/** Tells of each path that it reads whether git's user may read it, write it, and connect to it. */
const lookAround = `
use filetest 'access';
while (<STDIN>) {
  chomp;
  print "read $_\\n" if -r;
  print "write $_\\n" if -w;
  socket(my $to, 1, 1, 0);
  print "connect $_\\n" if -S && connect($to, pack('S a*', 1, "$_\\0"));
}`

t.test("GIT-13: git's user reaches its repositories and the hook, and nothing else of the platform", async (t) => {
  const { config } = door.world
  const paths = [config.dataDir, ...(await below(config.dataDir))]
  t.ok(paths.some((file) => file.endsWith('/secret.key')) && paths.some((file) => file.endsWith('.s.PGSQL.5432')))
  const drop = ['setpriv', `--reuid=${gitUid}`, `--regid=${gitUid}`, '--clear-groups']
  const looked = await runCommand(
    drop[0] ?? '',
    [...drop.slice(1), 'perl', '-e', lookAround],
    '/',
    { PATH: door.world.env.PATH ?? '' },
    [...paths, config.engineSocket].join('\n'),
  )
  t.equal(looked.code, 0, looked.stderr)
  const seen = (verb: string) =>
    looked.stdout
      .split('\n')
      .filter((line) => line.startsWith(`${verb} `))
      .map((line) => path.relative(config.dataDir, line.slice(verb.length + 1)))
  t.ok(seen('read').some((file) => file.endsWith('.git/HEAD')))
  t.strictSame(
    seen('read').filter(
      (file) => !/^repositories\/|^run\/(?:git\.sock|bin)|^images\.json$|^router(?:$|\/errors|\/maps)/.test(file),
    ),
    [],
    'what it may read',
  )
  t.ok(seen('write').some((file) => file.endsWith('.git/HEAD')))
  t.strictSame(
    seen('write').filter((file) => !/^repositories\/[0-9a-f-]{36}\.git|^run\/git\.sock$/.test(file)),
    [],
    'what it may write',
  )
  t.strictSame(seen('connect'), ['run/git.sock'], 'what it may connect to')
})

t.test('GIT-9: trees that expand are refused in words at the limit, whatever the size of their pack', async (t) => {
  const { copy } = door
  const blob = (await gitWithInput(copy, ['hash-object', '-w', '--stdin'], 'x')).trim()
  const zeros = (await gitWithInput(copy, ['hash-object', '-w', '--stdin'], Buffer.alloc(21 * 1024 ** 2))).trim()
  const treeOf = async (lines: readonly string[]) => (await gitWithInput(copy, ['mktree'], lines.join('\n'))).trim()
  let bomb = await treeOf([...'0123456789'].map((name) => `100644 blob ${blob}\t${name}`))
  for (let depth = 0; depth < 6; depth++) {
    const below = bomb
    bomb = await treeOf([...'0123456789'].map((name) => `040000 tree ${below}\t${name}`))
  }
  const cases = {
    bytes: [await treeOf([`100644 blob ${zeros}\tzeros`]), /The source is larger than 20971520 bytes/],
    paths: [bomb, /The source has more than 1000 files/],
    procfile: [
      await treeOf([`120000 blob ${blob}\tProcfile`, `100644 blob ${blob}\tindex.html`]),
      /Procfile is a symbolic link/,
    ],
    manifest: [
      await treeOf([`120000 blob ${blob}\tapp.json`, `100644 blob ${blob}\tindex.html`]),
      /app\.json is a symbolic link/,
    ],
  } as const
  for (const [name, [tree, words]] of Object.entries(cases)) {
    const commit = (await door.git('commit-tree', '-m', name, tree)).stdout.trim()
    const pushed = await door.git('push', '--force', door.url(), `${commit}:refs/heads/master`)
    t.not(pushed.code, 0, name)
    t.match(pushed.output, words, name)
  }
  await door.isUnharmed(t)
})
