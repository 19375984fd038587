/** What the git front is given, and what one of its requests carries once it has passed. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Account } from '../model/account.js'
import type { FetchTurns } from './fetch-turns.js'
import type { GitServiceName, GitTransport } from './git-transport.js'
import type { GitLimits, GitLog } from './push-request.js'
import type { PushRate } from './push-rate.js'
import type { PushesUnderWay } from './pushes-under-way.js'
import type { Relay } from './relay.js'
import type { Repositories } from './repositories.js'

export interface GitRepository {
  readonly appId: string
  readonly path: string
}

export interface GitDependencies {
  /** Gets a well-formed header, `Bearer` or `Basic` with the token as password (`readToken` takes it out). */
  readonly authenticate: (authorization: string) => Promise<Account | undefined>
  /**
   * The repository of an app that this account may fetch from or push to; undefined for an unknown app and for another's
   * alike, in the same time. A thrown `PlatformError` is answered with its sentence.
   */
  readonly findRepository: (
    account: Account,
    appName: string,
    service: GitServiceName,
  ) => Promise<GitRepository | undefined>
  readonly limits: GitLimits
  readonly transport: GitTransport
  readonly repositories: Pick<Repositories, 'sweepQuarantines'>
  /** Started before the first push. */
  readonly relay: Relay
  readonly log: GitLog
}

/** Who asks for what, once both are known to be right. */
export interface GitAccess {
  readonly account: Account
  readonly appName: string
  readonly repository: GitRepository
}

/** A request that was taken from Fastify. */
export interface GitWork extends GitAccess {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly deps: GitDependencies
  /** Pushes under way, by account. */
  readonly pushes: AccountCounts
  readonly rate: PushRate
  readonly underWay: PushesUnderWay
  readonly fetchTurns: FetchTurns
  /** Fires when the server closes. */
  readonly closing: AbortSignal
}

/** How many of something each account has under way. */
export class AccountCounts {
  readonly #counts = new Map<string, number>()

  of(account: Account): number {
    return this.#counts.get(account.id) ?? 0
  }

  add(account: Account, change: 1 | -1): void {
    const count = this.of(account) + change
    if (count > 0) this.#counts.set(account.id, count)
    else this.#counts.delete(account.id)
  }
}
