/**
 * How the control plane runs git: argv arrays, an environment built from nothing, a deadline and an output limit.
 *
 * Nothing of the control plane's own environment reaches git, so neither a `GIT_*` variable nor a configuration file of
 * the machine changes what a push means.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import type { RunAs } from './git-user.js'

export interface GitOptions {
  /** Added to the fixed environment. */
  readonly env?: Readonly<Record<string, string>>
  /** The user that git runs as; without it, the control plane's. */
  readonly runAs?: RunAs | undefined
}

export interface GitOutputOptions extends GitOptions {
  readonly input?: string
  readonly maxBytes?: number
  readonly deadlineMs?: number
}

/** Refs and objects are looked at as they are stored: no replacements, no attributes of the machine, no prompts. */
export const gitEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C.UTF-8',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_TERMINAL_PROMPT: '0',
  // One object that claims to be larger fails the push instead of taking the machine's memory.
  GIT_ALLOC_LIMIT: '1g',
} as const

export const gitArguments = ['-c', 'safe.directory=*', '-c', 'protocol.allow=never'] as const

export class GitError extends Error {
  constructor(
    subcommand: string,
    readonly exitCode: number | null,
    readonly stderr: string,
  ) {
    super(`git ${subcommand} ended with ${exitCode ?? 'a signal'}: ${stderr.trim() || 'no message'}`)
    this.name = 'GitError'
  }
}

/** Starts `git ARGS` as the head of a process group. An error on its standard input is swallowed: a git that ends early is told by its exit code. */
export function spawnGit(args: readonly string[], options: GitOptions = {}): ChildProcessWithoutNullStreams {
  const child = spawn('git', [...gitArguments, ...args], {
    // Git's user may not be able to be where the control plane is.
    cwd: '/',
    env: { ...gitEnvironment, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    // Head of a process group, which can be ended as a whole.
    detached: true,
    ...(options.runAs ?? {}),
  })
  child.stdin.on('error', () => {})
  return child
}

/** Sends a signal to git and all that it started: ended alone, it would leave behind what works for it. */
export function endGroup(child: ChildProcessWithoutNullStreams, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // The group is gone, or not made yet.
    child.kill(signal)
  }
}

/** The last `maxChars` of what a child says on standard error, for the log; reading it keeps the child from blocking. */
export function tailOfStderr(child: ChildProcessWithoutNullStreams, maxChars = 4096): () => string {
  let tail = ''
  child.stderr.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString('utf8')).slice(-maxChars)
  })
  child.stderr.on('error', () => {})
  return () => tail
}

/**
 * Runs `git ARGS` to its end and returns what it printed: at most `maxBytes` (1 MiB) within `deadlineMs` (30 s).
 * Throws `GitError` when git fails or a limit is reached.
 */
export function gitOutput(args: readonly string[], options: GitOutputOptions = {}): Promise<Buffer> {
  const { maxBytes = 1024 ** 2, deadlineMs = 30_000 } = options
  const child = spawnGit(args, options)
  const stderr = tailOfStderr(child)
  const chunks: Buffer[] = []
  let size = 0
  let overrun = ''
  const stop = (reason: string) => {
    overrun = reason
    endGroup(child, 'SIGKILL')
  }
  const timer = setTimeout(() => stop(`no end within ${deadlineMs} ms`), deadlineMs)
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > maxBytes) stop(`more than ${maxBytes} bytes of output`)
    else chunks.push(chunk)
  })
  child.stdin.end(options.input ?? '')
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(new Error(`starting git ${args[0]}`, { cause: error }))
    })
    child.once('close', (code) => {
      clearTimeout(timer)
      if (code === 0 && overrun === '') resolve(Buffer.concat(chunks))
      else reject(new GitError(args[0] ?? '', code, overrun || stderr()))
    })
  })
}

const oidPattern = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/

/** Whether a text is a whole object id; anything else never becomes an argument of git. */
export function isOid(text: string): boolean {
  return oidPattern.test(text)
}

export function checkOid(oid: string): string {
  if (!isOid(oid)) throw new Error(`'${oid.slice(0, 80)}' isn't an object id`)
  return oid
}
