/** An app: the thing pushed to. */

export interface App {
  readonly id: string
  readonly name: string
  readonly ownerId: string
  readonly ownerEmail: string
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly releasedAt: Date | undefined
  readonly maintenance: boolean
  /** Dynos started before this are replaced, one ordinal at a time. */
  readonly restartedAt: Date | undefined
  /** Set: the app wants nothing and goes away once nothing of it runs. */
  readonly destroyedAt: Date | undefined
  /** Explicit buildpacks in order; empty means detection. */
  readonly buildpacks: readonly string[]
  /** Index of the app's private network among our subnets; undefined while it needs none. */
  readonly networkIndex: number | undefined
}
