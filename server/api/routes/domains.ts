import { addDomain, domainOf, removeDomain } from '../../actions/domains.js'
import type { App } from '../../model/app.js'
import { invalid } from '../../model/errors.js'
import { listDomains } from '../../store/domains.js'
import { type Api, type ApiContext, appOf } from '../context.js'
import { sendPage } from '../pages.js'
import { appParams, listOf, refusals } from '../schemas/common.js'
import { addDomainBody, domainBody, domainParams } from '../schemas/platform.js'
import { ownDomain, toDomain } from '../serialise/apps.js'

const tags = ['domains']

export function declareDomainRoutes(api: Api, context: ApiContext): void {
  const { platform } = context
  const { config } = platform

  api.get(
    '/apps/:app/domains',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Host names the app answers to, its own first.',
        params: appParams,
        response: listOf(domainBody),
      },
    },
    async (request, reply) => {
      const app = appOf(request)
      const custom = await listDomains(platform.db, app.id)
      return sendPage(request, reply, [
        ownDomain(app, config),
        ...custom.map((domain) => toDomain(domain, app, config)),
      ])
    },
  )

  api.post(
    '/apps/:app/domains',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Add a host name.',
        params: appParams,
        body: addDomainBody,
        response: { 201: domainBody, ...refusals },
      },
    },
    async (request, reply) => {
      if (request.body.sni_endpoint) throw invalid("There are no SNI endpoints here; leave 'sni_endpoint' out.")
      const app = appOf(request)
      const domain = await addDomain(platform, app, request.body.hostname)
      reply.code(201)
      return toDomain(domain, app, config)
    },
  )

  declareOneDomain(api, context)
}

function declareOneDomain(api: Api, { platform }: ApiContext): void {
  const { config } = platform
  const isOwn = (app: App, reference: string) => {
    const own = ownDomain(app, config)
    return reference === own.id || reference.toLowerCase() === own.hostname
  }

  api.get(
    '/apps/:app/domains/:domain',
    {
      config: { permission: 'app' },
      schema: { tags, summary: 'One host name.', params: domainParams, response: { 200: domainBody, ...refusals } },
    },
    async (request) => {
      const app = appOf(request)
      const { domain } = request.params
      return isOwn(app, domain) ? ownDomain(app, config) : toDomain(await domainOf(platform, app, domain), app, config)
    },
  )

  api.delete(
    '/apps/:app/domains/:domain',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Remove a host name.',
        params: domainParams,
        response: { 200: domainBody, ...refusals },
      },
    },
    async (request) => {
      const app = appOf(request)
      const { domain } = request.params
      if (isOwn(app, domain))
        throw invalid(`${ownDomain(app, config).hostname} comes with the app; rename the app instead.`)
      return toDomain(await removeDomain(platform, app, domain), app, config)
    },
  )
}
