/** A git front with everything real behind it, in a folder of its own, and the real git client in front of it. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import websocket from '@fastify/websocket'
import fastify from 'fastify'
import { closeAfterOffers, RequestWithOffer } from '../../server/api/offered-upgrades.js'
import { loadConfig, putFirstOnPath } from '../../server/config.js'
import { readToken } from '../../server/git/credentials.js'
import { gitUser } from '../../server/git/git-user.js'
import type { GitTransport } from '../../server/git/git-transport.js'
import { nodeGitServerTransport } from '../../server/git/node-git-server-transport.js'
import type { GitLimits, PushRequest } from '../../server/git/push-request.js'
import { installReceivePack } from '../../server/git/receive-pack-command.js'
import { registerGit } from '../../server/git/register-git.js'
import { createRelay } from '../../server/git/relay.js'
import { repositories } from '../../server/git/repositories.js'
import { spawnTransport } from '../../server/git/spawn-transport.js'
import type { Account } from '../../server/model/account.js'

/** As the platform has it: git is a user of its own where these tests run as root. */
export const runAs = gitUser(loadConfig({}).git.uid)

const programs = path.join(await mkdtemp(path.join(tmpdir(), 'paas-git-bin-')), 'bin')
process.once('exit', () => rmSync(path.dirname(programs), { recursive: true, force: true }))
await installReceivePack(programs, runAs)
putFirstOnPath(programs)

export const transports: Record<GitTransport['name'], () => GitTransport> = {
  'node-git-server': () => nodeGitServerTransport({ runAs }),
  spawn: () => spawnTransport({ runAs }),
}

export interface GitResult {
  readonly code: number | null
  readonly output: string
}

export interface FrontOptions {
  readonly transport: GitTransport
  readonly limits?: Partial<GitLimits>
  readonly onPush?: (push: PushRequest) => Promise<boolean>
}

export type Front = Awaited<ReturnType<typeof startFront>>

const account = (name: string): Account => ({
  id: randomUUID(),
  email: `${name}@example.com`,
  name,
  isAdmin: false,
  createdAt: new Date(),
})

export const token = 'token-of-ada'
export const otherToken = 'token-of-bob'

/** Runs a program to its end and gathers what it prints. `onOutput` sees the output as it comes. */
export function run(
  argv: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; signal?: AbortSignal; onOutput?: (text: string) => void } = {},
): Promise<GitResult> {
  const [command = '', ...args] = argv
  const { PATH = '' } = process.env
  const child = spawn(command, args, { cwd: options.cwd, env: { PATH, ...options.env }, detached: true })
  // As a terminal does it: git's helper gets the signal, too.
  const interrupt = () => process.kill(-(child.pid ?? 0), 'SIGINT')
  options.signal?.addEventListener('abort', interrupt, { once: true })
  let output = ''
  const gather = (text: string) => {
    output += text
    options.onOutput?.(output)
  }
  // A letter may come in two chunks.
  child.stdout.setEncoding('utf8').on('data', gather)
  child.stderr.setEncoding('utf8').on('data', gather)
  child.stdin.end()
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}

/** Read at one moment: a process that is looked for may not live long. */
export function processesOf(folder: string): string[] {
  const found: string[] = []
  for (const pid of readdirSync('/proc')) {
    const text = (name: string) => readFileSync(`/proc/${pid}/${name}`, 'utf8').replaceAll('\0', ' ')
    if (!/^\d+$/.test(pid)) continue
    try {
      const command = text('cmdline')
      if (/git|pre-receive/.test(command) && `${command}${text('environ')}`.includes(folder))
        found.push(`${pid} ${command}`)
    } catch {
      // It has ended.
    }
  }
  return found
}

/** Waits until the look is true; the deadline is the failure. */
export async function until(what: string, look: () => boolean | Promise<boolean>, deadlineMs = 30_000): Promise<void> {
  for (const end = Date.now() + deadlineMs; !(await look()); await new Promise((resolve) => setTimeout(resolve, 20)))
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`)
}

/** Sends bytes as they are and returns everything that comes back until the connection ends or `enough` says so. */
export function talk(port: number, bytes: string | Buffer | readonly Buffer[], enough = /^$/): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    let answer = ''
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no answer within 5 s; so far: ${answer}`))
    }, 5_000)
    const settle = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      if (enough.test(answer)) settle()
    })
    socket.once('error', settle)
    socket.once('close', settle)
    const send = async () => {
      const pieces = Array.isArray(bytes) ? bytes : [bytes]
      for (const piece of pieces) {
        if (!socket.writable) return
        socket.write(piece)
        if (pieces.length > 1) await new Promise((next) => setImmediate(next))
      }
    }
    socket.once('connect', () => void send())
  })
}

