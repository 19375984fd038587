import { type FormationUpdate, type FormationView, formationOf, scaleFormation } from '../../actions/formation.js'
import { notFound } from '../../model/errors.js'
import { type Api, type ApiContext, appOf, principalOf } from '../context.js'
import { sendPage } from '../pages.js'
import { appParams, listOf, refusals } from '../schemas/common.js'
import {
  changeFormationBody,
  changeFormationsBody,
  type FormationChange,
  formationBody,
  typeParams,
} from '../schemas/dynos.js'
import { toFormation } from '../serialise/dynos.js'

const tags = ['formation']

export function declareFormationRoutes(api: Api, context: ApiContext): void {
  const { platform } = context

  api.get(
    '/apps/:app/formation',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Process types, how many of each and how large.',
        params: appParams,
        response: listOf(formationBody),
      },
    },
    async (request, reply) => {
      const app = appOf(request)
      return sendPage(
        request,
        reply,
        (await formationOf(platform, app)).map((entry) => toFormation(entry, app)),
      )
    },
  )

  api.patch(
    '/apps/:app/formation',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Scale several process types at once.',
        params: appParams,
        body: changeFormationsBody,
        response: listOf(formationBody),
      },
    },
    async (request) => {
      const app = appOf(request)
      const updates = request.body.updates.map((update) => updateOf(update.type, update))
      const { account } = principalOf(request)
      return (await scaleFormation(platform, account, app, updates)).map((entry) => toFormation(entry, app))
    },
  )

  declareOneType(api, context)
}

function declareOneType(api: Api, { platform }: ApiContext): void {
  api.get(
    '/apps/:app/formation/:type',
    {
      config: { permission: 'app' },
      schema: { tags, summary: 'One process type.', params: typeParams, response: { 200: formationBody, ...refusals } },
    },
    async (request) => {
      const app = appOf(request)
      return toFormation(entryOf(await formationOf(platform, app), request.params.type), app)
    },
  )

  api.patch(
    '/apps/:app/formation/:type',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Scale one process type.',
        params: typeParams,
        body: changeFormationBody,
        response: { 200: formationBody, ...refusals },
      },
    },
    async (request) => {
      const app = appOf(request)
      const { type } = request.params
      const { account } = principalOf(request)
      const entries = await scaleFormation(platform, account, app, [updateOf(type, request.body)])
      return toFormation(entryOf(entries, type), app)
    },
  )
}

function entryOf(formation: readonly FormationView[], type: string): FormationView {
  const entry = formation.find((e) => e.type === type)
  if (!entry) throw notFound('formation', 'process type')
  return entry
}

function updateOf(type: string, change: FormationChange): FormationUpdate {
  const size = change.size ?? (typeof change.dyno_size === 'string' ? change.dyno_size : change.dyno_size?.name)
  return {
    type,
    ...(change.quantity === undefined ? {} : { quantity: change.quantity }),
    ...(size === undefined ? {} : { size }),
  }
}
