import { addOnFor } from '../../actions/access.js'
import { type AddOnWish, createAddOn, destroyAddOn } from '../../actions/add-ons.js'
import { invalid, notFound } from '../../model/errors.js'
import { type Api, type ApiContext, appOf, principalOf } from '../context.js'
import { sendPage } from '../pages.js'
import {
  addOnBody,
  addOnParams,
  appAddOnParams,
  createAddOnBody,
  destroyAddOnBody,
  type ReferenceOrObject,
  resolveAddOnBody,
} from '../schemas/add-ons.js'
import { appParams, listOf, refusals } from '../schemas/common.js'
import { configVarOf, toAddOn } from '../serialise/add-ons.js'
import { planNameOf, serviceOf } from '../serialise/catalogue.js'
import { addOnOfApp, addOnsOfApp, visibleAddOns } from '../visible-add-ons.js'

const tags = ['add-ons']

export function declareAddOnRoutes(api: Api, context: ApiContext): void {
  const { platform } = context

  api.get(
    '/addons',
    {
      config: { permission: 'account' },
      schema: { tags, summary: 'Add-ons of all apps.', response: listOf(addOnBody) },
    },
    async (request, reply) => {
      const { addOns, attachments } = await visibleAddOns(context, principalOf(request))
      return sendPage(
        request,
        reply,
        addOns.map((addOn) => toAddOn(addOn, attachments)),
      )
    },
  )

  api.get(
    '/addons/:addon',
    {
      config: { permission: 'account' },
      schema: { tags, summary: 'One add-on.', params: addOnParams, response: { 200: addOnBody, ...refusals } },
    },
    async (request) => {
      const addOn = await addOnFor(platform, principalOf(request).account, request.params.addon)
      const { attachments } = await visibleAddOns(context, principalOf(request))
      return toAddOn(addOn, attachments)
    },
  )

  api.get(
    '/apps/:app/addons',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Add-ons made for the app or attached to it.',
        params: appParams,
        response: listOf(addOnBody),
      },
    },
    async (request, reply) => {
      const { addOns, attachments } = await addOnsOfApp(context, appOf(request))
      return sendPage(
        request,
        reply,
        addOns.map((addOn) => toAddOn(addOn, attachments, appOf(request).id)),
      )
    },
  )

  api.get(
    '/apps/:app/addons/:addon',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'One add-on of the app.',
        params: appAddOnParams,
        response: { 200: addOnBody, ...refusals },
      },
    },
    async (request) => {
      const app = appOf(request)
      const addOn = await addOnOfApp(context, principalOf(request), app, request.params.addon)
      return toAddOn(addOn, (await addOnsOfApp(context, app)).attachments, app.id)
    },
  )

  declareChanges(api, context)
  declareResolve(api, context)
}

function declareChanges(api: Api, context: ApiContext): void {
  const { platform } = context

  api.post(
    '/apps/:app/addons',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Create an add-on and attach it; it is provisioned in the background.',
        params: appParams,
        body: createAddOnBody,
        response: { 201: addOnBody, ...refusals },
      },
    },
    async (request, reply) => {
      const app = appOf(request)
      const { attachment, config, confirm, name, plan } = request.body
      refuseOptions(config ?? {})
      const wish: AddOnWish = {
        plan: planNameOf(referenceOf(plan, 'plan')),
        ...(name ? { name } : {}),
        attachment: {
          ...(attachment?.name ? { name: attachment.name } : {}),
          ...(confirm ? { confirm } : {}),
        },
      }
      const addOn = await createAddOn(platform, principalOf(request).account, app, wish)
      reply.code(201)
      return toAddOn(addOn, (await addOnsOfApp(context, app)).attachments)
    },
  )

  api.delete(
    '/apps/:app/addons/:addon',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Destroy an add-on. Its data is kept for a while, and nobody reaches it.',
        params: appAddOnParams,
        body: destroyAddOnBody,
        response: { 200: addOnBody, ...refusals },
      },
    },
    async (request) => {
      const principal = principalOf(request)
      const addOn = await addOnOfApp(context, principal, appOf(request), request.params.addon)
      const confirm = request.body?.force === true ? addOn.appName : (request.body?.confirm ?? undefined)
      const { attachments } = await addOnsOfApp(context, appOf(request))
      await destroyAddOn(platform, principal.account, addOn, confirm)
      return { ...toAddOn(addOn, attachments), state: 'deprovisioned' as const }
    },
  )
}

/** What a person may call an add-on, turned into the add-ons it can mean. */
function declareResolve(api: Api, context: ApiContext): void {
  api.post(
    '/actions/addons/resolve',
    {
      config: { permission: 'account' },
      schema: {
        tags,
        summary: 'Find add-ons by id, name, or (with an app) attachment name, config var or service.',
        body: resolveAddOnBody,
        response: listOf(addOnBody),
      },
    },
    async (request) => {
      const { addon, app: appReference, addon_service } = request.body
      const { addOns, attachments } = await visibleAddOns(context, principalOf(request))
      const wantedService = addon_service ? (serviceOf(addon_service.split(':')[0] ?? '')?.name ?? '') : undefined
      const ofApp = (a: { readonly appId: string; readonly appName: string }) =>
        !appReference || a.appId === appReference || a.appName === appReference
      const byName = addOns.filter((a) => a.id === addon || a.name === addon)
      const wanted = addon.toUpperCase()
      const attachedIds = new Set(attachments.filter(ofApp).map((a) => a.addOnId))
      const named = attachments.filter(
        (a) => appReference && ofApp(a) && (a.name === wanted || configVarOf(a) === wanted),
      )
      const byAttachment = addOns.filter((a) => named.some((n) => n.addOnId === a.id))
      const byService = addOns.filter(
        (a) => appReference && a.service === serviceOf(addon)?.name && (ofApp(a) || attachedIds.has(a.id)),
      )
      const found = [byName, byAttachment, byService]
        .map((list) => list.filter((a) => wantedService === undefined || a.service === wantedService))
        .find((list) => list.length > 0)
      if (!found) throw notFound('add_on', 'add-on')
      return found.map((addOn) => toAddOn(addOn, attachments))
    },
  )
}

/** The name or id that a client gave in either form. */
export function referenceOf(value: ReferenceOrObject, field: string): string {
  const reference = typeof value === 'string' ? value : (value.name ?? value.id)
  if (!reference) throw invalid(`The field '${field}' needs a name or an id.`)
  return reference
}

/** `--fork`, `--follow` and their like would quietly give an empty database. */
function refuseOptions(config: Readonly<Record<string, unknown>>): void {
  for (const [option, value] of Object.entries(config)) {
    if (value === null || value === undefined || value === '') continue
    if (option !== 'version')
      throw invalid(`The add-on option '${option.slice(0, 60)}' does not exist here; leave it out.`)
    if (String(value) !== '17') throw invalid('PostgreSQL 17 is the version here; leave --version out.')
  }
}
