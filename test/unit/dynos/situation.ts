/**
 * Situations for `plan`, written as short as they are told: which releases there are, what the formation is, which
 * containers were found. `web.1 v2 up routed` is one container; the plan comes back as the lines it prints.
 */
import { dynoUid } from '../../../server/model/dyno-user.js'
import type { DesiredApp, RunnableRelease } from '../../../server/dynos/desired.js'
import type {
  ObservedApp,
  ObservedContainer,
  ObservedDyno,
  ObservedOneOff,
  ObservedReleaseCommand,
  ObservedSandbox,
  StepFailure,
} from '../../../server/dynos/observed.js'
import type { PendingBuild } from '../../../server/store/builds.js'
import { type PlanLimits, plan } from '../../../server/dynos/plan.js'
import { printStep } from '../../../server/dynos/print-step.js'
import { printRoutes } from '../../../server/dynos/routes.js'
import type { App } from '../../../server/model/app.js'
import type { OneOff } from '../../../server/model/dyno.js'
import type { AppRoutes, RouteState } from '../../../server/model/route-table.js'

export const limits: PlanLimits = {
  bootTimeoutMs: 60_000,
  crashBackoffMs: 1_000,
  crashBackoffMaxMs: 300_000,
  releaseCommandTimeoutMs: 600_000,
}

/** So many seconds after the beginning of all situations. */
export function at(seconds: number): Date {
  return new Date(Date.UTC(2020, 0, 1) + seconds * 1000)
}

export function release(version: number, change: Partial<RunnableRelease> = {}): RunnableRelease {
  const processTypes = change.processTypes ?? { web: 'serve', worker: 'work' }
  return {
    id: `r${version}`,
    appId: 'a1',
    version,
    slugId: `s${version}`,
    slug: {
      id: `s${version}`,
      appId: 'a1',
      commit: '',
      commitDescription: '',
      imageId: '',
      imageReference: '',
      sizeBytes: 0,
      processTypes,
      healthChecks: [],
      buildpacks: [],
      stack: '',
      uid: dynoUid,
      createdAt: at(0),
    },
    processTypes,
    description: '',
    accountId: undefined,
    accountEmail: undefined,
    status: 'succeeded',
    commandState: 'none',
    output: '',
    failure: undefined,
    createdAt: at(0),
    updatedAt: at(0),
    ...change,
  }
}

/** A release that is not settled. */
export function pending(version: number, change: Partial<RunnableRelease> = {}): RunnableRelease {
  return release(version, { status: 'pending', ...change })
}

/** One with a release command, in this state. */
export function withCommand(version: number, commandState: RunnableRelease['commandState']): RunnableRelease {
  return pending(version, { commandState, processTypes: { web: 'serve', release: 'migrate' } })
}

export interface Situation {
  readonly current?: RunnableRelease | undefined
  /** The current release where not given. */
  readonly target?: RunnableRelease | undefined
  /** `web=2 worker=1` */
  readonly formation?: string
  /** `web.1`, `web` or empty → seconds */
  readonly restarts?: Readonly<Record<string, number>>
  readonly dynos?: readonly (string | ObservedDyno)[]
  readonly commands?: readonly ObservedReleaseCommand[]
  readonly oneOffs?: readonly (OneOff & { readonly release: RunnableRelease })[]
  readonly oneOffContainers?: readonly ObservedOneOff[]
  readonly app?: Partial<App>
  readonly addOnsReady?: boolean
  readonly pendingBuild?: PendingBuild | undefined
  readonly sandboxes?: readonly ObservedSandbox[]
  readonly failures?: readonly StepFailure[]
  /** State of the published routes: `up` where dynos are routed, else `no-release`. */
  readonly routes?: RouteState | 'unpublished'
  readonly now?: number
  readonly limits?: Partial<PlanLimits>
}

/** The plan's lines, with every route's addresses left out. */
export function planOf(situation: Situation): string[] {
  const { desired, observed } = read(situation)
  return plan(desired, observed, at(situation.now ?? 100), { ...limits, ...situation.limits })
    .map(printStep)
    .map((line) => line.replace(/=10\.[\d.:]+/g, ''))
}

