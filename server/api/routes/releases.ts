import type { FastifyRequest } from 'fastify'
import { rollbackTo } from '../../actions/releases.js'
import type { App } from '../../model/app.js'
import { notFound } from '../../model/errors.js'
import type { Release } from '../../model/release.js'
import { listAddOns, listAttachments } from '../../store/add-ons.js'
import {
  findCurrentRelease,
  findRelease,
  findSlug,
  isSlugPruned,
  listReleases,
  readConfigVars,
} from '../../store/releases.js'
import { type Api, type ApiContext, appOf, principalOf } from '../context.js'
import { outputUrl } from '../output-url.js'
import { announceNext, rangeHeader } from '../pages.js'
import { nextRange, parseRange, type Range } from '../range.js'
import { appParams, listOf, refusals } from '../schemas/common.js'
import { configVarsBody, releaseBody, releaseParams, rollbackBody, slugBody, slugParams } from '../schemas/releases.js'
import { toRelease, toSlug } from '../serialise/releases.js'

const tags = ['releases']
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** PostgreSQL's integer ends here. */
const maxVersion = 2_147_483_647

export function declareReleaseRoutes(api: Api, context: ApiContext): void {
  const { platform } = context

  api.get(
    '/apps/:app/releases',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Releases, oldest first unless Range says order=desc.',
        params: appParams,
        response: listOf(releaseBody),
      },
    },
    async (request, reply) => {
      const app = appOf(request)
      const page = await releasePage(context, app, parseRange(rangeHeader(request), 'version'))
      announceNext(reply, page.nextRange)
      return serialise(context, request, page.releases)
    },
  )

  api.post(
    '/apps/:app/releases',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: "Roll back: make an earlier release's slug and config vars the newest release.",
        params: appParams,
        body: rollbackBody,
        response: { 201: releaseBody, ...refusals },
      },
    },
    async (request, reply) => {
      const made = await rollbackTo(
        platform,
        principalOf(request).account,
        appOf(request),
        String(request.body.release),
      )
      reply.code(201)
      return serialiseOne(context, request, made)
    },
  )

  api.get(
    '/apps/:app/releases/:release',
    {
      config: { permission: 'app' },
      schema: { tags, summary: 'One release.', params: releaseParams, response: { 200: releaseBody, ...refusals } },
    },
    async (request) => serialiseOne(context, request, await releaseOf(context, appOf(request), request.params.release)),
  )

  declarePartsOfReleases(api, context)
}

function declarePartsOfReleases(api: Api, context: ApiContext): void {
  const { platform } = context

  api.get(
    '/apps/:app/releases/:release/config-vars',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'The config vars of one release.',
        params: releaseParams,
        response: { 200: configVarsBody, ...refusals },
      },
    },
    async (request) => {
      const release = await releaseOf(context, appOf(request), request.params.release)
      return { ...(await readConfigVars(platform.db, release)) }
    },
  )

  api.get(
    '/apps/:app/slugs/:slug',
    {
      config: { permission: 'app' },
      schema: { tags, summary: 'What a build made.', params: slugParams, response: { 200: slugBody, ...refusals } },
    },
    async (request) => {
      const slug = uuid.test(request.params.slug) ? await findSlug(platform.db, request.params.slug) : undefined
      if (slug?.appId !== appOf(request).id) throw notFound('slug')
      return toSlug(slug)
    },
  )
}

async function releaseOf({ platform }: ApiContext, app: App, reference: string): Promise<Release> {
  const release = await findRelease(platform.db, app.id, reference)
  if (!release) throw notFound('release')
  return release
}

interface ReleasePage {
  readonly releases: readonly Release[]
  readonly nextRange: string | undefined
}

/** Pages of releases come from the database: an old app has thousands. Whatever field a range names, versions order them. */
async function releasePage({ platform }: ApiContext, app: App, range: Range): Promise<ReleasePage> {
  const { descending, max } = range
  const start = range.start && (await versionOf(platform.db, app, range.start.value))
  const end = range.end === undefined ? undefined : await versionOf(platform.db, app, range.end)
  const step = range.start?.inclusive === false ? (descending ? -1 : 1) : 0
  const from = start === undefined ? undefined : start + step
  const found = await listReleases(platform.db, app.id, {
    max: max + 1,
    descending,
    ...(from === undefined ? {} : { from }),
  })
  const within = end === undefined ? found : found.filter((r) => (descending ? r.version >= end : r.version <= end))
  const releases = within.slice(0, max)
  const last = releases.at(-1)
  const hasMore = last !== undefined && within.length > max
  return {
    releases,
    nextRange: hasMore ? nextRange({ ...range, field: 'version' }, String(last.version)) : undefined,
  }
}

/** Of a version number or a release's id; an unknown one is before the first. */
async function versionOf(db: ApiContext['platform']['db'], app: App, value: string): Promise<number> {
  if (/^v?\d{1,15}$/.test(value)) return Math.min(Number(value.replace('v', '')), maxVersion - 1)
  return (await findRelease(db, app.id, value))?.version ?? 0
}

async function serialiseOne(context: ApiContext, request: FastifyRequest, release: Release) {
  const [one] = await serialise(context, request, [release])
  if (!one) throw new Error('a release was lost on its way out')
  return one
}

async function serialise(context: ApiContext, request: FastifyRequest, releases: readonly Release[]) {
  const { db } = context.platform
  const app = appOf(request)
  const [current, planNames, keptSlugs] = await Promise.all([
    findCurrentRelease(db, app.id),
    planNamesOf(context, app),
    keptSlugsOf(context, releases),
  ])
  return releases.map((release) =>
    toRelease(release, app, {
      isCurrent: release.id === current?.id,
      isSlugKept: release.slugId !== undefined && keptSlugs.has(release.slugId),
      planNames,
      outputStreamUrl:
        release.commandState === 'none'
          ? null
          : outputUrl(context, request, { kind: 'release', appId: app.id, id: release.id }),
    }),
  )
}

async function planNamesOf({ platform }: ApiContext, app: App): Promise<string[]> {
  const [addOns, attachments] = await Promise.all([
    listAddOns(platform.db),
    listAttachments(platform.db, { appId: app.id }),
  ])
  const attached = new Set(attachments.map((a) => a.addOnId))
  return addOns.filter((a) => attached.has(a.id)).map((a) => `${a.service}:${a.plan}`)
}

async function keptSlugsOf({ platform }: ApiContext, releases: readonly Release[]): Promise<ReadonlySet<string>> {
  const slugIds = [...new Set(releases.flatMap((r) => (r.slugId === undefined ? [] : [r.slugId])))]
  const pruned = await Promise.all(slugIds.map((slugId) => isSlugPruned(platform.db, slugId)))
  return new Set(slugIds.filter((_, index) => !pruned[index]))
}
