/** What the parts of the loop share; the composition root puts it together. */
import type { Config } from '../config.js'
import type { Engine } from '../engine/engine.js'
import type { Logger } from '../lib/logger.js'
import type { Topic } from '../lib/topic.js'
import type { App } from '../model/app.js'
import type { ReleaseNews } from '../platform.js'
import type { Database } from '../store/database.js'
import type { BootChecks } from './boot-check.js'
import type { RoutePublisher } from './route-publisher.js'

/** Reads containers' output into the app's log. */
export interface OutputReader {
  follow(container: {
    readonly id: string
    readonly appId: string
    readonly dyno: string
    readonly source: 'app'
  }): void
  /** Resolves when an ended container's output has been read. */
  drained(containerId: string): Promise<void>
  forget(containerId: string): void
  /** From now on the container's lines are told to those who wait for the release too. */
  announceTo(containerId: string, releaseId: string): void
}

export interface LoopContext {
  readonly engine: Engine
  readonly db: Database
  readonly config: Config
  readonly log: Logger
  readonly routes: RoutePublisher
  readonly bootChecks: BootChecks
  readonly output: OutputReader
  readonly releaseNews: Topic<ReleaseNews>
  /** Network that all dynos share, and its subnet. */
  readonly dynoNetwork: { readonly name: string; readonly subnet: string }
  /** Containers told to stop by this process. */
  readonly stopping: Set<string>
  /** Those that have been told to, until their end is told: it may come before a pass sees them stopping. */
  readonly toldToStop: Set<string>
  /** Containers that went on after the kernel killed a process of theirs for memory, which has been told. */
  readonly outlivedOom: Set<string>
  /** Held dynos that this process has let go, and when. */
  readonly letGoAt: Map<string, Date>
  readonly machineCpus: number
  /** Of the stack that apps run on. */
  readonly stackImage: string
  appLog(appId: string, line: { readonly source: 'app' | 'heroku'; readonly dyno: string; readonly text: string }): void
  nudge(appId: string): void
  /** Makes the app's private network if need be and returns its name. */
  ensureOwnNetwork(app: App): Promise<string>
  removeOwnNetwork(app: App): Promise<void>
  /** Removes what else a destroyed app leaves: repository, build cache, log. */
  clearAway(appId: string): Promise<void>
}
