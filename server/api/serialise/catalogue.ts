/** What there is to choose from: one region, one stack, the dyno sizes, add-on services and their plans. */
import { type AddOnService, addOnServices, findService, type Plan } from '../../model/add-on.js'
import { type DynoSize, dynoSizes } from '../../model/formation.js'
import type { PlanBody, ServiceBody } from '../schemas/add-ons.js'
import type { DynoSizeBody, RegionBody, StackBody } from '../schemas/platform.js'
import { stableId } from './stable-id.js'

/** Things of the catalogue were always there; clients want a date all the same. */
const epoch = new Date(0).toISOString()

export const regionName = 'local'
export const stackName = 'paas-13'

export function regionRef() {
  return { id: stableId('region', regionName), name: regionName }
}

export function stackRef(name: string = stackName) {
  return { id: stableId('stack', name), name }
}

/** The one region by its name or id, and what scripts for Heroku call the places they have. */
export function isKnownRegion(reference: string): boolean {
  return [regionName, regionRef().id, 'us', 'eu'].includes(reference)
}

export function toRegion(): RegionBody {
  return {
    ...regionRef(),
    country: 'Here',
    created_at: epoch,
    description: 'This machine',
    locale: 'Here',
    private_capable: false,
    provider: { name: 'self-hosted', region: regionName },
    updated_at: epoch,
  }
}

export function toStack(): StackBody {
  return { ...stackRef(), created_at: epoch, default: true, state: 'public', updated_at: epoch }
}

/** Names that mean our one stack: its own, and those that app.json files and scripts for Heroku give. */
export function isKnownStack(name: string): boolean {
  return name === stackName || /^heroku-\d{2}$/.test(name)
}

export function dynoSizeRef(name: string) {
  return { id: stableId('dyno-size', name), name }
}

export function toDynoSize(size: DynoSize): DynoSizeBody {
  return {
    ...dynoSizeRef(size.name),
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    compute: size.cpus,
    cost: null,
    dedicated: false,
    dyno_units: 1,
    generation: { id: stableId('generation', 'cedar'), name: 'cedar' },
    memory: size.memoryBytes / 1024 ** 3,
    precise_dyno_units: 1,
    private_space_only: false,
  }
}

export function allDynoSizes(): DynoSizeBody[] {
  return dynoSizes.map(toDynoSize)
}

/** The machine is paid for already. */
export const freePrice = { cents: 0, contract: false, metered: false, unit: 'month' }

export function serviceRef(name: string) {
  return { id: stableId('add-on-service', name), name }
}

export function toService(service: AddOnService): ServiceBody {
  return {
    ...serviceRef(service.name),
    cli_plugin_name: null,
    created_at: epoch,
    human_name: service.title,
    state: 'ga',
    supports_multiple_installations: true,
    supports_sharing: true,
    updated_at: epoch,
  }
}

/** By id, name or alias. */
export function serviceOf(reference: string): AddOnService | undefined {
  return addOnServices.find((s) => serviceRef(s.name).id === reference) ?? findService(reference)
}

/** `heroku-postgresql:standard-0`. */
export function planRef(serviceName: string, planName: string) {
  const name = `${serviceName}:${planName}`
  return { id: stableId('plan', name), name }
}

export function toPlan(service: AddOnService, plan: Plan): PlanBody {
  return {
    ...planRef(service.name, plan.name),
    addon_service: serviceRef(service.name),
    compliance: null,
    created_at: epoch,
    default: plan.name === service.defaultPlan,
    description: plan.description,
    human_name: plan.name,
    installable_inside_private_network: true,
    installable_outside_private_network: true,
    price: freePrice,
    space_default: false,
    state: 'ga',
    updated_at: epoch,
    visible: true,
  }
}

/** `service:plan` for what may be a plan's id. */
export function planNameOf(reference: string): string {
  for (const service of addOnServices)
    for (const plan of service.plans)
      if (planRef(service.name, plan.name).id === reference) return `${service.name}:${plan.name}`
  return reference
}
