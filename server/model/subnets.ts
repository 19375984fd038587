/**
 * How the platform's private range is cut: the first /16 for dynos, the second for builds, from the third on a /24 for each
 * app that has a private network, and of the last a /27 for the link of each. We name every subnet ourselves because the
 * engine's own pools hold about 30.
 */

export interface SubnetPlan {
  /** CIDR of the bridge all dynos share. */
  readonly dynos: string
  /** CIDR of the bridge all builds share. */
  readonly builds: string
  /** CIDR of the private network with this index, from 0; throws when there is none of that index. */
  appNetwork(index: number): string
  /** CIDR of the link below it. */
  linkNetwork(index: number): string
  /** Private networks there is room for. */
  readonly appNetworkCount: number
}

/** As many /27 as there are in a /16. */
const linkCount = 2048

/** `range` is a CIDR of /8 to /12 such as `10.208.0.0/12`; throws a sentence when it isn't, or has bits below its prefix. */
export function subnetPlan(range: string): SubnetPlan {
  const match = /^(\d{1,3})\.(\d{1,3})\.0\.0\/(8|9|10|11|12)$/.exec(range)
  if (!match) throw new Error(`The private range '${range}' must be a /8 to /12 such as 10.208.0.0/12.`)
  const [first, second, prefix] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const sixteens = 2 ** (16 - prefix)
  if (first > 255 || second > 255 || second % sixteens !== 0)
    throw new Error(
      `The private range '${range}' doesn't begin on its own border; its second number must be below 256 and a multiple of ${sixteens}.`,
    )
  const appNetworkCount = Math.min((sixteens - 3) * 256, linkCount)
  const check = (index: number) => {
    if (!Number.isInteger(index) || index < 0 || index >= appNetworkCount)
      throw new Error(`There is no private network ${index}; the range ${range} has room for ${appNetworkCount}.`)
  }
  return {
    dynos: `${first}.${second}.0.0/16`,
    builds: `${first}.${second + 1}.0.0/16`,
    appNetworkCount,
    appNetwork(index) {
      check(index)
      return `${first}.${second + 2 + Math.floor(index / 256)}.${index % 256}.0/24`
    },
    linkNetwork(index) {
      check(index)
      return `${first}.${second + sixteens - 1}.${Math.floor(index / 8)}.${(index % 8) * 32}/27`
    },
  }
}

/** Private networks that a range has room for; throws like `subnetPlan`. */
export function appNetworkCount(range: string): number {
  return subnetPlan(range).appNetworkCount
}
