/** What the router tells of requests, as lines in the logs of the apps that were asked. */
import type { Logger } from './lib/logger.js'
import type { LogHub } from './logs/hub.js'
import { type AccessEntry, formatAccessLine } from './router/access-log.js'

const warnEveryMs = 60_000

export interface RouterLinesOptions {
  readonly hub: Pick<LogHub, 'append' | 'skip'>
  readonly log: Pick<Logger, 'warn'>
  /** Whether there is such an app. */
  readonly hasApp: (appId: string) => boolean
  /** Milliseconds since 1970. */
  readonly clock?: () => number
}

export interface RouterLines {
  onEntry(entry: AccessEntry): void
  /** A request whose record can't be read: its app's log counts it as dropped (L10), ours says so once a minute. */
  onUnreadable(appId: string | undefined): void
}

export function createRouterLines({ hub, log, hasApp, clock = Date.now }: RouterLinesOptions): RouterLines {
  let unreadable = 0
  let lastWarning = Number.NEGATIVE_INFINITY
  return {
    onEntry(entry) {
      // A request for no app is in nobody's log; lines of one that is gone come late, and would begin a log for it anew.
      if (!hasApp(entry.appId)) return
      const at = new Date(clock()).toISOString()
      hub.append(entry.appId, { at, source: 'heroku', dyno: 'router', text: formatAccessLine(entry) })
      if (entry.isSample) hub.skip(entry.appId, 'some')
    },
    onUnreadable(appId) {
      unreadable++
      if (appId !== undefined && hasApp(appId)) hub.skip(appId, 1)
      if (clock() - lastWarning < warnEveryMs) return
      lastWarning = clock()
      log.warn({ requests: unreadable, appId }, 'records of the router could not be read; these requests are in no log')
      unreadable = 0
    },
  }
}
