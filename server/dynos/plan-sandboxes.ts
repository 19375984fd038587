/**
 * The part of the plan for sandboxes. Two thirds of the time in which the engine starts a container go into its networks, so
 * while a build runs whose Procfile names a release command, a container that does nothing is given the networks of the app;
 * the command's container joins those, and starts at once. A command that finds no sandbox joins the networks by itself.
 */
import type { DesiredApp, RunnableRelease } from './desired.js'
import { hasEnded, type ObservedApp, type ObservedSandbox } from './observed.js'
import { type RemovalStep, removalOf } from './plan-removal.js'

export type SandboxStep = { readonly kind: 'start-sandbox'; readonly buildId: string } | RemovalStep

export function planSandboxes(desired: DesiredApp, { sandboxes, releaseCommands }: ObservedApp): SandboxStep[] {
  const { app, pendingBuild } = desired
  const build = app.destroyedAt === undefined && pendingBuild?.hasReleaseCommand ? pendingBuild : undefined
  const isNeeded = (sandbox: ObservedSandbox) =>
    (isReady(sandbox) && sandbox.buildId === build?.id) ||
    releaseCommands.some((command) => command.sandboxId === sandbox.containerId && !hasEnded(command))
  const removals = sandboxes
    .filter((sandbox) => !isNeeded(sandbox))
    .map((sandbox) => removalOf(sandbox, 'no release command is to come'))
  const isLacking = build?.releaseId === undefined && !sandboxes.some((sandbox) => sandbox.buildId === build?.id)
  return build !== undefined && isLacking ? [...removals, { kind: 'start-sandbox', buildId: build.id }] : removals
}

/** The sandbox that was made ready for the build this release came from. */
export function sandboxFor(
  { id }: RunnableRelease,
  desired: DesiredApp,
  { sandboxes }: ObservedApp,
): string | undefined {
  const { pendingBuild } = desired
  if (pendingBuild?.releaseId !== id) return undefined
  return sandboxes.find((sandbox) => isReady(sandbox) && sandbox.buildId === pendingBuild.id)?.containerId
}

function isReady(sandbox: ObservedSandbox): boolean {
  return sandbox.state === 'running'
}
