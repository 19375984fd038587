/** What there is to choose from. */
import Type from 'typebox'
import { addOnServices, type AddOnService } from '../../model/add-on.js'
import { notFound } from '../../model/errors.js'
import type { Api } from '../context.js'
import { sendPage } from '../pages.js'
import { planBody, serviceBody, serviceParams } from '../schemas/add-ons.js'
import { listOf, refusals, strict } from '../schemas/common.js'
import { dynoSizeBody, regionBody, stackBody } from '../schemas/platform.js'
import { allDynoSizes, serviceOf, toPlan, toRegion, toService, toStack } from '../serialise/catalogue.js'

const permission = 'account'
const nameParams = strict({ name: Type.String({ description: 'Its id or name.' }) })

/** The one of a list with that id or name. */
function pick<Item extends { readonly id: string; readonly name: string }>(
  items: readonly Item[],
  name: string,
  resource: string,
): Item {
  const found = items.find((item) => item.id === name || item.name.toLowerCase() === name.toLowerCase())
  if (!found) throw notFound(resource)
  return found
}

export function declareCatalogueRoutes(api: Api): void {
  api.get(
    '/regions',
    {
      config: { permission },
      schema: { tags: ['platform'], summary: 'The one region.', response: listOf(regionBody) },
    },
    async (request, reply) => sendPage(request, reply, [toRegion()]),
  )
  api.get(
    '/regions/:name',
    {
      config: { permission },
      schema: {
        tags: ['platform'],
        summary: 'A region.',
        params: nameParams,
        response: { 200: regionBody, ...refusals },
      },
    },
    async (request) => pick([toRegion()], request.params.name, 'region'),
  )
  api.get(
    '/stacks',
    { config: { permission }, schema: { tags: ['platform'], summary: 'The one stack.', response: listOf(stackBody) } },
    async (request, reply) => sendPage(request, reply, [toStack()]),
  )
  api.get(
    '/stacks/:name',
    {
      config: { permission },
      schema: {
        tags: ['platform'],
        summary: 'A stack.',
        params: nameParams,
        response: { 200: stackBody, ...refusals },
      },
    },
    async (request) => pick([toStack()], request.params.name, 'stack'),
  )
  api.get(
    '/dyno-sizes',
    { config: { permission }, schema: { tags: ['platform'], summary: 'Dyno sizes.', response: listOf(dynoSizeBody) } },
    async (request, reply) => sendPage(request, reply, allDynoSizes()),
  )
  api.get(
    '/dyno-sizes/:name',
    {
      config: { permission },
      schema: {
        tags: ['platform'],
        summary: 'A dyno size.',
        params: nameParams,
        response: { 200: dynoSizeBody, ...refusals },
      },
    },
    async (request) => pick(allDynoSizes(), request.params.name, 'dyno_size'),
  )
  declareServiceRoutes(api)
}

function declareServiceRoutes(api: Api): void {
  const tags = ['add-ons']
  const find = (reference: string): AddOnService => {
    const service = serviceOf(reference)
    if (!service) throw notFound('add_on_service', 'add-on service')
    return service
  }
  api.get(
    '/addon-services',
    { config: { permission }, schema: { tags, summary: 'Add-on services.', response: listOf(serviceBody) } },
    async (request, reply) => sendPage(request, reply, addOnServices.map(toService)),
  )
  api.get(
    '/addon-services/:service',
    {
      config: { permission },
      schema: {
        tags,
        summary: 'An add-on service.',
        params: serviceParams,
        response: { 200: serviceBody, ...refusals },
      },
    },
    async (request) => toService(find(request.params.service)),
  )
  api.get(
    '/addon-services/:service/plans',
    {
      config: { permission },
      schema: { tags, summary: 'Its plans.', params: serviceParams, response: listOf(planBody) },
    },
    async (request, reply) => {
      const service = find(request.params.service)
      return sendPage(
        request,
        reply,
        service.plans.map((plan) => toPlan(service, plan)),
      )
    },
  )
}
