import { addOnFor, appFor } from '../../actions/access.js'
import { attachAddOn, detachAddOn } from '../../actions/add-ons.js'
import type { Attachment } from '../../model/add-on.js'
import { notFound } from '../../model/errors.js'
import { findAddOn } from '../../store/add-ons.js'
import { type Api, type ApiContext, appOf, principalOf } from '../context.js'
import { sendPage } from '../pages.js'
import {
  addOnParams,
  appAttachmentParams,
  attachmentBody,
  attachmentParams,
  createAttachmentBody,
  resolveAttachmentBody,
} from '../schemas/add-ons.js'
import { appParams, listOf, refusals } from '../schemas/common.js'
import { configVarOf, toAttachment } from '../serialise/add-ons.js'
import { serviceOf } from '../serialise/catalogue.js'
import { addOnsOfApp, attachmentsWith, visibleAddOns, visibleAttachment } from '../visible-add-ons.js'
import { referenceOf } from './add-ons.js'

const tags = ['add-on attachments']

export function declareAttachmentRoutes(api: Api, context: ApiContext): void {
  const { platform } = context

  api.get(
    '/addon-attachments',
    {
      config: { permission: 'account' },
      schema: { tags, summary: 'Attachments of all apps.', response: listOf(attachmentBody) },
    },
    async (request, reply) => {
      const visible = await visibleAddOns(context, principalOf(request))
      return sendPage(request, reply, attachmentsWith(visible, visible.attachments))
    },
  )

  api.get(
    '/addons/:addon/addon-attachments',
    {
      config: { permission: 'account' },
      schema: { tags, summary: 'Where an add-on is attached.', params: addOnParams, response: listOf(attachmentBody) },
    },
    async (request, reply) => {
      const addOn = await addOnFor(platform, principalOf(request).account, request.params.addon)
      const visible = await visibleAddOns(context, principalOf(request))
      const its = visible.attachments.filter((a) => a.addOnId === addOn.id)
      return sendPage(request, reply, attachmentsWith(visible, its))
    },
  )

  api.get(
    '/apps/:app/addon-attachments',
    {
      config: { permission: 'app' },
      schema: { tags, summary: "The app's attachments.", params: appParams, response: listOf(attachmentBody) },
    },
    async (request, reply) => {
      const visible = await addOnsOfApp(context, appOf(request))
      return sendPage(request, reply, attachmentsWith(visible, visible.attachments))
    },
  )

  declareOneAttachment(api, context)
  declareChanges(api, context)
  declareResolve(api, context)
}

function declareOneAttachment(api: Api, context: ApiContext): void {
  api.get(
    '/apps/:app/addon-attachments/:attachment',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: "One of the app's attachments.",
        params: appAttachmentParams,
        response: { 200: attachmentBody, ...refusals },
      },
    },
    async (request) =>
      withAddOn(
        context,
        await visibleAttachment(context, principalOf(request), request.params.attachment, appOf(request)),
      ),
  )

  api.get(
    '/addon-attachments/:attachment',
    {
      config: { permission: 'account' },
      schema: {
        tags,
        summary: 'One attachment.',
        params: attachmentParams,
        response: { 200: attachmentBody, ...refusals },
      },
    },
    async (request) =>
      withAddOn(context, await visibleAttachment(context, principalOf(request), request.params.attachment)),
  )
}

function declareChanges(api: Api, context: ApiContext): void {
  const { platform } = context

  api.post(
    '/addon-attachments',
    {
      config: { permission: 'account' },
      schema: {
        tags,
        summary: 'Attach an add-on to an app, which gets its config var in a new release.',
        body: createAttachmentBody,
        response: { 201: attachmentBody, ...refusals },
      },
    },
    async (request, reply) => {
      const { account } = principalOf(request)
      const app = await appFor(platform, account, referenceOf(request.body.app, 'app'))
      const addOn = await addOnFor(platform, account, referenceOf(request.body.addon, 'addon'))
      const { name, confirm } = request.body
      const wish = { ...(name ? { name } : {}), ...(confirm ? { confirm } : {}) }
      const attachment = await attachAddOn(platform, account, app, addOn, wish)
      reply.code(201)
      return toAttachment(attachment, addOn)
    },
  )

  api.delete(
    '/addon-attachments/:attachment',
    {
      config: { permission: 'account' },
      schema: {
        tags,
        summary: 'Detach an add-on from an app; the config var goes in a new release.',
        params: attachmentParams,
        response: { 200: attachmentBody, ...refusals },
      },
    },
    async (request) => {
      const attachment = await visibleAttachment(context, principalOf(request), request.params.attachment)
      const body = await withAddOn(context, attachment)
      await detachAddOn(platform, principalOf(request).account, attachment)
      return body
    },
  )
}

function declareResolve(api: Api, context: ApiContext): void {
  api.post(
    '/actions/addon-attachments/resolve',
    {
      config: { permission: 'account' },
      schema: {
        tags,
        summary: 'Find attachments by id, or (with an app) by name, config var, add-on or service.',
        body: resolveAttachmentBody,
        response: listOf(attachmentBody),
      },
    },
    async (request) => {
      const { addon_attachment: reference, app: appReference, addon_service } = request.body
      const visible = await visibleAddOns(context, principalOf(request))
      const app = appReference ? await appFor(context.platform, principalOf(request).account, appReference) : undefined
      const services = new Map(visible.addOns.map((a) => [a.id, a.service]))
      const wantedService = addon_service ? serviceOf(addon_service.split(':')[0] ?? '')?.name : undefined
      const candidates = visible.attachments.filter(
        (a) => (!app || a.appId === app.id) && (!addon_service || services.get(a.addOnId) === wantedService),
      )
      const wanted = reference.toUpperCase()
      const ways: ((a: Attachment) => boolean)[] = [
        (a) => a.id === reference,
        (a) => app !== undefined && (a.name === wanted || configVarOf(a) === wanted),
        (a) => a.addOnId === reference || a.addOnName === reference,
        (a) => app !== undefined && services.get(a.addOnId) === serviceOf(reference)?.name,
      ]
      const found = ways.map((way) => candidates.filter(way)).find((list) => list.length > 0)
      if (!found) throw notFound('add_on attachment', 'attachment')
      return attachmentsWith(visible, found)
    },
  )
}

async function withAddOn({ platform }: ApiContext, attachment: Attachment) {
  const addOn = await findAddOn(platform.db, attachment.addOnId)
  if (!addOn) throw notFound('add_on attachment', 'attachment')
  return toAttachment(attachment, addOn)
}
