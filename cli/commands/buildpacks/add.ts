import { listBuildpacks, printBuildpackChange, readIndex, replaceBuildpacks } from '../../buildpack-list.js'
import { appFlags, command } from '../../command.js'
import { CliError } from '../../errors.js'

export const buildpacksAdd = command({
  name: 'buildpacks:add',
  description: 'add a buildpack to an app',
  args: { buildpack: { required: true, description: 'name (heroku/python) or URL' } },
  flags: {
    ...appFlags,
    index: { short: 'i', value: 'INDEX', description: 'place in the list, from 1; the end unless given' },
  },
  examples: ['buildpacks:add heroku/nodejs', 'buildpacks:add --index 1 heroku/nodejs'],
  async run({ args, flags, app: resolve, api }) {
    const app = await resolve()
    const names = await listBuildpacks(api, app)
    if (names.includes(args.buildpack))
      throw new CliError(`The buildpack ${args.buildpack} is already set on your app.`)
    names.splice((readIndex(flags.index) ?? names.length + 1) - 1, 0, args.buildpack)
    return replaceBuildpacks(api, app, names)
  },
  async print(names, { app }) {
    printBuildpackChange('added', await app(), names)
  },
})
