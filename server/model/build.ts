/**
 * A build: one push on its way to a slug. `pending` until it ends; a control plane that starts finds pending builds of its
 * predecessor and fails them, because their input went with the pusher's connection.
 */
export type BuildStatus = 'pending' | 'succeeded' | 'failed'

export type BuildPhase = 'source' | 'detect' | 'compile' | 'release' | 'export' | 'launch' | 'platform'

export interface Build {
  readonly id: string
  readonly appId: string
  readonly accountId: string | undefined
  readonly accountEmail: string | undefined
  readonly status: BuildStatus
  readonly commit: string
  readonly commitDescription: string
  readonly buildpacks: readonly string[]
  readonly slugId: string | undefined
  readonly releaseId: string | undefined
  readonly failure: string | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}
