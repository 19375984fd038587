import { listBuildpacks, printBuildpackChange, readIndex, replaceBuildpacks } from '../../buildpack-list.js'
import { appFlags, command } from '../../command.js'
import { CliError } from '../../errors.js'

export const buildpacksSet = command({
  name: 'buildpacks:set',
  description: "set an app's buildpack",
  args: { buildpack: { required: true, description: 'name (heroku/python) or URL' } },
  flags: { ...appFlags, index: { short: 'i', value: 'INDEX', description: 'place in the list, from 1' } },
  examples: ['buildpacks:set heroku/python', 'buildpacks:set --index 2 heroku/nodejs'],
  async run({ args, flags, app: resolve, api }) {
    const app = await resolve()
    const index = readIndex(flags.index) ?? 1
    const names = await listBuildpacks(api, app)
    if (names.some((name, i) => name === args.buildpack && i !== index - 1))
      throw new CliError(`The buildpack ${args.buildpack} is already set on your app.`)
    names.splice(index - 1, 1, args.buildpack)
    return replaceBuildpacks(api, app, names)
  },
  async print(names, { app }) {
    printBuildpackChange('set', await app(), names)
  },
})
