import { command } from '../../command.js'
import { action, print, warn } from '../../output.js'
import { fetchCa, keepCa, readCa } from '../../platform-ca.js'
import { trustSystemWide } from '../../system-trust.js'

export const certsTrust = command({
  name: 'certs:trust',
  description: "have this machine trust the platform's own CA, so that https works without warnings",
  details:
    "Whoever holds the CA's key can sign for any host: trust it where you trust the platform.\nA machine that reaches the platform by https alone gets the certificate as a file: print it with paas certs:ca on the\nplatform's own machine. Firefox has a store of its own and needs the file imported by hand.",
  args: { file: { description: 'the certificate; fetched from the platform unless given' } },
  examples: ['certs:trust', 'certs:trust paas-ca.pem'],
  async run({ args, api, config }) {
    const certificate = args.file === undefined ? await fetchCa(api) : readCa(args.file)
    const file = keepCa(config, certificate)
    const outcome = await action(
      'Adding the CA to the system store',
      () => trustSystemWide(file),
      ({ trusted }) => (trusted ? undefined : 'nothing changed'),
    )
    return { file, ...outcome }
  },
  print({ file, trusted, instructions }) {
    if (trusted) return print('https addresses of the platform are trusted by this machine.')
    warn(`paas itself trusts the CA, the system does not yet. The certificate is in ${file}.`)
    print(instructions)
  },
})
