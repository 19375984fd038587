/**
 * Leads git's branches to what is deployed. Normally git has moved them by itself when a push was accepted; a control plane
 * that dies between a release going live and git hearing of it leaves a branch behind, and so does a git that fails to
 * write the ref. Rows say which commit each branch has to name; its objects were kept before the release came into being.
 *
 * Call it while no push of the app is decided on: at start, or within the app's turn.
 */
import type { Repositories } from './git/repositories.js'
import type { Logger } from './lib/logger.js'
import type { Database } from './store/database.js'
import { listDeployedRefs } from './store/builds.js'

export interface DeployedRefsContext {
  readonly db: Database
  readonly repositories: Pick<Repositories, 'exists' | 'moveRef'>
  readonly log: Logger
}

/** Of one app or of all. A branch that can't be moved is told in the log and keeps nobody from starting. */
export async function settleDeployedRefs(
  { db, repositories, log }: DeployedRefsContext,
  appId?: string,
): Promise<void> {
  for (const { appId: id, ref, commit } of await listDeployedRefs(db, appId)) {
    try {
      if ((await repositories.exists(id)) && (await repositories.moveRef(id, ref, commit)))
        log.info({ app: id, ref, commit }, 'a branch was led to what is deployed')
    } catch (err) {
      log.error({ err, app: id, ref, commit }, 'a branch could not be led to what is deployed')
    }
  }
}