export function read(situation: Situation): { desired: DesiredApp; observed: ObservedApp } {
  const { current } = situation
  const app: App = {
    id: 'a1',
    name: 'hello',
    ownerId: '',
    ownerEmail: '',
    createdAt: at(0),
    updatedAt: at(0),
    releasedAt: undefined,
    maintenance: false,
    restartedAt: undefined,
    destroyedAt: undefined,
    buildpacks: [],
    networkIndex: undefined,
    ...situation.app,
  }
  const desired: DesiredApp = {
    app,
    current,
    target: situation.target ?? current,
    formation: (situation.formation ?? 'web=1').split(' ').map((entry) => {
      const [type = '', quantity] = entry.split('=')
      return { type, quantity: Number(quantity), size: 'Basic', updatedAt: at(0) }
    }),
    restarts: new Map(Object.entries(situation.restarts ?? {}).map(([name, seconds]) => [name, at(seconds)])),
    oneOffs: situation.oneOffs ?? [],
    hosts: app.destroyedAt ? [] : ['hello.localhost'],
    addOnsReady: situation.addOnsReady ?? true,
    databases: [],
    pendingBuild: situation.pendingBuild,
  }
  const dynos = (situation.dynos ?? []).map((d) => (typeof d === 'string' ? dyno(d) : d))
  const observed: ObservedApp = {
    dynos,
    oneOffs: situation.oneOffContainers ?? [],
    releaseCommands: situation.commands ?? [],
    sandboxes: situation.sandboxes ?? [],
    failures: situation.failures ?? [],
    publishedRoutes: situation.routes === 'unpublished' ? undefined : published(desired, dynos, situation.routes),
  }
  return { desired, observed }
}

function published(desired: DesiredApp, dynos: readonly ObservedDyno[], state: RouteState | undefined): string {
  const backends = dynos
    .filter((d) => d.isRouted)
    .map((d) => ({ name: `${d.dyno}_${d.containerId}`, dyno: d.dyno, address: d.address, port: d.port }))
  const routes: AppRoutes = {
    appId: desired.app.id,
    appName: desired.app.name,
    hosts: desired.hosts,
    state: state ?? (backends.length > 0 ? 'up' : 'no-release'),
    backends,
  }
  return printRoutes(routes)
}

/**
 * `web.1 v2`, then in any order: created, starting (the default), checking, unhealthy, up or exited; routed, draining,
 * stopping; `gen=SECONDS` of the restart it answers, `attempt=N`, `from=SECONDS` and `to=SECONDS` of its run; held, boosted.
 */
export function dyno(text: string): ObservedDyno {
  const [name = '', v = '', ...words] = text.split(' ')
  const [type = '', ordinal = ''] = name.split('.')
  const version = Number(v.slice(1))
  const is = (word: string) => words.includes(word)
  const value = (key: string) => words.find((w) => w.startsWith(`${key}=`))?.slice(key.length + 1)
  const generation = value('gen')
  const attempt = Number(value('attempt') ?? 0)
  const id = `${type === 'web' ? 'w' : type}${ordinal}v${version}${generation === undefined ? '' : `g${generation}`}a${attempt}`
  return {
    ...container(id, is('exited') ? 'exited' : is('created') ? 'created' : 'running', {
      ...(is('created') ? {} : { startedAt: at(Number(value('from') ?? 50)) }),
      ...(is('exited') ? { endedAt: at(Number(value('to') ?? 60)), exitCode: 1 } : {}),
    }),
    dyno: name,
    type,
    ordinal: Number(ordinal),
    releaseId: `r${version}`,
    version,
    generation: generation === undefined ? '0' : String(at(Number(generation)).getTime()),
    attempt,
    size: 'Basic',
    address: `10.0.${version}.${ordinal}`,
    port: 5000,
    isUp: is('up') || (type !== 'web' && !is('exited') && !is('created')),
    isChecking: is('checking'),
    unhealthy: is('unhealthy') ? 'GET /health answered 500 (3 attempts)' : undefined,
    isRouted: is('routed'),
    isDrained: !is('routed') && !is('draining'),
    isStopping: is('stopping'),
    isHeld: is('held'),
    isBoosted: is('boosted'),
  }
}

export function container(
  containerId: string,
  state: ObservedContainer['state'],
  change: Partial<ObservedContainer> = {},
): ObservedContainer {
  return {
    containerId,
    containerName: containerId,
    state,
    startedAt: undefined,
    endedAt: undefined,
    exitCode: 0,
    oomKilled: false,
    ...change,
  }
}

export function command(
  version: number,
  state: ObservedContainer['state'],
  { from = 50, sandboxId }: { readonly from?: number; readonly sandboxId?: string } = {},
): ObservedReleaseCommand {
  const startedAt = state === 'created' ? undefined : at(from)
  return { ...container(`release-v${version}`, state, { startedAt }), releaseId: `r${version}`, sandboxId }
}

export function sandbox(buildId: string, state: ObservedContainer['state'] = 'running'): ObservedSandbox {
  return { ...container(`sandbox-${buildId}`, state), buildId }
}

export function oneOff(change: Partial<OneOff> = {}): OneOff & { readonly release: RunnableRelease } {
  return {
    id: 'o1',
    appId: 'a1',
    number: 1,
    releaseId: 'r1',
    command: 'date',
    size: 'Basic',
    type: 'run',
    attached: false,
    tty: false,
    env: {},
    timeToLiveSeconds: 3600,
    state: 'starting',
    exitCode: undefined,
    createdAt: at(90),
    ...change,
    release: release(1),
  }
}

export function oneOffContainer(state: ObservedContainer['state'], isStopping = false): ObservedOneOff {
  return { ...container('run1', state), oneOffId: 'o1', isStopping }
}