export async function startFront(options: FrontOptions) {
  const dir = await mkdtemp(path.join(tmpdir(), 'paas-git-'))
  await chmod(dir, 0o711)
  const packBytes = options.limits?.packBytes ?? 50 * 1024 ** 2
  const repos = repositories(path.join(dir, 'repositories'), { packBytes, runAs })
  const limits: GitLimits = {
    packBytes: 50 * 1024 ** 2,
    refsPerPush: 20,
    idleTimeoutMs: 60_000,
    timeoutMs: 120_000,
    heartbeatMs: 15_000,
    pushesPerAccount: 4,
    pushesPerHour: 10_000,
    fetches: 16,
    ...options.limits,
  }
  const logged: string[] = []
  const note = (fields: object, message: string) => {
    logged.push(`${message} ${JSON.stringify(fields, (_, value) => (value instanceof Error ? value.stack : value))}`)
  }
  const log = { info: note, warn: note, error: note }
  const pushes: PushRequest[] = []
  const relay = createRelay({
    socketPath: path.join(dir, 'run', 'git.sock'),
    repositories: repos,
    limits,
    log,
    settleRefs: () => Promise.resolve(),
    onPush: (push) => {
      pushes.push(push)
      return options.onPush?.(push) ?? Promise.resolve(true)
    },
  })
  await relay.start()
  const accounts = new Map([
    [token, account('ada')],
    [otherToken, account('bob')],
  ])
  const apps = new Map<string, { appId: string; owner: Account | undefined }>()
  // With what the platform's server takes beside git, so that git meets it as there.
  const server = fastify({ logger: false, http: { IncomingMessage: RequestWithOffer } })
  closeAfterOffers(server)
  await server.register(websocket)
  await server.register(registerGit, {
    authenticate: async (header: string) => accounts.get(readToken(header) ?? ''),
    findRepository: async (who: Account, appName: string) => {
      const app = apps.get(appName)
      return app && app.owner === who ? { appId: app.appId, path: repos.path(app.appId) } : undefined
    },
    limits,
    transport: options.transport,
    repositories: repos,
    relay,
    log,
  })
  await server.listen({ port: 0, host: '127.0.0.1' })
  const { port } = server.server.address() as net.AddressInfo
  const home = path.join(dir, 'home')
  await mkdir(home)
  const gitEnv = { HOME: home, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C.UTF-8' }

  const world = {
    dir,
    port,
    repos,
    relay,
    server,
    pushes,
    logged,
    accounts,
    apps,
    url: (app: string, as = token) => `http://any:${as}@127.0.0.1:${port}/${app}.git`,
    /** Makes an app of Ada's and returns its id. */
    async createApp(name: string, owner = token) {
      const appId = randomUUID()
      await repos.create(appId)
      apps.set(name, { appId, owner: accounts.get(owner) })
      return appId
    },
    git(cwd: string, args: readonly string[], more: { signal?: AbortSignal; onOutput?: (text: string) => void } = {}) {
      const who = [
        '-c',
        'safe.directory=*',
        '-c',
        'user.name=Ada',
        '-c',
        'user.email=ada@example.com',
        '-c',
        'init.defaultBranch=master',
      ]
      return run(['git', ...who, ...args], { cwd, env: gitEnv, ...more })
    },
    /** Makes a working copy with these files committed. */
    async createCopy(files: Record<string, string | Buffer> = { Procfile: 'web: run\n', 'app.py': 'print(1)\n' }) {
      const copy = path.join(dir, `copy-${randomUUID().slice(0, 8)}`)
      await mkdir(copy)
      await world.git(copy, ['init', '--quiet'])
      await world.commit(copy, files)
      return copy
    },
    async commit(copy: string, files: Record<string, string | Buffer>, message = 'Change') {
      for (const [name, content] of Object.entries(files)) {
        await mkdir(path.dirname(path.join(copy, name)), { recursive: true })
        await writeFile(path.join(copy, name), content)
      }
      await world.git(copy, ['add', '--all'])
      await world.git(copy, ['commit', '--quiet', '--allow-empty', '-m', message])
      return (await world.git(copy, ['rev-parse', 'HEAD'])).output.trim()
    },
    push: (copy: string, app: string, ...refspecs: string[]) => world.git(copy, ['push', world.url(app), ...refspecs]),
    /** git processes and quarantines that belong to this world. */
    async leftovers() {
      const found = processesOf(path.join(dir, 'repositories'))
      for (const { appId } of apps.values())
        for (const name of await readdir(path.join(repos.path(appId), 'objects')).catch(() => []))
          if (name.startsWith('tmp_objdir-')) found.push(name)
      return found
    },
    async close() {
      await relay.close()
      await server.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
  return world
}
