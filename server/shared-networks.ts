/** The two bridges all apps share, one for dynos and one for builds, and what of the machine they may reach. */
import type { Config } from './config.js'
import type { Engine } from './engine/engine.js'
import { bridgeNameOf, type FirewallRules } from './engine/host-firewall.js'
import { labelNames } from './model/labels.js'
import { subnetPlan } from './model/subnets.js'

export interface SharedNetworks {
  readonly dynos: string
  readonly builds: string
}

export async function ensureSharedNetworks(engine: Engine, config: Config): Promise<SharedNetworks> {
  const plan = subnetPlan(config.subnets)
  const make = async (name: string, purpose: string, subnet: string) => {
    const network = await engine.ensureNetwork({
      name: `${config.instance}-${name}`,
      labels: { [labelNames.instance]: config.instance, [labelNames.kind]: 'network' },
      subnet,
      // Containers on it don't reach each other; the router, on the host, reaches all of them.
      interContainer: false,
      bridgeName: bridgeNameOf(config.instance, purpose),
    })
    return network.name
  }
  return { dynos: await make('dynos', 'dyno', plan.dynos), builds: await make('builds', 'bld', plan.builds) }
}

export function firewallRules(config: Config): FirewallRules {
  return {
    owner: config.instance,
    bridges: [bridgeNameOf(config.instance, 'dyno'), bridgeNameOf(config.instance, 'bld')],
    closedRanges: [config.subnets],
    openPorts: config.routerBind === '0.0.0.0' ? [config.httpPort, config.httpsPort] : [],
  }
}
