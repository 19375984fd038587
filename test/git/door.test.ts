/**
 * Attacks on git's door of a running platform, over both ways that a push can reach git. After each one the control plane
 * is the same process with nothing left behind. The ids are those of the table in docs/reliability.md.
 */
import t from 'tap'
import { attack } from './door-attacks.js'
import { openDoor, type PlatformDoor } from './door-world.js'
import { gitWithInput } from './raw-git.js'

t.setTimeout(500_000)

const limits = {
  PAAS_PACK_BYTES: '3m',
  PAAS_SOURCE_BYTES: '20m',
  PAAS_SOURCE_FILES: '1000',
  PAAS_PUSH_IDLE_TIMEOUT_MS: '4000',
  PAAS_PUSH_TIMEOUT_MS: '60000',
  PAAS_FETCHES: '8',
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
