/** The step that all parts of the plan end a container's record with. */
import { hasEnded, type ObservedContainer } from './observed.js'

export interface RemovalStep {
  readonly kind: 'remove-container'
  readonly containerId: string
  readonly name: string
  readonly hasEnded: boolean
  readonly cause: string
}

export function removalOf(container: ObservedContainer, cause: string): RemovalStep {
  return {
    kind: 'remove-container',
    containerId: container.containerId,
    name: container.containerName,
    hasEnded: hasEnded(container),
    cause,
  }
}
