import type { FastifyRequest } from 'fastify'
import { restartDynos } from '../../actions/formation.js'
import { createOneOff, oneOffName, stopDyno } from '../../actions/one-offs.js'
import type { App } from '../../model/app.js'
import type { OneOff } from '../../model/dyno.js'
import { invalid, notFound } from '../../model/errors.js'
import { listDynos, listLiveOneOffs } from '../../store/dynos.js'
import { getRelease } from '../../store/releases.js'
import { originOf, rendezvousHostOf } from '../addresses.js'
import { type Api, type ApiContext, appOf, principalOf } from '../context.js'
import { readWholeNumbers } from '../lenient.js'
import { sendPage } from '../pages.js'
import { appParams, listOf, refusals, strict } from '../schemas/common.js'
import { createDynoBody, createDynoHeaders, type DynoBody, dynoBody, dynoParams, typeParams } from '../schemas/dynos.js'
import { oneOffAsDyno, toDyno } from '../serialise/dynos.js'

const tags = ['dynos']
const accepted = strict({}, 'It will be done.')

export function declareDynoRoutes(api: Api, context: ApiContext): void {
  const { platform } = context

  api.get(
    '/apps/:app/dynos',
    {
      config: { permission: 'app' },
      schema: { tags, summary: 'Dynos, one-off dynos too.', params: appParams, response: listOf(dynoBody) },
    },
    async (request, reply) => sendPage(request, reply, await dynosOf(context, appOf(request))),
  )

  api.get(
    '/apps/:app/dynos/:dyno',
    {
      config: { permission: 'app' },
      schema: { tags, summary: 'One dyno.', params: dynoParams, response: { 200: dynoBody, ...refusals } },
    },
    async (request) => {
      const { dyno } = request.params
      const found = (await dynosOf(context, appOf(request))).find((d) => d.id === dyno || d.name === dyno)
      if (!found) throw notFound('dyno')
      return found
    },
  )

  declareCreateDyno(api, context)

  api.delete(
    '/apps/:app/dynos',
    {
      config: { permission: 'app' },
      schema: { tags, summary: 'Restart all dynos.', params: appParams, response: { 202: accepted, ...refusals } },
    },
    async (request, reply) => {
      await restartDynos(platform, appOf(request), '')
      reply.code(202)
      return {}
    },
  )

  api.delete(
    '/apps/:app/dynos/:dyno',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Restart one dyno; a one-off dyno ends.',
        params: dynoParams,
        response: { 202: accepted, ...refusals },
      },
    },
    async (request, reply) => {
      const app = appOf(request)
      const { dyno } = request.params
      const oneOff = (await listLiveOneOffs(platform.db, app.id)).find((o) => o.id === dyno || oneOffName(o) === dyno)
      if (oneOff) await stopDyno(platform, app, oneOffName(oneOff))
      else {
        const known = (await listDynos(platform.db, app.id)).find((d) => d.id === dyno)
        await restartDynos(platform, app, known?.name ?? dyno)
      }
      reply.code(202)
      return {}
    },
  )

  declareTypeRoutes(api, context)
}

function declareCreateDyno(api: Api, context: ApiContext): void {
  const { platform } = context
  api.post(
    '/apps/:app/dynos',
    {
      config: { permission: 'app' },
      preValidation: readWholeNumbers('time_to_live'),
      schema: {
        tags,
        summary: 'Run a command in a one-off dyno.',
        params: appParams,
        headers: createDynoHeaders,
        body: createDynoBody,
        response: { 201: dynoBody, ...refusals },
      },
    },
    async (request, reply) => {
      const app = appOf(request)
      const { command, attach, env, force_no_tty, size, type, time_to_live } = request.body
      const attached = attach === true
      const transport = transportOf(request.headers['paas-attach'])
      if (attached) checkTransport(context, transport)
      const oneOff = await createOneOff(platform, principalOf(request).account, app, {
        command,
        attached,
        tty: attached && force_no_tty !== true,
        env: environmentOf(env ?? {}),
        ...(size ? { size } : {}),
        ...(type ? { type } : {}),
        ...(time_to_live ? { timeToLiveSeconds: time_to_live } : {}),
      })
      const attachUrl = attached ? attachUrlOf(context, request, transport, { app, oneOff }) : null
      reply.code(201)
      return oneOffAsDyno(oneOff, app, (await getRelease(platform.db, oneOff.releaseId)).version, attachUrl)
    },
  )
}

