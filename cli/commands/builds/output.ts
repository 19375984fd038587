import { getBuild } from '../../builds.js'
import { appFlags, command } from '../../command.js'
import { printOutputStream } from '../../output-stream.js'
import { warn } from '../../output.js'

export const buildsOutput = command({
  name: 'builds:output',
  description: 'show what a build printed, until it ends',
  args: { build: { description: 'id of the build; the newest unless given' } },
  flags: appFlags,
  examples: ['builds:output'],
  async run({ args, app, api, flags }) {
    const build = await getBuild(api, await app(), args.build)
    if (!build.output_stream_url) warn(`Build ${build.id} has no output available.`)
    else if (!flags.json) await printOutputStream(api, build.output_stream_url)
    return build
  },
})
