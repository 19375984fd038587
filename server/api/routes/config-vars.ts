import { currentConfigVars, setConfigVars } from '../../actions/releases.js'
import { type Api, type ApiContext, appOf, principalOf } from '../context.js'
import { appParams, refusals } from '../schemas/common.js'
import { configVarsBody, configVarsChangeBody } from '../schemas/releases.js'

const tags = ['config vars']

export function declareConfigVarRoutes(api: Api, { platform }: ApiContext): void {
  api.get(
    '/apps/:app/config-vars',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: "The app's config vars.",
        params: appParams,
        response: { 200: configVarsBody, ...refusals },
      },
    },
    async (request) => ({ ...(await currentConfigVars(platform.db, appOf(request).id)) }),
  )

  api.patch(
    '/apps/:app/config-vars',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Set config vars, and unset those given as null; makes one release.',
        params: appParams,
        body: configVarsChangeBody,
        response: { 200: configVarsBody, ...refusals },
      },
    },
    async (request) => ({
      ...(await setConfigVars(platform, principalOf(request).account, appOf(request), request.body)),
    }),
  )
}
