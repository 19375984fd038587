import { command } from '../../command.js'
import { action, print, warn } from '../../output.js'
import { fetchCa, keepCa } from '../../platform-ca.js'
import { trustSystemWide } from '../../system-trust.js'

export const certsTrust = command({
  name: 'certs:trust',
  description: "have this machine trust the platform's own CA, so that https works without warnings",
  details:
    'The CA signs for the hosts of this platform only as far as whoever holds its key keeps to that: trust it on\nmachines where you trust the platform. Firefox has a store of its own and needs the file imported by hand.',
  examples: ['certs:trust', 'sudo paas certs:trust'],
  async run({ api, config }) {
    const certificate = await fetchCa(api)
    const file = keepCa(config, certificate)
    const outcome = await action('Adding the CA to the system store', () => trustSystemWide(file))
    return { file, ...outcome }
  },
  print({ file, trusted, instructions }) {
    if (trusted) return print('https addresses of the platform are trusted by this machine.')
    warn(`paas itself trusts the CA, the system does not yet. The certificate is in ${file}.`)
    print(instructions)
  },
})
