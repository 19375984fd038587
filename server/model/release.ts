/**
 * A release: a slug, the whole of the config vars and the process types, numbered per app without gaps.
 *
 * It is `pending` from its creation until the reconcile loop knows how it went: `succeeded` once its release command
 * ended well and its web dynos are up, `failed` otherwise. Only the outcome ever changes. The app's *target* is its newest
 * release that has not failed; its *current* release is its newest that succeeded.
 */
import type { ProcessTypes } from './procfile.js'

export type ReleaseStatus = 'pending' | 'succeeded' | 'failed'

/** The release command runs at most once per release: `started` after a restart is settled by its ended container. */
export type ReleaseCommandState = 'none' | 'waiting' | 'started' | 'succeeded' | 'failed'

export interface Release {
  readonly id: string
  readonly appId: string
  readonly version: number
  readonly slugId: string | undefined
  readonly processTypes: ProcessTypes
  readonly description: string
  readonly accountId: string | undefined
  readonly accountEmail: string | undefined
  readonly status: ReleaseStatus
  readonly commandState: ReleaseCommandState
  readonly output: string
  readonly failure: string | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}
