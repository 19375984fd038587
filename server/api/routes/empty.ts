/** Things of Heroku's that this platform has none of. Their lists are there and empty, because clients ask for them. */
import Type from 'typebox'
import { notFound } from '../../model/errors.js'
import type { Api } from '../context.js'
import { appParams, appParamsWith, listOf, refusals, strict } from '../schemas/common.js'
import { nothing } from '../schemas/platform.js'

const tags = ['not here']

export function declareEmptyRoutes(api: Api): void {
  for (const [url, summary, absent] of [
    ['/teams', 'Teams: none.', 'Teams are not supported here: each app has one owner.'],
    ['/account/features', 'Account features: none.', 'Account features are not supported here.'],
    [
      '/account/keys',
      'SSH keys: none; git talks http.',
      'SSH keys are not supported here: git pushes over http with a token as its password.',
    ],
    ['/pipelines', 'Pipelines: none.', 'Pipelines are not supported here: push the same commit to another app.'],
    ['/spaces', 'Spaces: none.', 'Spaces are not supported here: all apps are on this machine.'],
  ] as const)
    api.get(
      url,
      { config: { permission: 'account', absent }, schema: { tags, summary, response: listOf(nothing) } },
      async () => [],
    )

  for (const [url, summary, absent] of [
    ['/apps/:app/features', 'App features: none.', 'App features are not supported here.'],
    [
      '/apps/:app/sni-endpoints',
      'SNI endpoints: none; certificates are made by themselves.',
      'Certificates cannot be added here: each domain gets one by itself.',
    ],
    [
      '/apps/:app/log-drains',
      'Log drains: none.',
      'Log drains are not supported here: follow the log with paas logs --tail.',
    ],
    ['/apps/:app/webhooks', 'Webhooks: none.', 'Webhooks are not supported here.'],
  ] as const)
    api.get(
      url,
      {
        config: { permission: 'app', absent },
        schema: { tags, summary, params: appParams, response: listOf(nothing) },
      },
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
