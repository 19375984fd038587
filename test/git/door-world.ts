/** Git's door of a whole running platform: accounts, an app with a repository, hand-made requests, and what must hold after each attack. */
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Test } from 'tap'
import { platformDatabaseUrl } from '../../docker/parts.js'
import { hashToken, newToken } from '../../server/actions/access.js'
import { readSealingKey } from '../../server/config.js'
import { createSealer } from '../../server/lib/seal.js'
import { insertAccount, insertAuthorization } from '../../server/store/accounts.js'
import { openDatabase } from '../../server/store/database.js'
import { startWorld, until, type World } from '../support/world.js'
import { processesOf } from './front-world.js'
import { type Ask, ask, basic, commandList, packOf, pushType } from './raw-git.js'

export interface Door {
  /** Of the process that serves. */
  pid(): number
  readonly port: number
  readonly token: string
  readonly strangerToken: string
  readonly administratorToken: string
  /** The repository of `hello`. */
  readonly repositoryPath: string
  /** A working copy with one commit. */
  readonly copy: string
  readonly oid: string
  ask(what: Ask): ReturnType<typeof ask>
  /** A request's body to the app's receive-pack. */
  push(body: Buffer | string, headers?: Record<string, string>, app?: string): ReturnType<typeof ask>
  /** The bytes of a push of the copy's commit to these refs. */
  pushBody(refs: readonly string[]): Promise<Buffer>
  git(...args: string[]): ReturnType<World['git']>
  url(token?: string, app?: string): string
  /** Processes of git that work on this platform's repositories, and quarantines that are there. */
  leftovers(): Promise<string[]>
  /** What holds after every attack: same process, nothing left, descriptors as before, no fault in its log. */
  isUnharmed(t: Test): Promise<void>
}

/** The door of a platform of its own. */
export interface PlatformDoor extends Door {
  readonly world: World
  startControlPlane(env: Readonly<Record<string, string>>): Promise<void>
}

export const gitUid = 59_418

/** The database's pool, and connections that are being closed. */
const descriptorSlack = 16

async function insertPerson(world: World, email: string): Promise<string> {
  const { config } = world
  const db = openDatabase({ url: platformDatabaseUrl(config), sealer: createSealer(readSealingKey(config)) })
  try {
    const account = await insertAccount(db, email, false)
    const token = newToken()
    const tokenHash = hashToken(token)
    await insertAuthorization(db, {
      accountId: account.id,
      description: 'test',
      tokenHash,
      expiresInSeconds: undefined,
    })
    return token
  } finally {
    await db.close()
  }
}

async function createApp(world: World, token: string, name: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${world.config.apiPort}/apps`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  })
  if (!response.ok) throw new Error(`creating ${name}: ${await response.text()}`)
  return ((await response.json()) as { id: string }).id
}

async function descriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}

async function quarantines(dir: string): Promise<string[]> {
  const repositories = (await readdir(dir)).filter((name) => name.endsWith('.git'))
  const listed = await Promise.all(repositories.map((name) => readdir(path.join(dir, name, 'objects'))))
  return listed.flat().filter((name) => name.startsWith('tmp_objdir-'))
}

export async function openDoor(env: Readonly<Record<string, string>>): Promise<PlatformDoor> {
  const world = await startWorld({ env })
  const token = await insertPerson(world, 'ada@example.test')
  const strangerToken = await insertPerson(world, 'bob@example.test')
  const appId = await createApp(world, token, 'hello')
  await createApp(world, strangerToken, 'foreign')
  const copy = path.join(world.dir, 'copy')
  await mkdir(copy)
  await world.git(['init', '-q', '-b', 'master'], copy)
  await writeFile(path.join(copy, 'index.html'), 'hello\n')
  await world.commitAll(copy, 'First')
  const oid = (await world.git(['rev-parse', 'HEAD'], copy)).stdout.trim()
  const { apiPort: port } = world.config
  const repositoriesDir = path.join(world.config.dataDir, 'repositories')
  let pid = world.pid()
  let baseline = 0

  const door: PlatformDoor = {
    world,
    port,
    token,
    pid: () => pid,
    strangerToken,
    administratorToken: world.token,
    repositoryPath: path.join(repositoriesDir, `${appId}.git`),
    copy,
    oid,
    ask: (what) => ask({ port }, what),
    push: (body, headers = {}, app = 'hello') =>
      door.ask({
        method: 'POST',
        path: `/${app}.git/git-receive-pack`,
        headers: { authorization: basic(token), 'content-type': pushType, ...headers },
        body,
      }),
    pushBody: async (refs) =>
      Buffer.concat([Buffer.from(commandList(refs.map((ref) => ({ ref, newOid: oid })))), await packOf(copy)]),
    git: (...args) => world.git(['-c', 'safe.directory=*', ...args], copy),
    url: (as = token, app = 'hello') => `http://any:${as}@127.0.0.1:${port}/${app}.git`,
    async startControlPlane(extra) {
      await world.endControlPlane('SIGTERM')
      await world.startControlPlane(extra)
      pid = world.pid()
      // Makes the repository and warms what is made once.
      await door.ask({ path: '/hello.git/info/refs?service=git-upload-pack', headers: { authorization: basic(token) } })
      baseline = await descriptors(pid)
    },
    leftovers: async () => [...processesOf(repositoriesDir), ...(await quarantines(repositoriesDir))],
    async isUnharmed(t) {
      t.equal(world.pid(), pid, 'the same process')
      t.equal((await door.ask({ path: '/health' })).status, 200, 'it answers')
      let left: string[] = []
      const isClean = async () => {
        left = await door.leftovers()
        return left.length === 0
      }
      await until('git to be gone', isClean, 10_000).catch(() => {})
      t.strictSame(left, [], 'nothing is left within 10 s')
      const isBack = async () => (await descriptors(pid)) <= baseline + descriptorSlack
      await until('descriptors to be closed', isBack, 10_000).catch(() => {})
      t.ok(await isBack(), `descriptors: ${await descriptors(pid)}, before ${baseline}`)
      t.notMatch(await world.controlPlaneLog(), /nobody (?:caught|handled)|fault of ours/)
    },
  }
  return door
}

export function randomName(): string {
  return `x${randomBytes(4).toString('hex')}`
}
