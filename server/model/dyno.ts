/** A dyno: one running thing of an app, `web.1`. */

/** As the Platform API spells them. */
export type DynoState = 'starting' | 'up' | 'crashed' | 'stopping' | 'down' | 'idle'

export interface Dyno {
  readonly id: string
  readonly appId: string
  readonly name: string
  readonly type: string
  readonly size: string
  readonly command: string
  readonly state: DynoState
  readonly releaseId: string | undefined
  readonly releaseVersion: number
  /** Why it could not be started, while that is so. */
  readonly failure: string | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** What a one-off dyno was asked to run: `paas run`, attached or detached. */
export interface OneOff {
  readonly id: string
  readonly appId: string
  readonly number: number
  readonly releaseId: string
  readonly command: string
  readonly size: string
  readonly type: string
  readonly attached: boolean
  readonly tty: boolean
  readonly env: Readonly<Record<string, string>>
  readonly timeToLiveSeconds: number
  readonly state: 'starting' | 'up' | 'stopping' | 'ended'
  readonly exitCode: number | undefined
  readonly createdAt: Date
}
