import type { HealthCheck } from './health-check.js'
import type { ProcessTypes } from './procfile.js'

/** What a build made: an image and how to start it. Never changes. */
export interface Slug {
  readonly id: string
  readonly appId: string
  readonly commit: string
  readonly commitDescription: string
  /** The engine's image id (`sha256:…`): same commit and inputs, same id. */
  readonly imageId: string
  readonly imageReference: string
  readonly sizeBytes: number
  readonly processTypes: ProcessTypes
  /** What a web dyno of it must pass before it is up. */
  readonly healthChecks: readonly HealthCheck[]
  readonly buildpacks: readonly string[]
  readonly stack: string
  /** Of the user that its files belong to, and that it runs as. */
  readonly uid: number
  readonly createdAt: Date
}

/** The name under which the engine keeps what a build made. */
export const slugImageReference = (instance: string, appId: string, buildId: string): string =>
  `${instance}/app-${appId}:${buildId}`
