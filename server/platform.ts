/** The context every action takes first: rows, settings, and the few things an action may set in motion. */
import type { Builder } from './build/builder.js'
import type { Config } from './config.js'
import type { Logger } from './lib/logger.js'
import type { Topic } from './lib/topic.js'
import type { Database } from './store/database.js'

/** What is heard under a release's id, or an app's, while somebody waits. */
export type ReleaseNews =
  /** A line its release command wrote. */
  | { readonly kind: 'line'; readonly text: string }
  /** A step worth telling: `web.1 up in 0.9 s`. */
  | { readonly kind: 'step'; readonly text: string }
  /** It is settled. */
  | { readonly kind: 'settled' }
  /** Under the app's id: requests reach the web dynos of this version and of no older one. */
  | { readonly kind: 'published'; readonly version: number }

export interface Platform {
  readonly config: Config
  readonly db: Database
  readonly log: Logger
  readonly builder: Builder
  readonly releaseNews: Topic<ReleaseNews>
  /** Ids of the builds that somebody is at, from before their row is there. */
  readonly buildsUnderWay: Set<string>
  /** Asks the loop to look at an app soon. */
  nudge(appId: string): void
  /** Asks the add-on loop to look soon. */
  nudgeAddOns(): void
  /** Asks for a look at builds and images soon: one has come to nothing. */
  nudgeImages(): void
  /** Adds a line of the platform's own to an app's log: `heroku[web.1]`, `app[api]`. */
  appLog(appId: string, line: { readonly source: 'app' | 'heroku'; readonly dyno: string; readonly text: string }): void
}
