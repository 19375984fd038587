import { command } from '../../command.js'
import { printData } from '../../output.js'
import { fetchCa } from '../../platform-ca.js'

export const certsCa = command({
  name: 'certs:ca',
  description: "print the certificate of the platform's own CA",
  examples: ['certs:ca > paas-ca.pem'],
  async run({ api }) {
    return { certificate: await fetchCa(api) }
  },
  print({ certificate }) {
    printData(certificate)
  },
})
