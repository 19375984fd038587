/** Git's door put together: repositories, the relay that has pushes decided, and what the front is given. */
import path from 'node:path'
import { authenticate, mayUseApp } from './actions/access.js'
import { webUrl } from './api/addresses.js'
import { type Config, putFirstOnPath } from './config.js'
import { deployPush } from './git/deploy-push.js'
import { gitUser } from './git/git-user.js'
import type { GitTransport } from './git/git-transport.js'
import type { GitDependencies } from './git/git-work.js'
import { nodeGitServerTransport } from './git/node-git-server-transport.js'
import { installReceivePack } from './git/receive-pack-command.js'
import { createRelay } from './git/relay.js'
import { type Repositories, repositories } from './git/repositories.js'
import { spawnTransport } from './git/spawn-transport.js'
import type { Platform } from './platform.js'
import { findLiveApp } from './store/apps.js'

export function openRepositories(config: Config): Repositories {
  return repositories(path.join(config.dataDir, 'repositories'), {
    packBytes: config.git.packBytes,
    runAs: gitUser(config.git.uid),
  })
}

export interface GitDoorOptions {
  readonly platform: Platform
  readonly repositories: Repositories
  /** Whoever reads along besides the pusher. */
  readonly readAlong: (appId: string) => { write(text: string): void; end(): void }
  /** Leads an app's branches to what is deployed. */
  readonly settleRefs: (appId: string) => Promise<void>
}

/** Prepares the repositories and listens for hooks; resolves with what `registerGit` takes. */
export async function startGitDoor(options: GitDoorOptions): Promise<GitDependencies> {
  const { platform, repositories: repos } = options
  const { config, db, log } = platform
  const relay = createRelay({
    socketPath: path.join(config.dataDir, 'run', 'git.sock'),
    repositories: repos,
    limits: config.git,
    onPush: deployPush({
      platform,
      addressOf: (name) => webUrl(config, name).replace(/\/$/, ''),
      readAlong: options.readAlong,
    }),
    settleRefs: options.settleRefs,
    log,
  })
  await relay.start()
  await repos.sweep((err) => log.warn({ err }, 'what a push left could not be removed; the next start tries again'))
  return {
    authenticate: async (header) => (await authenticate(platform, header))?.account,
    findRepository: async (account, appName) => {
      const app = await findLiveApp(db, appName)
      if (!app || app.name !== appName || !mayUseApp(account, app)) return undefined
      if (!(await repos.exists(app.id))) await repos.create(app.id)
      return { appId: app.id, path: repos.path(app.id) }
    },
    limits: config.git,
    transport: await startTransport(config, repos),
    repositories: repos,
    relay,
    log,
  }
}

async function startTransport(config: Config, { runAs }: Repositories): Promise<GitTransport> {
  if (config.git.transport === 'spawn') return spawnTransport({ runAs })
  const programs = path.join(config.dataDir, 'run', 'bin')
  await installReceivePack(programs, runAs)
  putFirstOnPath(programs)
  return nodeGitServerTransport({ runAs })
}
