/**
 * The private network of an app: its dynos and the add-ons attached to it join it, nobody else. It is internal, without
 * a route out and without an address of the machine on it. Its name and subnet follow from the app's network index.
 */
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../config.js'
import type { Engine, Network } from '../engine/engine.js'
import type { App } from '../model/app.js'
import { labelNames } from '../model/labels.js'
import { subnetPlan } from '../model/subnets.js'

type NetworkConfig = Pick<Config, 'instance' | 'subnets'>

export function appNetworkName(config: NetworkConfig, networkIndex: number): string {
  return `${config.instance}-app-${networkIndex}`
}

/**
 * Makes the network if it is missing. Safe to call from several loops at once. An index is given out again when its app
 * is gone: a network that still carries the other app's label is replaced, and while something is joined to it, this throws.
 */
export async function ensureAppNetwork(
  engine: Engine,
  config: NetworkConfig,
  app: Pick<App, 'id' | 'networkIndex'>,
): Promise<Network> {
  const index = app.networkIndex
  if (index === undefined) throw new Error(`app ${app.id} has no network index`)
  const name = appNetworkName(config, index)
  const spec = {
    name,
    labels: { [labelNames.instance]: config.instance, [labelNames.kind]: 'network', [labelNames.app]: app.id },
    subnet: subnetPlan(config.subnets).appNetwork(index),
    internal: true,
    interContainer: true,
    bridgeName: bridgeName(config.instance, index),
  }
  const isOurs = (network: Network) => network.labels[labelNames.app] === app.id && network.subnet === spec.subnet
  const found = await engine.findNetwork(name)
  if (found && isOurs(found)) return found
  // By id, so that of two callers the second doesn't remove what the first has just made.
  if (found) await engine.removeNetwork(found.id)
  try {
    const made = await engine.ensureNetwork(spec)
    if (isOurs(made)) return made
  } catch (error) {
    const made = await madeMeanwhile(engine, name)
    if (made && isOurs(made)) return made
    throw error
  }
  throw new Error(`network ${name} is still that of another app`)
}

/** The engine holds the subnet for whoever asked first before it shows the network, and refuses everybody else. */
async function madeMeanwhile(engine: Engine, name: string): Promise<Network | undefined> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const network = await engine.findNetwork(name)
    if (network) return network
    await delay(50)
  }
  return undefined
}

/** At most 15 characters, and different between two platforms on one machine. */
function bridgeName(instance: string, index: number): string {
  return `p${createHash('sha256').update(instance).digest('hex').slice(0, 6)}a${index}`
}
