/**
 * One push from its hook to its answer: its refs, its place in the app's queue, its objects, then `onPush`. The app's turn
 * lasts until both `onPush` and git have ended, also when nobody waits for the answer any more.
 */
import path from 'node:path'
import { PlatformError } from '../model/errors.js'
import type { AppQueue, QueueLook } from './app-queue.js'
import { checkObjects, type GitObjects } from './git-objects.js'
import type { HookHello, PushOutput } from './hook-channel.js'
import type { Push } from './push.js'
import type { GitLimits, GitLog, OnPush } from './push-request.js'
import { isZeroOid, judgeRefs, type RefUpdate } from './ref-rules.js'
import type { Repositories } from './repositories.js'

export interface JudgePushInput {
  readonly push: Push
  readonly hello: HookHello
  readonly output: PushOutput
  readonly repositories: Repositories
  readonly limits: Pick<GitLimits, 'refsPerPush'>
  readonly queue: AppQueue
  readonly onPush: OnPush
  /** Called within the app's turn once git has ended: its branches are to be where its live release is. */
  readonly settleRefs: (appId: string) => Promise<void>
  readonly log: GitLog
}

/** Whether the push stands; says everything to its pusher and never throws. */
export async function judgePush(input: JudgePushInput): Promise<boolean> {
  const { push, hello, output, limits } = input
  try {
    const deploy = acceptableDeploy(push, hello, output, limits.refsPerPush)
    if (deploy === 'refused') return false
    if (deploy === undefined) return true
    const turn = await input.queue.enter(push.origin.appId, push.aborted, (look) => sayWaiting(output, look))
    if (!turn) return false
    try {
      return await deployInTurn(input, deploy)
    } finally {
      // The ref moves only after the answer, when git ends; the next push is compared with where it is then.
      void push.closed
        .then(() => input.settleRefs(push.origin.appId))
        .catch((error: unknown) =>
          input.log.warn({ err: error, app: push.origin.appName }, 'a branch was not looked at'),
        )
        .then(() => turn.end())
    }
  } catch (error) {
    if (error instanceof PlatformError) output.refuse(error.message)
    else {
      input.log.error({ err: error, push: push.pushId, app: push.origin.appName }, 'a push failed by a fault of ours')
      output.refuse(`Something went wrong here; push id ${push.pushId}. Nothing was changed.`)
    }
    return false
  }
}

/** The update to deploy, if any, once nothing in the push is refused; says what there is to say. */
function acceptableDeploy(
  push: Push,
  hello: HookHello,
  output: PushOutput,
  refsPerPush: number,
): RefUpdate | undefined | 'refused' {
  const verdict = judgeRefs(hello.updates, refsPerPush)
  const refusals = push.origin.refusal === undefined ? verdict.refusals : [push.origin.refusal]
  for (const sentence of refusals) output.refuse(sentence)
  if (refusals.length > 0) return 'refused'
  for (const sentence of verdict.notes) output.note(sentence)
  return verdict.deploy
}

function seconds(ms: number): string {
  return `${Math.max(1, Math.round(ms / 1000))} s`
}

function sayWaiting(output: PushOutput, look: QueueLook): void {
  const sentence = (start: string) => {
    const { ahead, holderAgeMs } = look()
    const others = ahead > 1 ? ` and ${ahead - 1} more wait before this one` : ''
    return `${start} another push to this app, running for ${seconds(holderAgeMs)}${others}.`
  }
  output.note(sentence('Waiting for'))
  output.whenQuiet(() => sentence('Still waiting for'))
}

async function deployInTurn({ push, hello, output, repositories, onPush }: JudgePushInput, deploy: RefUpdate) {
  const { account, appId, appName } = push.origin
  const begun = Date.now()
  output.whenQuiet(() => `Still working (${seconds(Date.now() - begun)}).`)
  const quarantine = quarantineOf(repositories, appId, hello.objectDirectory)
  const state = await checkObjects(quarantine, deploy.ref, deploy.newOid)
  const refusal = refusalOf(deploy, state)
  if (refusal !== undefined) {
    output.refuse(refusal)
    return false
  }
  if (push.aborted.aborted) return false
  // A clone follows HEAD: it names whichever of master and main comes first.
  if (!state.isHeadBorn) await repositories.setHead(appId, deploy.ref)
  return onPush({
    pushId: push.pushId,
    account,
    appId,
    appName,
    updates: hello.updates,
    deploy,
    quarantine,
    write: (text) => output.write(text),
    aborted: push.aborted,
  })
}

/** Git looks at both only after the hook, when a release would already be there. */
function refusalOf(deploy: RefUpdate, state: { refOid: string | undefined; type: string | undefined }) {
  const branch = deploy.ref.slice('refs/heads/'.length)
  if ((state.refOid ?? '') !== (isZeroOid(deploy.oldOid) ? '' : deploy.oldOid))
    return `${branch} was moved by another push meanwhile. Fetch it, or push again.`
  if (state.type === 'tag')
    return `${branch} must be a commit, not a tag. Push the tag's commit: git push paas <tag>^{}:${branch}`
  if (state.type !== 'commit') return `${branch} must be a commit, not a ${state.type ?? 'missing object'}.`
  return undefined
}

/** Rebuilt from the folder's name alone: a path that a hook sends is never opened. */
function quarantineOf(repositories: Repositories, appId: string, objectDirectory: string): GitObjects {
  const repositoryPath = repositories.path(appId)
  const name = path.basename(objectDirectory)
  if (!/^(?:tmp_objdir-)?incoming-\w+$/.test(name)) throw new Error(`'${name}' isn't a quarantine of git`)
  const objects = path.join(repositoryPath, 'objects')
  return {
    GIT_DIR: repositoryPath,
    GIT_OBJECT_DIRECTORY: path.join(objects, name),
    GIT_ALTERNATE_OBJECT_DIRECTORIES: objects,
    runAs: repositories.runAs,
  }
}
