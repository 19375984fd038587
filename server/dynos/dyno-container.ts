/** How a dyno becomes a container: its name, labels, environment, limits and the way its command is started. */
import type { Config } from '../config.js'
import type { ContainerSpec, Mount, NetworkJoin } from '../engine/engine.js'
import type { App } from '../model/app.js'
import type { ConfigVars } from '../model/config-vars.js'
import type { OneOff } from '../model/dyno.js'
import { dynoUid, userOf } from '../model/dyno-user.js'
import { findDynoSize } from '../model/formation.js'
import { labelNames } from '../model/labels.js'
import { pgEnvironment } from '../model/postgres-url.js'
import type { RunnableRelease } from './desired.js'
import type { WantedDyno } from './wanted.js'

export interface AppNetworks {
  readonly shared: string
  readonly own: string | undefined
}

/** What every container of an app needs to be told. */
export interface DynoContext {
  readonly config: Config
  readonly app: App
  readonly configVars: ConfigVars
  readonly databases: readonly string[]
  /** Network that all dynos share and, for an app with private services, its own. */
  readonly networks: AppNetworks
  /** A fresh number; address and port follow from it. */
  readonly addressNumber: number
}

/**
 * Sources what buildpacks left and the app's own profile, then becomes the command; held, it first waits for a line. The
 * command is an argument of its own, never part of this text. What limits its output comes after it, and is left out where
 * an image of an older stack lacks it.
 */
const launcher =
  'if [ "${2-}" = held ]; then read -r _ || exit; exec </dev/null; fi; cd /app; shopt -s nullglob; for file in .profile.d/*.sh; do . "$file"; done; shopt -u nullglob; if [ -r .profile ]; then . ./.profile; fi; unset file; if [ -x "${3-}" ]; then exec "${@:3}" bash -c "$1"; fi; exec bash -c "$1"'

/** How a command gets going and what it may print; without limits all of it is passed on. */
export interface LaunchOptions {
  readonly isHeld?: boolean | undefined
  readonly output?: { readonly linesPerSecond: number; readonly bytesPerSecond: number } | undefined
}

/** argv of a dyno that is to run this command. */
export function launchCommand(command: string, { isHeld = false, output }: LaunchOptions = {}): string[] {
  const limit =
    output === undefined
      ? []
      : ['/usr/lib/paas/limit-output', String(output.linesPerSecond), String(output.bytesPerSecond)]
  return ['bash', '--norc', '-c', launcher, 'bash', command, isHeld ? 'held' : '', ...limit]
}

/** The shared network's nth address, after the first 256; every other address is used before one comes back. */
export function dynoAddress(subnet: string, n: number): string {
  const [a, b] = subnet.split('.').map(Number)
  const host = 256 + (n % 65_000)
  return `${a}.${b}.${Math.floor(host / 256)}.${host % 256}`
}

/** Changes with each dyno, so that a connection meant for another one is refused rather than answered. */
export function dynoPort(n: number): number {
  return 10_000 + (n % 20_000)
}

function shortId(id: string): string {
  return id.replaceAll('-', '').slice(0, 12)
}

export function dynoContainerName(
  config: Pick<Config, 'instance'>,
  appId: string,
  wanted: WantedDyno,
  attempt: number,
): string {
  return `${config.instance}-${shortId(appId)}-${wanted.dyno}-v${wanted.release.version}-${wanted.generation}-${attempt}`
}

export function releaseContainerName(
  config: Pick<Config, 'instance'>,
  release: Pick<RunnableRelease, 'appId' | 'version'>,
): string {
  return `${config.instance}-${shortId(release.appId)}-release-v${release.version}`
}

export function oneOffContainerName(
  config: Pick<Config, 'instance'>,
  oneOff: Pick<OneOff, 'appId' | 'number'>,
): string {
  return `${config.instance}-${shortId(oneOff.appId)}-run.${oneOff.number}`
}

const caFile = '/etc/paas-ca-bundle.pem'

/** How a web dyno gets up: whether it waits to be let go, and the processors it may use until it is up. */
export interface Boot {
  readonly isHeld: boolean
  readonly cpus: number
}

interface Launch {
  readonly name: string
  readonly dyno: string
  readonly size: string
  readonly command: string
  readonly release: RunnableRelease
  readonly labels: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly tty?: boolean
  readonly openStdin?: boolean
  readonly boot?: Boot
  /** The container whose networks it has, and whose address. */
  readonly sandboxId?: string | undefined
}

/** Heroku's dyno metadata, which apps show as their version. */
function releaseEnvironment(app: App, release: RunnableRelease): Record<string, string> {
  return {
    HEROKU_APP_ID: app.id,
    HEROKU_APP_NAME: app.name,
    HEROKU_RELEASE_CREATED_AT: release.createdAt.toISOString(),
    HEROKU_RELEASE_VERSION: `v${release.version}`,
    HEROKU_SLUG_COMMIT: release.slug?.commit ?? '',
    HEROKU_SLUG_DESCRIPTION: release.description,
  }
}

function joinsOf({ shared, own }: AppNetworks, address: string): NetworkJoin[] {
  return [{ network: shared, ipv4: address }, ...(own === undefined ? [] : [{ network: own }])]
}

