/** Things of Heroku's that this platform has none of. Their lists are there and empty, because clients ask for them. */
import Type from 'typebox'
import { notFound } from '../../model/errors.js'
import type { Api } from '../context.js'
import { appParams, appParamsWith, listOf, refusals, strict } from '../schemas/common.js'
import { nothing } from '../schemas/platform.js'

const tags = ['not here']

export function declareEmptyRoutes(api: Api): void {
  for (const [url, summary] of [
    ['/teams', 'Teams: none.'],
    ['/account/features', 'Account features: none.'],
    ['/account/keys', 'SSH keys: none; git talks http.'],
    ['/pipelines', 'Pipelines: none.'],
    ['/spaces', 'Spaces: none.'],
  ] as const)
    api.get(
      url,
      { config: { permission: 'account' }, schema: { tags, summary, response: listOf(nothing) } },
      async () => [],
    )

  for (const [url, summary] of [
    ['/apps/:app/features', 'App features: none.'],
    ['/apps/:app/sni-endpoints', 'SNI endpoints: none; certificates are made by themselves.'],
    ['/apps/:app/log-drains', 'Log drains: none.'],
    ['/apps/:app/webhooks', 'Webhooks: none.'],
  ] as const)
    api.get(
      url,
      { config: { permission: 'app' }, schema: { tags, summary, params: appParams, response: listOf(nothing) } },
      async () => [],
    )

  api.get(
    '/apps/:app/pipeline-couplings',
    {
      config: { permission: 'app' },
      schema: { tags, summary: "The app's pipeline: none.", params: appParams, response: refusals },
    },
    async () => {
      throw notFound('pipeline_coupling')
    },
  )
  api.get(
    '/account/features/:feature',
    {
      config: { permission: 'account' },
      schema: {
        tags,
        summary: 'An account feature: none.',
        params: strict({ feature: Type.String() }),
        response: refusals,
      },
    },
    async () => {
      throw notFound('feature')
    },
  )
  api.get(
    '/apps/:app/features/:feature',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'An app feature: none.',
        params: appParamsWith({ feature: Type.String() }),
        response: refusals,
      },
    },
    async () => {
      throw notFound('feature')
    },
  )
}
