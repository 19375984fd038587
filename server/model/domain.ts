/** Host names that apps answer to. */
import { invalid } from './errors.js'

export interface Domain {
  readonly id: string
  readonly appId: string
  readonly hostname: string
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** Characters that no host name has and that end or vanish in `toAscii`, as in a URL. */
const foreign = /[\u0000-\u0020\u007f#%/:<>?@[\\\]^|]/
const label = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/

/**
 * Lower-cased, without trailing dot, in ASCII. Throws `invalid_params` for what is no host name, for an address, and for
 * names under the platform's own domain, which belong to apps by their name.
 */
export function checkHostname(input: string, platformDomain: string, toAscii: (name: string) => string): string {
  const lowered = input.trim().toLowerCase().replace(/\.$/, '')
  const wildcard = lowered.startsWith('*.')
  const bare = wildcard ? lowered.slice(2) : lowered
  const ascii = foreign.test(bare) ? '' : toAscii(bare)
  const labels = ascii.split('.')
  const isAddress = /^[\d.]+$/.test(ascii)
  if (ascii === '' || ascii.length > 253 || labels.length < 2 || isAddress || !labels.every((l) => label.test(l)))
    throw invalid(`'${input.slice(0, 80)}' is not a host name; give one like www.example.com.`)
  if (ascii === platformDomain || ascii.endsWith(`.${platformDomain}`))
    throw invalid(`Names under ${platformDomain} belong to apps by their name; rename the app instead.`)
  if (wildcard) throw invalid('Wildcard domains are not supported; add each host name by itself.')
  return ascii
}
