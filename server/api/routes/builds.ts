import { setBuildpacks } from '../../actions/apps.js'
import type { App } from '../../model/app.js'
import type { Build } from '../../model/build.js'
import { invalid, notFound } from '../../model/errors.js'
import { findBuild, listBuilds, readBuildOutput } from '../../store/builds.js'
import { type Api, type ApiContext, appOf } from '../context.js'
import { outputUrl } from '../output-url.js'
import { sendPage } from '../pages.js'
import { appParams, listOf, refusals } from '../schemas/common.js'
import {
  buildBody,
  buildpackInstallationBody,
  buildParams,
  buildResultBody,
  setBuildpacksBody,
} from '../schemas/releases.js'
import { toBuild } from '../serialise/releases.js'

const tags = ['builds']

export function declareBuildRoutes(api: Api, context: ApiContext): void {
  const { platform } = context
  const find = async (app: App, reference: string): Promise<Build> => {
    const build = await findBuild(platform.db, app.id, reference)
    if (!build) throw notFound('build')
    return build
  }
  const urlOf = (request: Parameters<typeof outputUrl>[1], build: Build) =>
    outputUrl(context, request, { kind: 'build', appId: build.appId, id: build.id })

  api.get(
    '/apps/:app/builds',
    {
      config: { permission: 'app' },
      schema: { tags, summary: 'Builds, the newest first.', params: appParams, response: listOf(buildBody) },
    },
    async (request, reply) => {
      const builds = await listBuilds(platform.db, appOf(request).id)
      return sendPage(
        request,
        reply,
        builds.map((build) => toBuild(build, urlOf(request, build))),
      )
    },
  )

  api.get(
    '/apps/:app/builds/:build',
    {
      config: { permission: 'app' },
      schema: { tags, summary: 'One build.', params: buildParams, response: { 200: buildBody, ...refusals } },
    },
    async (request) => {
      const build = await find(appOf(request), request.params.build)
      return toBuild(build, urlOf(request, build))
    },
  )

  api.get(
    '/apps/:app/builds/:build/result',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'How a build ended, with its output.',
        params: buildParams,
        response: { 200: buildResultBody, ...refusals },
      },
    },
    async (request) => {
      const build = await find(appOf(request), request.params.build)
      const output = await readBuildOutput(platform.db, build.id)
      const lines = output === '' ? [] : output.replace(/\n$/, '').split('\n')
      return {
        build: { id: build.id, status: build.status, output_stream_url: urlOf(request, build) },
        exit_code: build.status === 'pending' ? null : build.status === 'succeeded' ? 0 : 1,
        lines: lines.map((line) => ({ stream: 'STDOUT' as const, line: `${line}\n` })),
      }
    },
  )

  declareBuildpackRoutes(api, context)
}

function declareBuildpackRoutes(api: Api, { platform }: ApiContext): void {
  api.get(
    '/apps/:app/buildpack-installations',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Buildpacks set for the app; none means detection.',
        params: appParams,
        response: listOf(buildpackInstallationBody),
      },
    },
    async (request, reply) => sendPage(request, reply, installationsOf(appOf(request))),
  )

  api.put(
    '/apps/:app/buildpack-installations',
    {
      config: { permission: 'app' },
      schema: {
        tags,
        summary: 'Set the buildpacks of the next builds, in order.',
        params: appParams,
        body: setBuildpacksBody,
        response: listOf(buildpackInstallationBody),
      },
    },
    async (request) => {
      const wanted = request.body.updates.map(({ buildpack }) => {
        const name = typeof buildpack === 'string' ? buildpack : (buildpack.url ?? buildpack.name)
        if (!name) throw invalid("Each of 'updates' needs a buildpack: a name such as heroku/python or an https URL.")
        return name
      })
      return installationsOf(await setBuildpacks(platform, appOf(request), wanted))
    },
  )
}

function installationsOf(app: App) {
  return app.buildpacks.map((name, ordinal) => ({ ordinal, buildpack: { url: name, name } }))
}