/** Restarting and stopping: what Heroku's CLI asks of types and dynos. */
function declareTypeRoutes(api: Api, { platform }: ApiContext): void {
  api.delete(
    '/apps/:app/formations/:type',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Restart the dynos of one process type.',
        params: typeParams,
        response: { 202: accepted, ...refusals },
      },
    },
    async (request, reply) => {
      await restartDynos(platform, appOf(request), request.params.type)
      reply.code(202)
      return {}
    },
  )

  api.post(
    '/apps/:app/dynos/:dyno/actions/stop',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Stop one dyno: a one-off ends, another is replaced.',
        params: dynoParams,
        response: { 202: accepted, ...refusals },
      },
    },
    async (request, reply) => {
      await stopDyno(platform, appOf(request), request.params.dyno)
      reply.code(202)
      return {}
    },
  )

  api.post(
    '/apps/:app/formations/:type/actions/stop',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Stop the dynos of one process type.',
        params: typeParams,
        response: { 202: accepted, ...refusals },
      },
    },
    async (request, reply) => {
      const app = appOf(request)
      const { type } = request.params
      const oneOffs = (await listLiveOneOffs(platform.db, app.id)).filter((o) => o.type === type).map(oneOffName)
      const dynos = (await listDynos(platform.db, app.id)).filter((d) => d.type === type).map((d) => d.name)
      if (oneOffs.length + dynos.length === 0) throw notFound('dyno')
      for (const name of [...oneOffs, ...dynos]) await stopDyno(platform, app, name)
      reply.code(202)
      return {}
    },
  )
}

async function dynosOf({ platform }: ApiContext, app: App): Promise<DynoBody[]> {
  const [dynos, oneOffs] = await Promise.all([listDynos(platform.db, app.id), listLiveOneOffs(platform.db, app.id)])
  const releaseIds = [...new Set(oneOffs.map((o) => o.releaseId))]
  const releases = await Promise.all(releaseIds.map((releaseId) => getRelease(platform.db, releaseId)))
  const versions = new Map(releases.map((r) => [r.id, r.version]))
  const listed = new Set(dynos.map((d) => d.name))
  return [
    ...dynos.map((dyno) => toDyno(dyno, app)),
    ...oneOffs
      .filter((o) => !listed.has(oneOffName(o)))
      .map((o) => oneOffAsDyno(o, app, versions.get(o.releaseId) ?? 0)),
  ]
}

type Transport = 'websocket' | 'rendezvous'

/** Heroku's clients name none and know one only. */
function transportOf(header: string | undefined): Transport {
  return header === 'websocket' ? 'websocket' : 'rendezvous'
}

/** Before there is a dyno that nobody could attach to. */
function checkTransport({ rendezvous }: ApiContext, transport: Transport): void {
  if (transport === 'rendezvous' && rendezvous.port === undefined)
    throw invalid(
      'Dynos of this platform can be attached to by paas run only: its PAAS_RENDEZVOUS_PORT is 0, or taken by another program.',
    )
}

/** At the host that was asked; whoever holds the URL has the dyno's terminal. */
function attachUrlOf(
  context: ApiContext,
  request: FastifyRequest,
  transport: Transport,
  ticket: { readonly app: App; readonly oneOff: OneOff },
): string {
  const { scheme, host } = originOf(request, context.platform.config)
  const secret = context.attachTickets.issue(ticket)
  return transport === 'rendezvous'
    ? `rendezvous://${rendezvousHostOf(host)}:${context.rendezvous.port}/${secret}`
    : `${scheme === 'https' ? 'wss' : 'ws'}://${host}/attach/${secret}`
}

function environmentOf(given: Readonly<Record<string, string | number | null>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]])),
  )
}
