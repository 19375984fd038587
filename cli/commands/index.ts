/** Every command there is. */
import type { Command } from '../command.js'
import { account } from './account/index.js'
import { addonsAttach } from './addons/attach.js'
import { addonsCreate } from './addons/create.js'
import { addonsDestroy } from './addons/destroy.js'
import { addonsDetach } from './addons/detach.js'
import { addons } from './addons/index.js'
import { addonsInfo } from './addons/info.js'
import { addonsPlans } from './addons/plans.js'
import { addonsServices } from './addons/services.js'
import { appsCreate } from './apps/create.js'
import { appsDestroy } from './apps/destroy.js'
import { apps } from './apps/index.js'
import { appsInfo } from './apps/info.js'
import { appsOpen } from './apps/open.js'
import { appsRename } from './apps/rename.js'
import { login } from './auth/login.js'
import { logout } from './auth/logout.js'
import { authToken } from './auth/token.js'
import { authWhoami } from './auth/whoami.js'
import { authorizationsCreate } from './authorizations/create.js'
import { authorizations } from './authorizations/index.js'
import { authorizationsRevoke } from './authorizations/revoke.js'
import { buildpacksAdd } from './buildpacks/add.js'
import { buildpacksClear } from './buildpacks/clear.js'
import { buildpacks } from './buildpacks/index.js'
import { buildpacksRemove } from './buildpacks/remove.js'
import { buildpacksSet } from './buildpacks/set.js'
import { builds } from './builds/index.js'
import { buildsInfo } from './builds/info.js'
import { buildsOutput } from './builds/output.js'
import { certsCa } from './certs/ca.js'
import { certsTrust } from './certs/trust.js'
import { configGet } from './config/get.js'
import { config } from './config/index.js'
import { configSet } from './config/set.js'
import { configUnset } from './config/unset.js'
import { domainsAdd } from './domains/add.js'
import { domains } from './domains/index.js'
import { domainsRemove } from './domains/remove.js'
import { domainsWait } from './domains/wait.js'
import { gitCredentials } from './git/credentials.js'
import { gitRemote } from './git/remote.js'
import { logs } from './logs/index.js'
import { maintenance } from './maintenance/index.js'
import { maintenanceOff } from './maintenance/off.js'
import { maintenanceOn } from './maintenance/on.js'
import { pgCredentialsUrl } from './pg/credentials-url.js'
import { pgInfo } from './pg/info.js'
import { pgPromote } from './pg/promote.js'
import { pgPsql } from './pg/psql.js'
import { ps } from './ps/index.js'
import { psRestart } from './ps/restart.js'
import { psScale } from './ps/scale.js'
import { psStop } from './ps/stop.js'
import { psType } from './ps/type.js'
import { releases } from './releases/index.js'
import { releasesInfo } from './releases/info.js'
import { releasesOutput } from './releases/output.js'
import { releasesRollback } from './releases/rollback.js'
import { runDetached } from './run/detached.js'
import { run } from './run/index.js'
import { status } from './status/index.js'
import { version } from './version.js'

export const commands: readonly Command[] = [
  account,
  addonsAttach,
  addonsCreate,
  addonsDestroy,
  addonsDetach,
  addons,
  addonsInfo,
  addonsPlans,
  addonsServices,
  appsCreate,
  appsDestroy,
  apps,
  appsInfo,
  appsOpen,
  appsRename,
  login,
  logout,
  authToken,
  authWhoami,
  authorizationsCreate,
  authorizations,
  authorizationsRevoke,
  buildpacksAdd,
  buildpacksClear,
  buildpacks,
  buildpacksRemove,
  buildpacksSet,
  builds,
  buildsInfo,
  buildsOutput,
  certsCa,
  certsTrust,
  configGet,
  config,
  configSet,
  configUnset,
  domainsAdd,
  domains,
  domainsRemove,
  domainsWait,
  gitCredentials,
  gitRemote,
  logs,
  maintenance,
  maintenanceOff,
  maintenanceOn,
  pgCredentialsUrl,
  pgInfo,
  pgPromote,
  pgPsql,
  ps,
  psRestart,
  psScale,
  psStop,
  psType,
  releases,
  releasesInfo,
  releasesOutput,
  releasesRollback,
  runDetached,
  run,
  status,
  version,
]
