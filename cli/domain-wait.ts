/** Waiting for a domain to become ready. */
import { type ApiClient, route } from './api-client.js'
import type { Domain } from './api-types.js'
import { CliError } from './errors.js'
import { action } from './output.js'
import { pollUntil } from './poll.js'

/** Resolves with the domain once it is no longer pending; throws when it failed. */
export async function waitForDomain(api: ApiClient, app: string, hostname: string): Promise<Domain> {
  const path = route`/apps/${app}/domains/${hostname}`
  const domain = await action(`Waiting for ${hostname}`, () =>
    pollUntil(
      () => api.get<Domain>(path),
      (found) => found.status !== 'pending',
    ),
  )
  if (domain.status === 'failed') throw new CliError(`${hostname} could not be made ready. See paas domains.`)
  return domain
}
