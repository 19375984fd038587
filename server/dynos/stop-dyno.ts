/** Stopping a dyno as Heroku does: SIGTERM to all its processes (SIGHUP at a terminal), so many seconds, then SIGKILL and R12. */
import { failpoint } from '../lib/failpoint.js'
import { tellToStop } from './dyno-command.js'
import type { LoopContext } from './loop-context.js'

/** Returns at once; the container ends in the background, and the loop is nudged when it has. */
export function stopInBackground(
  context: LoopContext,
  appId: string,
  container: { readonly containerId: string; readonly dyno: string },
  options: { readonly kill: boolean; readonly hangUp?: boolean },
): void {
  if (context.stopping.has(container.containerId)) return
  context.stopping.add(container.containerId)
  context.toldToStop.add(container.containerId)
  const done = options.kill
    ? context.engine.killContainer(container.containerId, 'SIGKILL')
    : stopGently(context, appId, container, options.hangUp ?? false)
  done
    .catch((error: unknown) =>
      context.log.warn({ err: error, container: container.containerId }, 'a dyno could not be stopped'),
    )
    .finally(() => {
      context.stopping.delete(container.containerId)
      context.nudge(appId)
    })
}

async function stopGently(
  context: LoopContext,
  appId: string,
  container: { readonly containerId: string; readonly dyno: string },
  hangUp: boolean,
): Promise<void> {
  const { engine, config } = context
  const id = container.containerId
  context.appLog(appId, {
    source: 'heroku',
    dyno: container.dyno,
    text: `Stopping all processes with ${hangUp ? 'SIGHUP and SIGTERM' : 'SIGTERM'}`,
  })
  const ended = engine.waitContainer(id)
  ended.catch(() => {})
  let timer: NodeJS.Timeout | undefined
  const grace = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), config.dynos.stopGraceSeconds * 1000)
  })
  const told = await tellToStop(engine, id, config.dynos, { hangUp }).catch(() => undefined)
  // Where no shell can be started any more, or doesn't end, the engine signals the first process at least.
  if (told === undefined || told.exitCode === 126 || told.exitCode === 127) await engine.killContainer(id, 'SIGTERM')
  failpoint('dyno.told-to-stop')
  const outcome = await Promise.race([ended, grace])
  clearTimeout(timer)
  if (outcome !== 'late') return
  context.appLog(appId, {
    source: 'heroku',
    dyno: container.dyno,
    text: `Error R12 (Exit timeout) -> At least one process failed to exit within ${config.dynos.stopGraceSeconds} seconds of SIGTERM`,
  })
  context.appLog(appId, { source: 'heroku', dyno: container.dyno, text: 'Stopping remaining processes with SIGKILL' })
  await engine.killContainer(id, 'SIGKILL')
}