function spec(context: DynoContext, launch: Launch, subnet: string): ContainerSpec {
  const { config } = context
  const size = findDynoSize(launch.size)
  const port = dynoPort(context.addressNumber)
  const address = dynoAddress(subnet, context.addressNumber)
  const ca = config.network.caBundle
  const mounts: Mount[] = ca ? [{ source: ca, target: caFile, readOnly: true }] : []
  // Host name and address of a sandbox are the sandbox's own.
  const place: Pick<ContainerSpec, 'hostname' | 'network' | 'labels'> =
    launch.sandboxId === undefined
      ? {
          hostname: launch.dyno.replace(/[^a-zA-Z0-9-]/g, '-').slice(0, 60),
          network: joinsOf(context.networks, address),
          labels: { [labelNames.address]: address },
        }
      : { network: { sharedWith: launch.sandboxId }, labels: { [labelNames.sandbox]: launch.sandboxId } }
  return {
    ...place,
    name: launch.name,
    image: launch.release.slug?.imageReference ?? '',
    command: launchCommand(launch.command, {
      isHeld: launch.boot?.isHeld,
      // Whoever is attached gets every byte, at his own pace.
      output: launch.openStdin ? undefined : config.logs,
    }),
    env: {
      ...(ca ? { SSL_CERT_FILE: caFile, NODE_EXTRA_CA_CERTS: caFile, REQUESTS_CA_BUNDLE: caFile } : {}),
      ...pgEnvironment(context.configVars, context.databases),
      ...releaseEnvironment(context.app, launch.release),
      ...launch.env,
      ...context.configVars,
      HOME: '/app',
      DYNO: launch.dyno,
      PORT: String(port),
    },
    user: userOf(launch.release.slug?.uid ?? dynoUid),
    workingDir: '/app',
    labels: {
      ...place.labels,
      [labelNames.instance]: config.instance,
      [labelNames.app]: context.app.id,
      [labelNames.dyno]: launch.dyno,
      [labelNames.release]: launch.release.id,
      [labelNames.version]: String(launch.release.version),
      [labelNames.size]: size.name,
      [labelNames.port]: String(port),
      ...launch.labels,
    },
    mounts,
    init: true,
    ...(launch.tty === undefined ? {} : { tty: launch.tty }),
    ...(launch.openStdin === undefined ? {} : { openStdin: launch.openStdin }),
    ...(launch.boot?.isHeld ? { openStdin: true, keepStdin: true } : {}),
    limits: {
      memoryBytes: size.memoryBytes,
      cpus: Math.max(size.cpus, launch.boot?.cpus ?? 0),
      pids: size.pids,
      openFiles: 16_384,
      fileSizeBytes: config.dynos.diskBytes,
      shmBytes: 64 * 1024 ** 2,
    },
    logs: { maxSizeBytes: config.dynos.logBytes, maxFiles: 2 },
  }
}

export function formationContainer(
  context: DynoContext,
  wanted: WantedDyno,
  attempt: number,
  boot: Boot,
  subnet: string,
): ContainerSpec {
  return spec(
    context,
    {
      name: dynoContainerName(context.config, context.app.id, wanted, attempt),
      dyno: wanted.dyno,
      size: wanted.size,
      command: wanted.command,
      release: wanted.release,
      labels: {
        [labelNames.kind]: 'dyno',
        [labelNames.type]: wanted.type,
        [labelNames.generation]: wanted.generation,
        [labelNames.attempt]: String(attempt),
        ...(boot.isHeld ? { [labelNames.held]: 'yes' } : {}),
      },
      ...(wanted.type === 'web' ? { boot } : {}),
    },
    subnet,
  )
}

export function releaseContainer(
  context: DynoContext,
  release: RunnableRelease,
  subnet: string,
  sandboxId: string | undefined,
): ContainerSpec {
  const name = releaseContainerName(context.config, release)
  return spec(
    context,
    {
      name,
      dyno: `release.${release.version}`,
      size: 'Standard-2X',
      command: release.processTypes.release ?? '',
      release,
      labels: { [labelNames.kind]: 'release' },
      sandboxId,
    },
    subnet,
  )
}

/** It does nothing: it has networks, in which a release command of the same app will run. */
export function sandboxContainer(
  context: Pick<DynoContext, 'config' | 'app' | 'networks' | 'addressNumber'>,
  image: string,
  buildId: string,
  subnet: string,
): ContainerSpec {
  const { config, app } = context
  return {
    name: `${config.instance}-${shortId(app.id)}-sandbox-${shortId(buildId)}`,
    image,
    command: ['sleep', 'infinity'],
    user: userOf(dynoUid),
    hostname: 'release',
    labels: {
      [labelNames.instance]: config.instance,
      [labelNames.app]: app.id,
      [labelNames.kind]: 'sandbox',
      [labelNames.build]: buildId,
    },
    network: joinsOf(context.networks, dynoAddress(subnet, context.addressNumber)),
    readOnlyRoot: true,
    limits: { memoryBytes: 64 * 1024 ** 2, cpus: 1, pids: 32, openFiles: 1024, shmBytes: 64 * 1024 },
    logs: 'none',
  }
}

export function oneOffContainer(
  context: DynoContext,
  oneOff: OneOff & { readonly release: RunnableRelease },
  subnet: string,
): ContainerSpec {
  const name = oneOffContainerName(context.config, oneOff)
  return spec(
    context,
    {
      name,
      dyno: `run.${oneOff.number}`,
      size: oneOff.size,
      command: oneOff.command,
      release: oneOff.release,
      labels: { [labelNames.kind]: 'one-off', [labelNames.oneOff]: oneOff.id },
      env: oneOff.env,
      tty: oneOff.tty,
      openStdin: oneOff.attached,
    },
    subnet,
  )
}
