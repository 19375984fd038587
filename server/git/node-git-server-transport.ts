/**
 * Pushes through the node-git-server package, behind the front's checks.
 *
 * The package never sees a request of the network. It is handed a made-up one without headers, whose first chunk is cut to
 * what its event depends on (it looks at the first chunk only, with a slow pattern), and a response that only collects
 * bytes. Its own decisions, messages and answers aren't used, its repository lookup is one fixed path, and one object of it
 * lives for one push. What it can't do goes to `spawnTransport`: fetches and the lists of refs (it passes on no protocol
 * version, and lists refs with a process that can be neither ended nor checked) and a push whose first ref is no plain
 * branch or tag (it would never answer; the hook refuses such a push in words).
 *
 * It starts git with the control plane's own environment: that must hold no `GIT_*` variable.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import { Git } from 'node-git-server'
import type { CommandList } from './command-list.js'
import { type GitRun, type GitTransport, type PushCall, runOf } from './git-transport.js'
import { type SpawnTransportOptions, spawnTransport } from './spawn-transport.js'

/** A stream whose end by an error is silent: the package re-emits errors where nobody listens. */
class QuietStream extends PassThrough {
  override _destroy(_error: Error | null, callback: (error?: Error | null) => void): void {
    callback(null)
  }
}

/** What the package's `push` and `tag` events carry: its own view of the push, of which only these are used. */
interface PackageAction extends EventEmitter {
  accept(): void
}

const startDeadlineMs = 5_000

export function nodeGitServerTransport(options: SpawnTransportOptions = {}): GitTransport {
  const direct = spawnTransport(options)
  return {
    name: 'node-git-server',
    advertise: (call) => direct.advertise(call),
    fetch: (call) => direct.fetch(call),
    push: (call) => (isSeenByPackage(call.commands) ? packagePush(call) : direct.push(call)),
  }
}

/** Whether the package's pattern finds the first update: a branch or tag in plain letters with a NUL behind it. */
function isSeenByPackage({ bytes, firstRef, firstRefEnd }: CommandList): boolean {
  return /^refs\/(?:heads|tags)\/[!-~]+$/.test(firstRef) && bytes[firstRefEnd] === 0
}

async function packagePush({ repositoryPath, commands }: PushCall): Promise<GitRun> {
  const git = new Git(() => repositoryPath, { autoCreate: false })
  const input = Object.assign(new QuietStream(), { method: 'POST', url: '/repository/git-receive-pack', headers: {} })
  const output = Object.assign(new QuietStream(), { statusCode: 200, setHeader: () => {} })
  const started = startOf(git)
  git.handle(input as unknown as IncomingMessage, output as unknown as ServerResponse)
  // The event needs the first ref's name and the byte after it, and nothing more.
  const cut = commands.firstRefEnd + 1
  input.write(commands.bytes.subarray(0, cut))
  input.write(commands.bytes.subarray(cut))
  return runOf(await started, { input, output })
}

/** Accepts the first event of a push and resolves with the git process that the package starts for it. */
function startOf(git: Git): Promise<ChildProcessWithoutNullStreams> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(error)
    const timer = setTimeout(() => fail(new Error('node-git-server did not start git')), startDeadlineMs)
    const accept = (action: PackageAction) => {
      action.on('error', fail)
      action.once('service', (child: ChildProcessWithoutNullStreams) => {
        clearTimeout(timer)
        resolve(child)
      })
      action.accept()
    }
    git.on('error', fail)
    git.once('push', accept)
    git.once('tag', accept)
  })
}
