import { command } from '../command.js'
import { versionLine } from '../help.js'
import { print } from '../output.js'
import { version as number } from '../version.js'

export const version = command({
  name: 'version',
  description: 'show the version of paas',
  examples: ['version'],
  async run() {
    return { version: number, line: versionLine() }
  },
  print({ line }) {
    print(line)
  },
})
