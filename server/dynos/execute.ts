/**
 * Does one step of a plan. Each is one change of the world or of rows, safe to do again: names are deterministic, row
 * changes are compare-and-set, and what is gone already counts as done.
 */
import { failpoint } from '../lib/failpoint.js'
import { findDynoSize } from '../model/formation.js'
import { moveOneOff } from '../store/dynos.js'
import { removeApp } from '../store/apps.js'
import { moveReleaseCommand, settleRelease, settleSuperseded } from '../store/releases.js'
import { crashSentence, cutOffSentence, lateSentence, unhealthySentence } from './boot-fault.js'
import type { DesiredApp, RunnableRelease } from './desired.js'
import { formationContainer, oneOffContainer } from './dyno-container.js'
import type { LoopContext } from './loop-context.js'
import { createOnce, dynoContext, imageGone, joinOwnNetwork, startOrDiscard } from './make-container.js'
import type { ObservedDyno } from './observed.js'
import { killedExitCode } from './observed.js'
import type { ReleaseFault, Step } from './plan.js'
import { settleReleaseCommand } from './release-command.js'
import { recentOutput } from './recent-output.js'
import { releaseSpec, startSandbox } from './sandbox.js'
import { stopInBackground } from './stop-dyno.js'

type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>

export async function execute(context: LoopContext, desired: DesiredApp, step: Step): Promise<void> {
  switch (step.kind) {
    case 'create-release-command':
      failpoint('release-command.before-create')
      await createOnce(context, await releaseSpec(context, desired, step.release, step.sandboxId), step.release)
      failpoint('release-command.created')
      return
    case 'start-sandbox':
      return startSandbox(context, desired, step.buildId)
    case 'start-release-command':
      // The row first: a container that may have run is never started by a row that doesn't know.
      if (step.joins) await joinOwnNetwork(context, desired, step.containerId)
      await moveReleaseCommand(context.db, step.release.id, 'waiting', 'started')
      failpoint('release-command.row-started')
      await context.engine.startContainer(step.containerId)
      failpoint('release-command.started')
      return
    case 'settle-release-command':
      return settleReleaseCommand(context, step.release, step.containerId, step.isLate)
    case 'remove-container':
      // What it printed last is still being read, and is gone with it.
      if (step.hasEnded) await context.output.drained(step.containerId)
      failpoint('dyno.before-remove')
      await context.engine.removeContainer(step.containerId, { force: true })
      context.output.forget(step.containerId)
      failpoint('dyno.removed')
      return
    case 'start-dyno':
      return startDyno(context, desired, step)
    case 'let-go-dyno':
      return letGo(context, desired, step.dyno)
    case 'limit-dyno':
      failpoint('dyno.before-limit')
      await context.engine.limitCpus(step.dyno.containerId, findDynoSize(step.dyno.size).cpus)
      failpoint('dyno.limited')
      return
    case 'settle-release':
      return settle(context, step.release, step.status, step.fault)
    case 'publish-routes':
      failpoint('routes.before-publish')
      await context.routes.publish(step.routes)
      failpoint('routes.published')
      return
    case 'stop-dyno':
      failpoint('dyno.before-stop')
      context.log.info({ app: desired.app.name, dyno: step.dyno.dyno, cause: step.cause }, 'stopping a dyno')
      if (step.kill) await sayWhy(context, desired, step.dyno)
      stopInBackground(context, desired.app.id, step.dyno, { kill: step.kill ?? false })
      failpoint('dyno.stop-begun')
      return
    case 'start-one-off':
      return startOneOff(context, desired, step)
    case 'stop-one-off':
      failpoint('one-off.before-stop')
      stopInBackground(
        context,
        desired.app.id,
        { containerId: step.container.containerId, dyno: `run.${step.oneOff?.number ?? 0}` },
        { kill: false, hangUp: step.oneOff?.tty ?? false },
      )
      failpoint('one-off.stop-begun')
      return
    case 'settle-one-off':
      return settleOneOff(context, desired, step)
    case 'remove-app':
      return removeAltogether(context, desired)
  }
}

/** Why a dyno is killed that never came up. */
async function sayWhy(context: LoopContext, desired: DesiredApp, dyno: ObservedDyno): Promise<void> {
  const why = dyno.isCutOff
    ? cutOffSentence
    : dyno.unhealthy === undefined
      ? await lateSentence(context.engine, dyno, context.config.dynos)
      : unhealthySentence(dyno, [])
  context.appLog(desired.app.id, { source: 'heroku', dyno: dyno.dyno, text: why.replaceAll('\n', ' ') })
}

async function startDyno(context: LoopContext, desired: DesiredApp, step: StepOf<'start-dyno'>): Promise<void> {
  const { wanted } = step
  const dynos = await dynoContext(context, desired, wanted.release)
  failpoint('dyno.before-create')
  const boot = { isHeld: step.isHeld, cpus: context.machineCpus }
  const container = formationContainer(dynos, wanted, step.attempt, boot, context.dynoNetwork.subnet)
  const id = await createOnce(context, container, wanted.release)
  failpoint('dyno.created')
  if (!step.isHeld) sayStarting(context, desired, wanted.dyno, wanted.command)
  await startOrDiscard(context, id)
  failpoint('dyno.started')
  context.output.follow({ id, appId: desired.app.id, dyno: wanted.dyno, source: 'app' })
}

