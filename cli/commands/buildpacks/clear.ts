import { printBuildpackChange, replaceBuildpacks } from '../../buildpack-list.js'
import { appFlags, command } from '../../command.js'

export const buildpacksClear = command({
  name: 'buildpacks:clear',
  description: 'remove all buildpacks from an app: its builds detect what they need',
  flags: appFlags,
  examples: ['buildpacks:clear'],
  async run({ app, api }) {
    return replaceBuildpacks(api, await app(), [])
  },
  async print(names, { app }) {
    printBuildpackChange('list cleared', await app(), names)
  },
})
