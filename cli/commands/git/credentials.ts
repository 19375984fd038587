/**
 * git's credential helper. It answers `get` for the platform's own origin and says nothing about any other: git asks
 * helpers about every host it meets, and a token must go to none but ours.
 */
import { command } from '../../command.js'
import { printData } from '../../output.js'
import { readStdin } from '../../prompt.js'

export const gitCredentials = command({
  name: 'git:credentials',
  description: "answer git's question for a password",
  details: 'git runs this itself once paas create or paas git:remote has set a remote up.',
  args: { operation: { required: true, description: 'get, store or erase' } },
  examples: ['git:credentials get'],
  async run({ args, credentials }) {
    const asked = readQuestion(await readStdin())
    // git's own bookkeeping must not change what paas login stored.
    if (args.operation !== 'get') return
    const token = credentials.tokenForGit(`${asked.get('protocol')}://${asked.get('host')}`)
    if (token !== undefined) printData(`username=paas\npassword=${token}\n`)
  },
})

function readQuestion(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const split = line.indexOf('=')
      return split < 1 ? [] : [[line.slice(0, split), line.slice(split + 1)] as const]
    }),
  )
}
