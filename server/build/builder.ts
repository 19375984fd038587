import type { Timeline } from '../lib/timeline.js'
import type { App } from '../model/app.js'
import type { BuildPhase } from '../model/build.js'
import type { ConfigVars } from '../model/config-vars.js'
import type { ProcessTypes } from '../model/procfile.js'
import type { Source } from './source.js'

export interface BuildRequest {
  readonly buildId: string
  readonly app: Pick<App, 'id' | 'name'>
  readonly source: Source
  readonly configVars: ConfigVars
  /** Explicit buildpacks in order; empty means detection. */
  readonly buildpacks: readonly string[]
  /** Text for the pusher, as it comes. */
  write(text: string): void
  /** Ends the build when the pusher leaves. */
  readonly signal: AbortSignal
  readonly timeline: Timeline
}

/** What a build made, before it becomes a slug row. */
export interface BuiltImage {
  readonly imageId: string
  readonly imageReference: string
  readonly sizeBytes: number
  readonly buildpacks: readonly string[]
  /** Defaults of the last buildpack; the Procfile overrides them type by type. */
  readonly processTypes: ProcessTypes
  /** Services a buildpack asks for at an app's first release, such as `heroku-postgresql`. */
  readonly addOns: readonly string[]
  readonly stack: string
  /** What the buildpacks want the pusher to know, a sentence each. */
  readonly notes: readonly string[]
}

export type BuildResult =
  | { readonly ok: true; readonly image: BuiltImage }
  | { readonly ok: false; readonly phase: BuildPhase; readonly reason: string }

/** Turns source into an image. Knows no database; a refusal is a value, already told to the pusher. */
export interface Builder {
  run(request: BuildRequest): Promise<BuildResult>
  /** Removes an image that no release needs; one that a container still has stays until asked again. */
  removeImage(reference: string): Promise<void>
  /** Removes every image of an app that is gone. */
  removeImagesOf(appId: string): Promise<void>
  /** Forgets what was kept of an app between builds. */
  forget(appId: string): Promise<void>
}
