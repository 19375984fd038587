/** What a push is to the rest of the platform. */
import type { Account } from '../model/account.js'
import type { GitObjects } from './git-objects.js'
import type { RefUpdate } from './ref-rules.js'

/** A push that may deploy: its refs were judged, its app is not being pushed to by anybody else, its objects are checked. */
export interface PushRequest {
  /** For logs: one push, one id. */
  readonly pushId: string
  readonly account: Account
  readonly appId: string
  readonly appName: string
  /** Every ref of the push, tags included. */
  readonly updates: readonly RefUpdate[]
  /** The one update of master or main; its `newOid` is a commit. */
  readonly deploy: RefUpdate
  /** Where the pushed objects are until the push is accepted; gone soon after `onPush` has answered. */
  readonly quarantine: GitObjects
  /** Text for the pusher as it is, of any length; a caller ends its own lines. */
  write(text: string): void
  /** Fires when the pusher has left, the push's time is over or the platform stops: cancel, then answer false. */
  readonly aborted: AbortSignal
}

/**
 * Deploys a push and says whether it stands; the ref moves if and only if the answer is true, even when the pusher left
 * meanwhile. A thrown `PlatformError` refuses with its sentence, anything else refuses as a bug.
 */
export type OnPush = (push: PushRequest) => Promise<boolean>

/** The settings of `config.git`. */
export interface GitLimits {
  readonly packBytes: number
  readonly refsPerPush: number
  readonly idleTimeoutMs: number
  readonly timeoutMs: number
  readonly heartbeatMs: number
  readonly pushesPerAccount: number
  readonly pushesPerHour: number
  readonly fetches: number
}

/** As much of pino as git needs. */
export interface GitLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
