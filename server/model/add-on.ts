/**
 * An add-on: something an app uses, made and kept by the platform. It is `provisioning` from its creation until its
 * provider has it ready (`provisioned`); destroying sets `deprovisioned`: it leaves every app at once, and its data goes
 * when the retention time is over.
 */
export type AddOnState = 'provisioning' | 'provisioned' | 'deprovisioned'

export interface AddOn {
  readonly id: string
  readonly name: string
  /** The app it was created for and is billed to; others can attach it. */
  readonly appId: string
  readonly appName: string
  readonly service: string
  readonly plan: string
  readonly state: AddOnState
  readonly failure: string | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly destroyedAt: Date | undefined
}

export interface Attachment {
  readonly id: string
  readonly addOnId: string
  readonly addOnName: string
  readonly appId: string
  readonly appName: string
  /** `DATABASE` sets the config var `DATABASE_URL`. */
  readonly name: string
  readonly createdAt: Date
  readonly updatedAt: Date
}

export interface Plan {
  readonly name: string
  readonly description: string
  readonly memoryBytes: number
  readonly cpus: number
  readonly connections: number
}

export interface AddOnService {
  readonly name: string
  readonly title: string
  readonly defaultPlan: string
  readonly attachmentName: string
  readonly plans: readonly Plan[]
}

const mib = 1024 ** 2

/** Named as Heroku's, so that app.json files and the Heroku CLI mean it. */
export const addOnServices: readonly AddOnService[] = [
  {
    name: 'heroku-postgresql',
    title: 'PostgreSQL 17, one dedicated server per database',
    defaultPlan: 'standard-0',
    attachmentName: 'DATABASE',
    plans: [
      { name: 'essential-0', description: '512 MB, 1 CPU', memoryBytes: 512 * mib, cpus: 1, connections: 40 },
      { name: 'standard-0', description: '1 GB, 2 CPUs', memoryBytes: 1024 * mib, cpus: 2, connections: 120 },
      { name: 'standard-2', description: '4 GB, 2 CPUs', memoryBytes: 4096 * mib, cpus: 2, connections: 400 },
      { name: 'premium-0', description: '8 GB, 4 CPUs', memoryBytes: 8192 * mib, cpus: 4, connections: 400 },
    ],
  },
]

/** Names other tools' files use for the same thing. */
const aliases: Readonly<Record<string, string>> = {
  postgres: 'heroku-postgresql',
  postgresql: 'heroku-postgresql',
  'dokku-postgres': 'heroku-postgresql',
}

export function findService(name: string): AddOnService | undefined {
  return addOnServices.find((s) => s.name === (aliases[name] ?? name))
}

/** `heroku-postgresql`, `postgresql:standard-0` …; undefined when there is no such service or plan. Old plan names mean the default. */
export function findPlan(text: string): { readonly service: AddOnService; readonly plan: Plan } | undefined {
  const [serviceName = '', planName] = text.split(':')
  const service = findService(serviceName)
  if (!service) return undefined
  const old = planName === undefined || /^(mini|basic|hobby-(dev|basic))$/.test(planName)
  const plan = service.plans.find((p) => p.name === (old ? service.defaultPlan : planName))
  return plan && { service, plan }
}
