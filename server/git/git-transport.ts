/**
 * How a request that passed the front reaches git. Two implementations answer alike, held by one set of tests:
 * `spawnTransport` starts git itself; `nodeGitServerTransport` gives pushes to the node-git-server package.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { CommandList } from './command-list.js'
import { endGroup, tailOfStderr } from './git-process.js'

export type GitServiceName = 'upload-pack' | 'receive-pack'

export interface AdvertiseCall {
  readonly service: GitServiceName
  readonly repositoryPath: string
  /** The client's `Git-Protocol`, already checked. */
  readonly protocol: string | undefined
}

export interface FetchCall {
  readonly repositoryPath: string
  readonly protocol: string | undefined
}

export interface PushCall {
  readonly repositoryPath: string
  /** Sent to git by the transport; the caller writes only what follows it. */
  readonly commands: CommandList
}

/** One git process answering one request. */
export interface GitRun {
  readonly pid: number
  /** The request's body; once git has ended it is destroyed, and never emits an error. */
  readonly input: Writable
  /** The response's body; must be read to its end. */
  readonly output: Readable
  /** Git's exit code, once its output is closed too; null after a signal. */
  readonly ended: Promise<number | null>
  /** The end of what git said on standard error, for the log. */
  stderr(): string
  /**
   * Ends git: at first by ending its input, so that it removes what it had stored of a push; by signals to it and to all
   * that it started if it stays.
   */
  kill(): void
}

export interface GitTransport {
  readonly name: 'node-git-server' | 'spawn'
  /** The list of refs that a fetch or a push begins with, as git writes it. */
  advertise(call: AdvertiseCall): Promise<GitRun>
  fetch(call: FetchCall): Promise<GitRun>
  push(call: PushCall): Promise<GitRun>
}

const termAfterMs = 2_000
const killAfterMs = 5_000

/** Makes a run of a started process, the head of a group of its own; throws when it didn't start. */
export async function runOf(
  child: ChildProcessWithoutNullStreams,
  streams: { readonly input: Writable; readonly output: Readable },
): Promise<GitRun> {
  const { input, output } = streams
  const stderr = tailOfStderr(child)
  const timers: NodeJS.Timeout[] = []
  let isOver = false
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      isOver = true
      for (const timer of timers) clearTimeout(timer)
      input.destroy()
      resolve(code)
    })
  })
  child.stdin.on('error', () => input.destroy())
  if (child.pid === undefined) {
    const reason = await new Promise((resolve) => child.once('error', resolve))
    throw new Error('starting git', { cause: reason })
  }
  child.on('error', () => {})
  return {
    pid: child.pid,
    input,
    output,
    ended,
    stderr,
    kill() {
      if (isOver || timers.length > 0) return
      input.destroy()
      child.stdin.destroy()
      timers.push(setTimeout(() => endGroup(child, 'SIGTERM'), termAfterMs))
      timers.push(setTimeout(() => endGroup(child, 'SIGKILL'), killAfterMs))
    },
  }
}
