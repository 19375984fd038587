/** Sandboxes, the steps: what the plan wants of them is in `plan-sandboxes.ts`. */
import type { ContainerSpec } from '../engine/engine.js'
import { failpoint } from '../lib/failpoint.js'
import { nextDynoAddress } from '../store/dynos.js'
import type { DesiredApp, RunnableRelease } from './desired.js'
import { releaseContainer, sandboxContainer } from './dyno-container.js'
import type { LoopContext } from './loop-context.js'
import { dynoContext, networksOf, startOrDiscard } from './make-container.js'

export async function startSandbox(context: LoopContext, desired: DesiredApp, buildId: string): Promise<void> {
  failpoint('sandbox.before-create')
  const place = { networks: await networksOf(context, desired), addressNumber: await nextDynoAddress(context.db) }
  const spec = sandboxContainer(
    { config: context.config, app: desired.app, ...place },
    context.stackImage,
    buildId,
    context.dynoNetwork.subnet,
  )
  const id = await context.engine.createContainer(spec)
  failpoint('sandbox.created')
  await startOrDiscard(context, id)
  failpoint('sandbox.started')
}

/** A sandbox that has not the very networks the app has now, since an add-on came or went, is left alone. */
export async function releaseSpec(
  context: LoopContext,
  desired: DesiredApp,
  release: RunnableRelease,
  sandboxId: string | undefined,
): Promise<ContainerSpec> {
  const dynos = await dynoContext(context, desired, release)
  const sandbox = sandboxId === undefined ? undefined : await context.engine.findContainer(sandboxId)
  const has = Object.keys(sandbox?.addresses ?? {}).sort()
  const wanted = [dynos.networks.shared, dynos.networks.own].filter((name) => name !== undefined).sort()
  const isFit = sandbox?.state === 'running' && has.join(' ') === wanted.join(' ')
  return releaseContainer(dynos, release, context.dynoNetwork.subnet, isFit ? sandboxId : undefined)
}
