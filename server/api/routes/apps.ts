import { appsOf, changeApp, createApp, destroyApp } from '../../actions/apps.js'
import type { App } from '../../model/app.js'
import { invalid } from '../../model/errors.js'
import { findCurrentRelease, findSlug } from '../../store/releases.js'
import { type Api, type ApiContext, appOf, principalOf } from '../context.js'
import { readTruths } from '../lenient.js'
import { sendPage } from '../pages.js'
import { appBody, changeAppBody, createAppBody, type NameOrReference } from '../schemas/apps.js'
import { appParams, listOf, refusals } from '../schemas/common.js'
import { collaboratorBody } from '../schemas/platform.js'
import { ownerAsCollaborator, toApp } from '../serialise/apps.js'
import { isKnownRegion, isKnownStack, regionName, stackName, stackRef } from '../serialise/catalogue.js'

const tags = ['apps']

export function declareAppRoutes(api: Api, context: ApiContext): void {
  const { platform } = context
  const { config } = platform

  api.get(
    '/apps',
    {
      config: { permission: 'account' },
      schema: { tags, summary: "The account's apps; for an admin everybody's.", response: listOf(appBody) },
    },
    async (request, reply) => {
      const apps = await appsOf(platform, principalOf(request).account, true)
      return sendPage(
        request,
        reply,
        apps.map((app) => toApp(app, config)),
      )
    },
  )

  api.get(
    '/users/~/apps',
    {
      config: { permission: 'account' },
      schema: { tags, summary: "The account's own apps.", response: listOf(appBody) },
    },
    async (request, reply) => {
      const apps = await appsOf(platform, principalOf(request).account, false)
      return sendPage(
        request,
        reply,
        apps.map((app) => toApp(app, config)),
      )
    },
  )

  api.post(
    '/apps',
    {
      config: { permission: 'account' },
      schema: { tags, summary: 'Create an app.', body: createAppBody, response: { 201: appBody, ...refusals } },
    },
    async (request, reply) => {
      const wish = request.body ?? {}
      refuseWhatIsNotHere(wish)
      const name = wish.name ?? undefined
      const app = await createApp(platform, principalOf(request).account, name === undefined ? {} : { name })
      reply.code(201)
      return toApp(app, config)
    },
  )

  declareOneApp(api, context)
  declareCollaboratorRoute(api)
}

function declareOneApp(api: Api, context: ApiContext): void {
  const { platform } = context

  api.get(
    '/apps/:app',
    {
      config: { permission: 'app' },
      schema: { tags, summary: 'One app.', params: appParams, response: { 200: appBody, ...refusals } },
    },
    async (request) => fullApp(context, appOf(request)),
  )

  api.patch(
    '/apps/:app',
    {
      config: { permission: 'app' },
      preValidation: readTruths('maintenance'),
      schema: {
        tags,
        summary: 'Rename an app, or switch its maintenance mode.',
        params: appParams,
        body: changeAppBody,
        response: { 200: appBody, ...refusals },
      },
    },
    async (request) => {
      const { name, maintenance } = request.body
      refuseWhatIsNotHere(request.body)
      const change = { ...(name === undefined ? {} : { name }), ...(maintenance === undefined ? {} : { maintenance }) }
      const app = appOf(request)
      return fullApp(context, Object.keys(change).length === 0 ? app : await changeApp(platform, app, change))
    },
  )

  api.delete(
    '/apps/:app',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Destroy an app with all that was made for it.',
        params: appParams,
        response: { 200: appBody, ...refusals },
      },
    },
    async (request) => {
      const body = await fullApp(context, appOf(request))
      await destroyApp(platform, appOf(request))
      return body
    },
  )
}

function declareCollaboratorRoute(api: Api): void {
  api.get(
    '/apps/:app/collaborators',
    {
      config: {
        permission: 'app',
        absent: "Collaborators are not supported here: an app's owner and the administrators may use it.",
      },
      schema: {
        tags,
        summary: 'Who may use the app: its owner.',
        params: appParams,
        response: listOf(collaboratorBody),
      },
    },
    async (request, reply) => sendPage(request, reply, [ownerAsCollaborator(appOf(request))]),
  )
}

async function fullApp({ platform }: ApiContext, app: App) {
  const current = await findCurrentRelease(platform.db, app.id)
  return toApp(
    app,
    platform.config,
    current?.slugId === undefined ? undefined : await findSlug(platform.db, current.slugId),
  )
}

interface Place {
  readonly region?: NameOrReference
  readonly stack?: NameOrReference
  readonly build_stack?: NameOrReference
  readonly space?: NameOrReference
  readonly team?: NameOrReference
  readonly organization?: NameOrReference
}

/** One region, one stack and no teams: a wish for another is refused rather than forgotten. */
function refuseWhatIsNotHere(wish: Place): void {
  for (const part of ['space', 'team', 'organization'] as const)
    if (named(wish[part]).length > 0) throw invalid(`There are no ${part}s here; leave '${part}' out.`)
  if (named(wish.region).some((region) => !isKnownRegion(region)))
    throw invalid(`There is one region here, '${regionName}'; leave 'region' out.`)
  for (const part of ['stack', 'build_stack'] as const) {
    if (named(wish[part]).includes('container'))
      throw invalid(
        `Apps are not built from a Dockerfile here; leave '${part}' out, and a buildpack builds the source.`,
      )
    if (named(wish[part]).some((s) => !isKnownStack(s) && s !== stackRef().id))
      throw invalid(`There is one stack here, '${stackName}'; leave '${part}' out.`)
  }
}

function named(value: NameOrReference | undefined): string[] {
  if (value === undefined || value === null) return []
  if (typeof value === 'string') return value === '' ? [] : [value]
  return [value.name, value.id].filter((part) => part !== undefined)
}
