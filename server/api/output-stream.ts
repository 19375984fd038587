/** The output of a build or of a release command as plain text: live while it is under way, from its row afterwards. */
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Build } from '../model/build.js'
import type { Release } from '../model/release.js'
import { findBuild, readBuildOutput } from '../store/builds.js'
import { findRelease } from '../store/releases.js'
import type { ApiContext, OutputSession } from './context.js'

/** Text that waits for a slow reader; a slower one gets the rest from the row when it has ended. */
const queueChars = 4 * 1024 * 1024

interface Watched {
  /** Whether it is still under way. */
  isPending(): Promise<boolean>
  follow(onText: (text: string) => void): () => void
  /** All of it, once it has ended. */
  whole(): Promise<string>
}

/** Undefined when the app or the thing itself is gone. */
export async function outputStream(context: ApiContext, session: OutputSession): Promise<Readable | undefined> {
  const watched = session.kind === 'build' ? await watchBuild(context, session) : await watchRelease(context, session)
  if (!watched) return undefined
  const stream = Readable.from(textOf(watched, context.timings.pollMs), { objectMode: false })
  context.openStreams.add(stream)
  stream.once('close', () => context.openStreams.delete(stream))
  return stream
}

async function watchBuild(context: ApiContext, { appId, id }: OutputSession): Promise<Watched | undefined> {
  const { db } = context.platform
  const find = (): Promise<Build | undefined> => findBuild(db, appId, id)
  if (!(await find())) return undefined
  return {
    isPending: async () => (await find())?.status === 'pending',
    follow: (onText) => context.buildOutput.follow(appId, onText),
    whole: () => readBuildOutput(db, id),
  }
}

async function watchRelease({ platform }: ApiContext, { appId, id }: OutputSession): Promise<Watched | undefined> {
  const find = (): Promise<Release | undefined> => findRelease(platform.db, appId, id)
  if (!(await find())) return undefined
  return {
    isPending: async () => (await find())?.status === 'pending',
    follow: (onText) =>
      platform.releaseNews.subscribe(id, (news) => {
        if (news.kind === 'line') onText(`${news.text}\n`)
      }),
    whole: async () => (await find())?.output ?? '',
  }
}

/** What is heard live, then what the row has beyond it. */
async function* textOf(watched: Watched, pollMs: number): AsyncGenerator<string> {
  let heardChars = 0
  let beginning = ''
  if (await watched.isPending()) {
    const live = followLive(watched)
    try {
      // The row is looked at only when nothing is said: there may be thousands of lines.
      for (;;) {
        const text = live.take()
        if (text === '') {
          if (!(await watched.isPending())) break
          await live.wait(pollMs)
          continue
        }
        if (beginning === '') beginning = text.slice(0, 200)
        heardChars += text.length
        yield text
      }
    } finally {
      live.stop()
    }
  }
  const whole = await watched.whole()
  // Whoever came late to a release command has heard another beginning than the row's.
  const rest = whole.startsWith(beginning) ? whole.slice(heardChars) : ''
  if (rest !== '') yield rest
}

function followLive(watched: Watched) {
  let waiting = ''
  let isWhole = true
  let wake = () => {}
  const stop = watched.follow((text) => {
    isWhole &&= waiting.length + text.length <= queueChars
    if (isWhole) waiting += text
    wake()
  })
  return {
    take: () => {
      const text = waiting
      waiting = ''
      return text
    },
    /** Until something is said, `ms` at most. */
    wait: async (ms: number) => {
      const quiet = new AbortController()
      wake = () => quiet.abort()
      if (waiting === '') await delay(ms, undefined, { signal: quiet.signal }).catch(() => {})
    },
    stop,
  }
}
