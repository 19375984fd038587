import { listBuildpacks, printBuildpackChange, readIndex, replaceBuildpacks } from '../../buildpack-list.js'
import { appFlags, command } from '../../command.js'
import { CliError, UsageError } from '../../errors.js'

export const buildpacksRemove = command({
  name: 'buildpacks:remove',
  description: 'remove a buildpack from an app',
  args: { buildpack: { description: 'name (heroku/python) or URL' } },
  flags: { ...appFlags, index: { short: 'i', value: 'INDEX', description: 'place in the list, from 1' } },
  examples: ['buildpacks:remove heroku/nodejs', 'buildpacks:remove --index 2'],
  async run({ args, flags, app: resolve, api }) {
    const index = readIndex(flags.index)
    if ((index === undefined) === (args.buildpack === undefined))
      throw new UsageError('Name a buildpack, or give its --index')
    const app = await resolve()
    const names = await listBuildpacks(api, app)
    const left = names.filter((name, i) => (index === undefined ? name !== args.buildpack : i !== index - 1))
    if (left.length === names.length) throw new CliError(`${app} has no such buildpack. See paas buildpacks.`)
    return replaceBuildpacks(api, app, left)
  },
  async print(names, { app }) {
    printBuildpackChange('removed', await app(), names)
  },
})
