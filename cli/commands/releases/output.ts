import { appFlags, command } from '../../command.js'
import { printOutputStream } from '../../output-stream.js'
import { warn } from '../../output.js'
import { getRelease } from '../../releases.js'

export const releasesOutput = command({
  name: 'releases:output',
  description: "show what a release's release command printed",
  args: { release: { description: 'version, as in v12; the current one unless given' } },
  flags: appFlags,
  examples: ['releases:output', 'releases:output v12'],
  async run({ args, app, api, flags }) {
    const release = await getRelease(api, await app(), args.release)
    if (!release.output_stream_url) warn(`Release v${release.version} has no release output available.`)
    else if (!flags.json) await printOutputStream(api, release.output_stream_url)
    return release
  },
})