/** Its command is started now. A line more to one that was let go before goes nowhere. */
async function letGo(context: LoopContext, desired: DesiredApp, dyno: ObservedDyno): Promise<void> {
  failpoint('dyno.before-let-go')
  const release = [desired.target, desired.current].find((r) => r?.id === dyno.releaseId)
  sayStarting(context, desired, dyno.dyno, release?.processTypes[dyno.type] ?? '')
  context.letGoAt.set(dyno.containerId, new Date())
  try {
    await context.engine.writeInput(dyno.containerId, '\n')
  } catch (error) {
    context.letGoAt.delete(dyno.containerId)
    throw error
  }
  failpoint('dyno.let-go')
}

function sayStarting(context: LoopContext, desired: DesiredApp, dyno: string, command: string): void {
  context.appLog(desired.app.id, { source: 'heroku', dyno, text: `Starting process with command \`${command}\`` })
}

async function settle(
  context: LoopContext,
  release: RunnableRelease,
  status: 'succeeded' | 'failed',
  fault?: ReleaseFault,
): Promise<void> {
  const failure = status === 'succeeded' ? undefined : await failureOf(context, release, fault)
  failpoint('release.before-settle')
  const isSettled = await settleRelease(context.db, release.id, {
    status,
    ...(failure === undefined ? {} : { failure }),
  })
  failpoint('release.settled')
  if (!isSettled) return
  if (status === 'failed') {
    for (const line of (failure ?? '').split('\n'))
      context.appLog(release.appId, { source: 'app', dyno: 'api', text: `v${release.version} failed: ${line}` })
    context.releaseNews.publish(release.id, { kind: 'settled' })
    return
  }
  context.appLog(release.appId, { source: 'app', dyno: 'api', text: `Release v${release.version} is live` })
  for (const overtaken of await settleSuperseded(context.db, release))
    context.releaseNews.publish(overtaken, { kind: 'settled' })
  failpoint('release.others-settled')
}

async function failureOf(
  context: LoopContext,
  release: RunnableRelease,
  fault: ReleaseFault | undefined,
): Promise<string> {
  if (fault === undefined) return release.failure ?? 'The release command failed.'
  if (fault.kind === 'no-image') return imageGone(release)
  if (fault.kind === 'unstartable') return `${fault.dyno} could not be started: ${fault.sentence}`
  if (fault.kind === 'late') return lateSentence(context.engine, fault.dyno, context.config.dynos)
  const lines = await recentOutput(context.engine, fault.dyno.containerId, 60)
  if (fault.kind === 'unhealthy') return unhealthySentence(fault.dyno, lines)
  return crashSentence(fault.dyno, release.processTypes[fault.dyno.type] ?? '', lines)
}

async function startOneOff(context: LoopContext, desired: DesiredApp, step: StepOf<'start-one-off'>): Promise<void> {
  const { oneOff } = step
  const dynos = await dynoContext(context, desired, oneOff.release)
  failpoint('one-off.before-create')
  const container = oneOffContainer(dynos, oneOff, context.dynoNetwork.subnet)
  const id = await createOnce(context, container, oneOff.release)
  failpoint('one-off.created')
  // Whoever attaches starts it, so that none of its output is missed.
  if (oneOff.attached) return
  await startOrDiscard(context, id)
  failpoint('one-off.started')
  context.output.follow({ id, appId: desired.app.id, dyno: `run.${oneOff.number}`, source: 'app' })
  await moveOneOff(context.db, oneOff.id, 'up')
  failpoint('one-off.row-up')
}

async function settleOneOff(context: LoopContext, desired: DesiredApp, step: StepOf<'settle-one-off'>): Promise<void> {
  const { oneOff, container } = step
  if (container) await context.output.drained(container.containerId)
  failpoint('one-off.before-settle')
  if (
    oneOff &&
    (await moveOneOff(context.db, oneOff.id, 'ended', container?.startedAt ? container.exitCode : 255)) &&
    container
  ) {
    const dyno = `run.${oneOff.number}`
    const outlived = context.outlivedOom.has(container.containerId)
    if (container.oomKilled && container.exitCode === killedExitCode && !outlived)
      context.appLog(desired.app.id, { source: 'heroku', dyno, text: 'Error R15 (Memory quota vastly exceeded)' })
    context.appLog(desired.app.id, { source: 'heroku', dyno, text: `Process exited with status ${container.exitCode}` })
  }
  failpoint('one-off.settled')
  if (container) {
    await context.engine.removeContainer(container.containerId, { force: true })
    context.output.forget(container.containerId)
  }
}

async function removeAltogether(context: LoopContext, desired: DesiredApp): Promise<void> {
  failpoint('app.before-clear')
  await context.routes.withdraw(desired.app.id)
  failpoint('app.routes-withdrawn')
  if (desired.app.networkIndex !== undefined) await context.removeOwnNetwork(desired.app)
  failpoint('app.network-removed')
  await context.clearAway(desired.app.id)
  failpoint('app.cleared')
  await removeApp(context.db, desired.app.id)
  failpoint('app.removed')
}
