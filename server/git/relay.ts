/**
 * The pre-receive relay: the control plane's end of the hook. A push is announced here with the process id of its git
 * before git can reach the hook; a hook whose parent wasn't announced is refused, so nobody else on the machine can have
 * a push decided.
 *
 * A push is *receiving* until its hook connects, then *deciding* until `judgePush` has answered, then *accepted* or
 * *refused*. While it is deciding its git is left alone even if the pusher leaves: the answer is on its way, and a release
 * that came into being must move the ref. Leaving only fires `aborted`, which cancels the build. A push in any other state
 * has nothing to lose, and the front may end its git.
 */
import { randomUUID } from 'node:crypto'
import { chmod, mkdir, rm } from 'node:fs/promises'
import net, { type Socket } from 'node:net'
import path from 'node:path'
import type { Account } from '../model/account.js'
import { AppQueue } from './app-queue.js'
import { type HookHello, PushOutput, readHello } from './hook-channel.js'
import { judgePush } from './judge-push.js'
import { checkHook, installHook } from './pre-receive-hook.js'
import type { GitLimits, GitLog, OnPush } from './push-request.js'
import type { Repositories } from './repositories.js'

export interface RelayOptions {
  /** At most 100 characters; its folder is made with mode 0700. */
  readonly socketPath: string
  readonly repositories: Repositories
  readonly limits: Pick<GitLimits, 'refsPerPush' | 'heartbeatMs'>
  readonly onPush: OnPush
  readonly log: GitLog
}

/** Who pushes what where, as the front knows it before git runs. */
export interface PushOrigin {
  readonly account: Account
  readonly appId: string
  readonly appName: string
  /** Refuses the push with this sentence, whatever is in it. */
  readonly refusal?: string
}

export type PushPhase = 'receiving' | 'deciding' | 'accepted' | 'refused'

export interface AnnouncedPush {
  readonly pushId: string
  readonly phase: PushPhase
  /** The pusher is gone, or `reason` is to be told. True: end git now. False: git must be let run to its end. */
  abort(reason?: string): boolean
  /** Its git has ended. */
  close(): void
}

export interface Relay {
  /** Prepares the repositories, installs the hook and listens. */
  start(): Promise<void>
  /** Aborts and refuses what is under way and stops listening. */
  close(): Promise<void>
  /** Throws unless git would run the hook: git takes a missing hook for consent. */
  checkReady(): Promise<void>
  announce(gitPid: number, origin: PushOrigin): AnnouncedPush
}

/** How long an aborted push may take to answer before its pusher is refused without it. */
const abortGraceMs = 30_000

export class Push implements AnnouncedPush {
  readonly pushId = randomUUID()
  readonly controller = new AbortController()
  #close = () => {}
  phase: PushPhase = 'receiving'
  /** Resolves when its git has ended. */
  readonly closed: Promise<void>
  output: PushOutput | undefined
  socket: Socket | undefined

  constructor(
    readonly origin: PushOrigin,
    private readonly forget: () => void,
  ) {
    this.closed = new Promise((resolve) => {
      this.#close = resolve
    })
  }

  abort(reason?: string): boolean {
    if (reason !== undefined) this.output?.refuse(reason)
    this.controller.abort()
    return this.phase !== 'deciding' && this.phase !== 'accepted'
  }

  close(): void {
    this.#close()
    this.forget()
    this.controller.abort()
    this.socket?.destroy()
  }
}

export function createRelay(options: RelayOptions): Relay {
  const { socketPath, repositories, limits, log } = options
  const pushes = new Map<number, Push>()
  const queue = new AppQueue()
  const sockets = new Set<Socket>()
  let isClosing = false

  const decide = async (push: Push, hello: HookHello, output: PushOutput): Promise<boolean> => {
    const judged = judgePush({ push, hello, output, repositories, limits, queue, onPush: options.onPush, log })
    const grace = graceAfter(push.controller.signal)
    const answer = await Promise.race([judged, grace.over])
    grace.cancel()
    if (answer !== undefined) return answer
    log.error({ push: push.pushId }, 'an aborted push did not answer in time')
    return false
  }

  const onHook = async (socket: Socket): Promise<void> => {
    const output = new PushOutput(socket, limits.heartbeatMs)
    const hello = await readHello(socket)
    const push = hello && pushes.get(hello.parentPid)
    if (!hello || push?.phase !== 'receiving' || isClosing) {
      if (!isClosing) log.warn({ parentPid: hello?.parentPid }, 'a hook without an announced push was refused')
      output.refuse('The platform expects no such push. Push again in a moment.')
      output.exit(1)
      return
    }
    push.phase = 'deciding'
    push.output = output
    push.socket = socket
    // A hook that ends early was killed together with its git.
    socket.once('close', () => push.controller.abort())
    const isAccepted = await decide(push, hello, output)
    push.phase = isAccepted ? 'accepted' : 'refused'
    output.exit(isAccepted ? 0 : 1)
  }

  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    onHook(socket).catch((error: unknown) => {
      log.error({ err: error }, 'the hook of a push could not be answered')
      socket.destroy()
    })
  })

  return {
    async start() {
      await repositories.prepare()
      await installHook(repositories.hooksDir, socketPath)
      await mkdir(path.dirname(socketPath), { recursive: true })
      await chmod(path.dirname(socketPath), 0o700)
      await rm(socketPath, { force: true })
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(socketPath, resolve)
      })
      server.on('error', (error) => log.error({ err: error }, 'the socket of the hook failed'))
    },
    async close() {
      isClosing = true
      const closed = new Promise((resolve) => server.close(resolve))
      const deciding = new Set([...pushes.values()].map((push) => push.socket))
      for (const socket of sockets) if (!deciding.has(socket)) socket.destroy()
      for (const push of pushes.values()) push.abort('The platform is stopping. Push again in a moment.')
      await closed
    },
    async checkReady() {
      await Promise.all([repositories.checkPrepared(), checkHook(repositories.hooksDir)])
      if (!server.listening || isClosing) throw new Error('the relay does not listen')
    },
    announce(gitPid, origin) {
      const push = new Push(origin, () => {
        if (pushes.get(gitPid) === push) pushes.delete(gitPid)
      })
      pushes.set(gitPid, push)
      return push
    },
  }
}

/** Resolves with undefined `abortGraceMs` after the signal. */
function graceAfter(signal: AbortSignal): { readonly over: Promise<undefined>; cancel(): void } {
  let timer: NodeJS.Timeout | undefined
  let start = () => {}
  const over = new Promise<undefined>((resolve) => {
    start = () => {
      timer = setTimeout(() => resolve(undefined), abortGraceMs)
    }
  })
  if (signal.aborted) start()
  else signal.addEventListener('abort', start, { once: true })
  return {
    over,
    cancel: () => {
      signal.removeEventListener('abort', start)
      clearTimeout(timer)
    },
  }
}
