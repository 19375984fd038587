/** How a release command ended: its container is the record until the row knows. */
import { failpoint } from '../lib/failpoint.js'
import { moveReleaseCommand, settleRelease } from '../store/releases.js'
import { crashAdvice } from './crash-advice.js'
import type { RunnableRelease } from './desired.js'
import type { LoopContext } from './loop-context.js'
import { recentOutput } from './recent-output.js'

const outputLines = 2_000

/** A command whose container vanished may or may not have run: the release fails rather than run it twice. */
export async function settleReleaseCommand(
  context: LoopContext,
  release: RunnableRelease,
  containerId: string | undefined,
  isLate = false,
): Promise<void> {
  const ended = containerId === undefined ? undefined : await context.engine.findContainer(containerId)
  if (containerId !== undefined) await context.output.drained(containerId)
  const output = containerId === undefined ? [] : await recentOutput(context.engine, containerId, outputLines)
  const text = output
    .map((line) => `${line}\n`)
    .join('')
    .replaceAll('\0', '')
  failpoint('release-command.before-settle')
  if (ended?.exitCode === 0 && !ended.oomKilled) {
    await moveReleaseCommand(context.db, release.id, 'started', 'succeeded', text)
    context.releaseNews.publish(release.id, { kind: 'line', text: 'done' })
  } else {
    const why = isLate
      ? `The release command ran longer than ${context.config.dynos.releaseCommandTimeoutMs / 1000} s and was stopped (PAAS_RELEASE_COMMAND_TIMEOUT_MS).`
      : ended === undefined
        ? 'It is not known how the release command ended: its container is gone. Check its effects, then push again.'
        : ended.oomKilled
          ? 'The release command ran out of memory (R15).'
          : withAdvice(
              `The release command failed with exit code ${ended.exitCode}: ${release.processTypes.release ?? ''}`,
              output,
            )
    if (await moveReleaseCommand(context.db, release.id, 'started', 'failed', text)) {
      failpoint('release-command.row-failed')
      await settleRelease(context.db, release.id, { status: 'failed', failure: why })
      context.appLog(release.appId, { source: 'app', dyno: 'api', text: `v${release.version} failed: ${why}` })
      context.releaseNews.publish(release.id, { kind: 'settled' })
    }
  }
  failpoint('release-command.settled')
}

function withAdvice(why: string, output: readonly string[]): string {
  const advice = crashAdvice(output.slice(-30))
  return advice === undefined ? why : `${why}\n${advice}`
}
