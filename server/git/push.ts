/**
 * A push between its announcement by the front and the end of its git.
 *
 * It is *receiving* until its hook connects, then *deciding* until `judgePush` has answered, then *accepted* or *refused*.
 * While it is deciding its git is left alone even if the pusher leaves: the answer is on its way, and a release that came
 * into being must move the ref. Leaving only fires `aborted`, which cancels the build. A push that is receiving or refused
 * has nothing to lose, and the front may end its git.
 */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Account } from '../model/account.js'
import type { PushOutput } from './hook-channel.js'

/** Who pushes what where, as the front knows it before git runs. */
export interface PushOrigin {
  readonly account: Account
  readonly appId: string
  readonly appName: string
  /** Refuses the push with this sentence, whatever is in it. */
  readonly refusal?: string
}

export type PushPhase = 'receiving' | 'deciding' | 'accepted' | 'refused'

/** The front's side of a push. */
export interface AnnouncedPush {
  readonly pushId: string
  readonly phase: PushPhase
  /** The pusher is gone, or `reason` is to be told. True: end git now. False: git must be let run to its end. */
  abort(reason?: string): boolean
  /** Its git has ended. */
  close(): void
}

export class Push implements AnnouncedPush {
  readonly pushId = randomUUID()
  phase: PushPhase = 'receiving'
  /** Resolves when its git has ended. */
  readonly closed: Promise<void>
  readonly #controller = new AbortController()
  readonly #onClose: () => void
  #resolveClosed = () => {}
  #output: PushOutput | undefined
  #socket: Socket | undefined

  constructor(
    readonly origin: PushOrigin,
    onClose: () => void,
  ) {
    this.#onClose = onClose
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  get aborted(): AbortSignal {
    return this.#controller.signal
  }

  /** Its hook is there: from now on the push is deciding. */
  meetHook(socket: Socket, output: PushOutput): void {
    this.phase = 'deciding'
    this.#socket = socket
    this.#output = output
    // A hook that ends early was killed together with its git.
    socket.once('close', () => this.#cancel())
  }

  abort(reason?: string): boolean {
    if (reason !== undefined) this.#output?.refuse(reason)
    this.#cancel()
    return this.phase === 'receiving' || this.phase === 'refused'
  }

  close(): void {
    this.#cancel()
    this.#onClose()
    this.#resolveClosed()
    this.#socket?.destroy()
  }

  /** What is decided stays decided. */
  #cancel(): void {
    if (this.phase === 'receiving' || this.phase === 'deciding') this.#controller.abort()
  }
}
