/**
 * The pre-receive relay: the control plane's end of the hook. A push is announced here with the process id of its git
 * before git can reach the hook; a hook whose parent wasn't announced is refused, so nobody else on the machine can have
 * a push decided. What a push goes through is told in `push.ts`; deciding is `judge-push.ts`.
 */
import { chmod, chown, rm } from 'node:fs/promises'
import net, { type Socket } from 'node:net'
import path from 'node:path'
import { AppQueue } from './app-queue.js'
import { ensurePassableFolder } from './git-user.js'
import { type HookHello, PushOutput, readHello } from './hook-channel.js'
import { judgePush } from './judge-push.js'
import { checkHook, installHook } from './pre-receive-hook.js'
import { type AnnouncedPush, Push, type PushOrigin } from './push.js'
import type { GitLimits, GitLog, OnPush } from './push-request.js'
import type { Repositories } from './repositories.js'

export interface RelayOptions {
  /** At most 100 characters; its folder is closed to all but git's user. */
  readonly socketPath: string
  readonly repositories: Repositories
  readonly limits: Pick<GitLimits, 'refsPerPush' | 'heartbeatMs'>
  readonly onPush: OnPush
  /** Called after each push that was decided on, before the app's next. */
  readonly settleRefs: (appId: string) => Promise<void>
  readonly log: GitLog
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

export function createRelay(options: RelayOptions): Relay {
  return new HookRelay(options)
}

class HookRelay implements Relay {
  readonly #options: RelayOptions
  readonly #pushes = new Map<number, Push>()
  readonly #queue = new AppQueue()
  /** Connections of hooks, with the push each one turned out to belong to. */
  readonly #hooks = new Map<Socket, Push | undefined>()
  readonly #server: net.Server
  #isClosing = false

  constructor(options: RelayOptions) {
    this.#options = options
    this.#server = net.createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
  }

  async start(): Promise<void> {
    const { socketPath, repositories, log } = this.#options
    await repositories.prepare()
    await installHook(repositories.hooksDir, socketPath)
    await ensurePassableFolder(path.dirname(socketPath), repositories.runAs)
    await rm(socketPath, { force: true })
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(socketPath, resolve)
    })
    if (repositories.runAs) await chown(socketPath, -1, repositories.runAs.gid)
    await chmod(socketPath, repositories.runAs ? 0o660 : 0o600)
    this.#server.on('error', (error) => log.error({ err: error }, 'the socket of the hook failed'))
  }

  async close(): Promise<void> {
    this.#isClosing = true
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const [socket, push] of this.#hooks) if (!push) socket.destroy()
    for (const push of this.#pushes.values()) push.abort('The platform is stopping. Push again in a moment.')
    await closed
  }

  async checkReady(): Promise<void> {
    const { repositories } = this.#options
    await Promise.all([repositories.checkPrepared(), checkHook(repositories.hooksDir)])
    if (!this.#server.listening || this.#isClosing) throw new Error('the relay does not listen')
  }

  announce(gitPid: number, origin: PushOrigin): AnnouncedPush {
    const push = new Push(origin, () => {
      if (this.#pushes.get(gitPid) === push) this.#pushes.delete(gitPid)
    })
    this.#pushes.set(gitPid, push)
    return push
  }

  #accept(socket: Socket): void {
    this.#hooks.set(socket, undefined)
    socket.on('error', () => {})
    socket.once('close', () => this.#hooks.delete(socket))
    this.#answer(socket).catch((error: unknown) => {
      this.#options.log.error({ err: error }, 'the hook of a push could not be answered')
      socket.destroy()
    })
  }

  async #answer(socket: Socket): Promise<void> {
    const { limits, log } = this.#options
    const output = new PushOutput(socket, limits.heartbeatMs)
    const hello = await readHello(socket)
    const push = hello && this.#pushes.get(hello.parentPid)
    if (!hello || push?.phase !== 'receiving' || this.#isClosing) {
      if (!this.#isClosing) log.warn({ parentPid: hello?.parentPid }, 'a hook without an announced push was refused')
      output.refuse('The platform expects no such push. Push again in a moment.')
      output.exit(1)
      return
    }
    this.#hooks.set(socket, push)
    push.meetHook(socket, output)
    const isAccepted = await this.#decide(push, hello, output)
    push.phase = isAccepted ? 'accepted' : 'refused'
    output.exit(isAccepted ? 0 : 1)
  }

  async #decide(push: Push, hello: HookHello, output: PushOutput): Promise<boolean> {
    const { repositories, limits, onPush, settleRefs, log } = this.#options
    const queue = this.#queue
    const judged = judgePush({ push, hello, output, repositories, limits, queue, onPush, settleRefs, log })
    let timer: NodeJS.Timeout | undefined
    let startGrace = () => {}
    const graceOver = new Promise<undefined>((resolve) => {
      startGrace = () => {
        timer = setTimeout(() => resolve(undefined), abortGraceMs)
      }
    })
    push.aborted.addEventListener('abort', startGrace, { once: true })
    const answer = await Promise.race([judged, graceOver])
    push.aborted.removeEventListener('abort', startGrace)
    clearTimeout(timer)
    if (answer === undefined) log.error({ push: push.pushId }, 'an aborted push did not answer in time')
    return answer ?? false
  }
}
