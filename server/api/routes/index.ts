/** Every route of the API, one file a noun. */
import type { Api, ApiContext } from '../context.js'
import { declareAccountRoutes } from './accounts.js'
import { declareAddOnRoutes } from './add-ons.js'
import { declareAppRoutes } from './apps.js'
import { declareAttachRoute } from './attach.js'
import { declareAttachmentRoutes } from './attachments.js'
import { declareAuthorizationRoutes } from './authorizations.js'
import { declareBuildRoutes } from './builds.js'
import { declareCatalogueRoutes } from './catalogue.js'
import { declareConfigVarRoutes } from './config-vars.js'
import { declareDatabaseRoutes } from './databases.js'
import { declareDomainRoutes } from './domains.js'
import { declareDynoRoutes } from './dynos.js'
import { declareEmptyRoutes } from './empty.js'
import { declareFormationRoutes } from './formation.js'
import { declareLogRoutes } from './log-sessions.js'
import { declarePublicRoutes } from './public.js'
import { declareReleaseRoutes } from './releases.js'

export function declareRoutes(api: Api, context: ApiContext): void {
  declarePublicRoutes(api, context)
  declareAccountRoutes(api)
  declareAuthorizationRoutes(api, context)
  declareAppRoutes(api, context)
  declareConfigVarRoutes(api, context)
  declareReleaseRoutes(api, context)
  declareFormationRoutes(api, context)
  declareDynoRoutes(api, context)
  declareAttachRoute(api, context)
  declareLogRoutes(api, context)
  declareAddOnRoutes(api, context)
  declareAttachmentRoutes(api, context)
  declareDatabaseRoutes(api, context)
  declareDomainRoutes(api, context)
  declareBuildRoutes(api, context)
  declareCatalogueRoutes(api)
  declareEmptyRoutes(api)
}
