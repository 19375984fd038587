import { listBuildpacks } from '../../buildpack-list.js'
import { appFlags, command } from '../../command.js'
import { appLabel, print, printHeader } from '../../output.js'

export const buildpacks = command({
  name: 'buildpacks',
  description: 'list the buildpacks of an app',
  flags: appFlags,
  examples: ['buildpacks'],
  async run({ app, api }) {
    return listBuildpacks(api, await app())
  },
  async print(names, { app }) {
    const label = appLabel(await app())
    if (names.length === 0) return print(`${label} has no buildpacks: a build detects what it needs.`)
    printHeader(`${label} Buildpack${names.length === 1 ? '' : 's'}`)
    names.forEach((name, i) => {
      print(names.length === 1 ? name : `${i + 1}. ${name}`)
    })
  },
})
