import { buildStatus, getBuild } from '../../builds.js'
import { appFlags, command } from '../../command.js'
import { formatTime } from '../../format.js'
import { printHeader, printProperties } from '../../output.js'

export const buildsInfo = command({
  name: 'builds:info',
  description: 'show one build',
  args: { build: { description: 'id of the build; the newest unless given' } },
  flags: appFlags,
  examples: ['builds:info', 'builds:info 4d2f1a3c-0b7e-4f2d-9d0a-5c2a1b3e4f60'],
  async run({ args, app, api }) {
    return getBuild(api, await app(), args.build)
  },
  print(build) {
    printHeader(`Build ${build.id}`)
    printProperties({
      Buildpacks: build.buildpacks?.length ? build.buildpacks.map((b) => b.name || b.url) : undefined,
      By: build.user?.email,
      Created: formatTime(build.created_at),
      Release: build.release?.id,
      Stack: build.stack,
      Status: buildStatus(build),
      Version: build.source_blob?.version,
    })
  },
})
