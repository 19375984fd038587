/** Steps of a plan as text. */
import type { ReleaseFault, Step } from './plan.js'
import { printRoutes } from './routes.js'

function printFault(fault: ReleaseFault): string {
  if (fault.kind === 'no-image') return fault.kind
  return `${fault.kind} ${fault.kind === 'unstartable' ? fault.dyno : fault.dyno.dyno}`
}

/** One line a step, for tests and debug logs. */
export function printStep(step: Step): string {
  switch (step.kind) {
    case 'create-release-command':
      return `${step.kind} v${step.release.version}${step.sandboxId === undefined ? '' : ` in ${step.sandboxId.slice(0, 12)}`}`
    case 'start-release-command':
      return `${step.kind} v${step.release.version}`
    case 'settle-release-command':
      return `${step.kind} v${step.release.version}${step.isLate ? ': late' : ''}`
    case 'start-sandbox':
      return `${step.kind} for ${step.buildId}`
    case 'start-dyno':
      return `start ${step.wanted.dyno} v${step.wanted.release.version}${step.isHeld ? ', held' : ''}: ${step.cause}`
    case 'let-go-dyno':
    case 'limit-dyno':
      return `${step.kind.slice(0, -'-dyno'.length)} ${step.dyno.dyno} v${step.dyno.version}`
    case 'settle-release':
      return `settle v${step.release.version} ${step.status}${step.fault ? `: ${printFault(step.fault)}` : ''}`
    case 'publish-routes':
      return `publish ${printRoutes(step.routes)}`
    case 'stop-dyno':
      return `stop ${step.dyno.dyno} v${step.dyno.version}: ${step.cause}`
    case 'remove-container':
      return `remove ${step.name}: ${step.cause}`
    case 'start-one-off':
    case 'stop-one-off':
    case 'settle-one-off':
      return `${step.kind} run.${step.oneOff?.number ?? '?'}: ${step.cause}`
    case 'remove-app':
      return 'remove the app'
  }
}
