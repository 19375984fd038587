/**
 * The private network of an app: its dynos and the add-ons attached to it join it, nobody else. It is internal, without
 * a route out and without an address of the machine on it. Its name and subnet follow from the app's network index.
 *
 * Where the kernel can, it is a macvlan network: what goes from a dyno to a database is handed from one to the other, past
 * bridge and packet filter, which took a tenth and more of a database's throughput. Such a network lies on an interface that must be
 * up: the app's *link*, a bridge that only its add-ons join, for the sake of having something plugged in. (A dummy interface
 * would do, but not every kernel has those.) Elsewhere it is a bridge itself.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../config.js'
import type { Engine, Network, NetworkSpec } from '../engine/engine.js'
import { bridgeNameOf } from '../engine/host-firewall.js'
import { supportsMacvlan } from '../engine/macvlan.js'
import { failpoint } from '../lib/failpoint.js'
import type { App } from '../model/app.js'
import { labelNames } from '../model/labels.js'
import { subnetPlan } from '../model/subnets.js'

type NetworkConfig = Pick<Config, 'instance' | 'subnets'>

export interface AppNetworks {
  /** Joined by dynos and add-ons. */
  readonly own: Network
  /** Joined by add-ons; undefined where `own` is a bridge. */
  readonly link: Network | undefined
}

export function appNetworkName(config: Pick<Config, 'instance'>, networkIndex: number): string {
  return `${config.instance}-app-${networkIndex}`
}

export function appLinkName(config: Pick<Config, 'instance'>, networkIndex: number): string {
  return `${appNetworkName(config, networkIndex)}-link`
}

/**
 * Makes what is missing; what is there already stays of its kind. Safe to call from several loops at once. Throws while
 * something is joined to what another app has left. `canMacvlan` is told the link's bridge.
 */
export async function ensureAppNetworks(
  engine: Engine,
  config: NetworkConfig,
  app: Pick<App, 'id' | 'networkIndex'>,
  canMacvlan = (bridge: string) => supportsMacvlan(config.instance, bridge),
): Promise<AppNetworks> {
  const index = app.networkIndex
  if (index === undefined) throw new Error(`app ${app.id} has no network index`)
  const plan = subnetPlan(config.subnets)
  const labels = { [labelNames.instance]: config.instance, [labelNames.kind]: 'network', [labelNames.app]: app.id }
  const bridge = bridgeNameOf(config.instance, `a${index}`)
  const link: NetworkSpec = {
    name: appLinkName(config, index),
    labels,
    subnet: plan.linkNetwork(index),
    internal: true,
    interContainer: false,
    bridgeName: bridge,
  }
  const own = { name: appNetworkName(config, index), labels, subnet: plan.appNetwork(index), internal: true }
  const ensure = (spec: NetworkSpec) => ensureNetworkOf(engine, app.id, spec)
  const found = await engine.findNetwork(own.name)
  const ours = found && isOf(found, app.id, own) ? found : undefined
  if (ours && ours.parent === undefined) return { own: ours, link: undefined }
  const linked = await ensure(link)
  failpoint('add-on.link-made')
  if (ours || (await canMacvlan(bridge)))
    return { own: ours ?? (await ensure({ ...own, parent: bridge })), link: linked }
  await engine.removeNetwork(linked.id)
  return { own: await ensure({ ...own, interContainer: true, bridgeName: bridge }), link: undefined }
}

/** Both, if they are there and nothing is joined to them. */
export async function removeAppNetworks(engine: Engine, config: NetworkConfig, networkIndex: number): Promise<void> {
  await engine.removeNetwork(appNetworkName(config, networkIndex))
  await engine.removeNetwork(appLinkName(config, networkIndex))
}

function isOf(network: Network, appId: string, spec: Pick<NetworkSpec, 'subnet'>): boolean {
  return network.labels[labelNames.app] === appId && network.subnet === spec.subnet
}

/** An index is given out again when its app is gone: a network that still carries the other app's label is replaced. */
async function ensureNetworkOf(engine: Engine, appId: string, spec: NetworkSpec): Promise<Network> {
  const found = await engine.findNetwork(spec.name)
  if (found && isOf(found, appId, spec)) return found
  // By id, so that of two callers the second doesn't remove what the first has just made.
  if (found) await engine.removeNetwork(found.id)
  try {
    const made = await engine.ensureNetwork(spec)
    if (isOf(made, appId, spec)) return made
  } catch (error) {
    const made = await madeMeanwhile(engine, spec.name)
    if (made && isOf(made, appId, spec)) return made
    throw error
  }
  throw new Error(`network ${spec.name} is still that of another app`)
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
