/** From a wish to a container that the engine has: made once under its name, joined to its networks, started or thrown away. */
import { type ContainerSpec, EngineError } from '../engine/engine.js'
import { nextDynoAddress } from '../store/dynos.js'
import { markSlugPruned, readConfigVars } from '../store/releases.js'
import type { DesiredApp, RunnableRelease } from './desired.js'
import type { AppNetworks, DynoContext } from './dyno-container.js'
import type { LoopContext } from './loop-context.js'
import { FinalStepError } from './step-failures.js'

export async function networksOf(context: LoopContext, { app }: DesiredApp): Promise<AppNetworks> {
  const own = app.networkIndex === undefined ? undefined : await context.ensureOwnNetwork(app)
  return { shared: context.dynoNetwork.name, own }
}

export async function dynoContext(
  context: LoopContext,
  desired: DesiredApp,
  release: RunnableRelease,
): Promise<DynoContext> {
  return {
    config: context.config,
    app: desired.app,
    configVars: await readConfigVars(context.db, release),
    databases: desired.databases,
    networks: await networksOf(context, desired),
    addressNumber: await nextDynoAddress(context.db),
  }
}

/**
 * Creates a container unless one of that name is there; either way returns its id. One that was found may have been left
 * in the middle of its creation, before it had joined the app's own network.
 */
export async function createOnce(
  context: LoopContext,
  spec: ContainerSpec,
  release: Pick<RunnableRelease, 'version' | 'slugId'>,
): Promise<string> {
  try {
    return await context.engine.createContainer(spec)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    if (error.kind === 'not_found' && (await context.engine.findImage(spec.image)) === undefined) {
      // A rollback to it is refused from now on, rather than failed.
      if (release.slugId !== undefined) await markSlugPruned(context.db, release.slugId)
      throw new FinalStepError(imageGone(release))
    }
    const existing =
      error.kind === 'conflict' || /Address already in use/.test(error.message)
        ? await context.engine.findContainer(spec.name)
        : undefined
    if (existing === undefined) throw error
    await joinAll(context, spec, existing.id)
    return existing.id
  }
}

export function imageGone({ version }: Pick<RunnableRelease, 'version'>): string {
  return `The image of v${version} is no longer on this machine. Push a commit to have it built again: git commit --allow-empty, then git push.`
}

/** For a container that was made by a step before this one, perhaps by another control plane. */
export async function joinOwnNetwork(context: LoopContext, { app }: DesiredApp, containerId: string): Promise<void> {
  if (app.networkIndex === undefined) return
  await context.engine.connectNetwork({ network: await context.ensureOwnNetwork(app) }, containerId)
}

async function joinAll(context: LoopContext, { network }: ContainerSpec, containerId: string): Promise<void> {
  if (typeof network === 'string' || 'sharedWith' in network) return
  for (const join of network.slice(1)) await context.engine.connectNetwork(join, containerId)
}

/** A container that can't be started keeps an address and networks that may be why: the next try makes another. */
export async function startOrDiscard(context: LoopContext, id: string): Promise<void> {
  try {
    await context.engine.startContainer(id)
  } catch (error) {
    if (error instanceof EngineError && error.kind !== 'unavailable') {
      const left = await context.engine.findContainer(id)
      if (left?.state === 'created') await context.engine.removeContainer(id, { force: true })
    }
    throw error
  }
}
