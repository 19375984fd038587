/** Translates between our container words and the Docker API's documents. Pure. */
import type Docker from 'dockerode'
import type { Container, ContainerDetail, ContainerSpec, ContainerState, Labels, NetworkJoin } from './engine.js'
import { seccompProfile } from './seccomp.js'

function endpoint(join: NetworkJoin): Docker.EndpointSettings {
  return {
    ...(join.ipv4 === undefined ? {} : { IPAMConfig: { IPv4Address: join.ipv4 } }),
    ...(join.aliases === undefined ? {} : { Aliases: [...join.aliases] }),
  }
}

/** The networks a container joins as itself. */
export function joinsOf({ network }: ContainerSpec): readonly NetworkJoin[] {
  return typeof network === 'string' || 'sharedWith' in network ? [] : network
}

function networkMode({ network }: ContainerSpec): string {
  if (typeof network === 'string') return network
  return 'sharedWith' in network ? `container:${network.sharedWith}` : (network[0]?.network ?? 'none')
}

/**
 * The create document. Only the first network can be joined at create on API 1.41; the rest are connected before start.
 * Every container starts from an empty capability set, without new privileges, with our system call filter and bounded logs.
 */
export function createDocument(
  spec: ContainerSpec,
  cpusHere = Number.POSITIVE_INFINITY,
): Docker.ContainerCreateOptions {
  const limits = spec.limits ?? {}
  const [first] = joinsOf(spec)
  const ulimits = [
    ...(limits.openFiles === undefined ? [] : [{ Name: 'nofile', Soft: limits.openFiles, Hard: limits.openFiles }]),
    ...(limits.fileSizeBytes === undefined
      ? []
      : [{ Name: 'fsize', Soft: limits.fileSizeBytes, Hard: limits.fileSizeBytes }]),
    { Name: 'core', Soft: 0, Hard: 0 },
  ]
  const logs = spec.logs ?? { maxSizeBytes: 10 * 1024 ** 2, maxFiles: 2 }
  return {
    name: spec.name,
    Image: spec.image,
    ...(spec.command === undefined ? {} : { Cmd: [...spec.command] }),
    ...(spec.entrypoint === undefined ? {} : { Entrypoint: [...spec.entrypoint] }),
    Env: Object.entries(spec.env ?? {}).map(([key, value]) => `${key}=${value}`),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    ...(spec.workingDir === undefined ? {} : { WorkingDir: spec.workingDir }),
    ...(spec.hostname === undefined ? {} : { Hostname: spec.hostname }),
    ...(spec.stopSignal === undefined ? {} : { StopSignal: spec.stopSignal }),
    Labels: { ...spec.labels },
    Tty: spec.tty ?? false,
    OpenStdin: spec.openStdin ?? false,
    StdinOnce: (spec.openStdin ?? false) && !spec.keepStdin,
    HostConfig: {
      NetworkMode: networkMode(spec),
      Binds: (spec.mounts ?? []).map((m) => `${m.source}:${m.target}${m.readOnly ? ':ro' : ''}`),
      Tmpfs: { ...spec.tmpfs },
      ReadonlyRootfs: spec.readOnlyRoot ?? false,
      Init: spec.init ?? false,
      // By itself the engine shows the machine's own where control groups are of version 1. Its types lack the field.
      ...({ CgroupnsMode: 'private' } as object),
      RestartPolicy: { Name: spec.restart ?? 'no' },
      CapDrop: ['ALL'],
      CapAdd: [...(spec.capabilities ?? [])],
      SecurityOpt: ['no-new-privileges', `seccomp=${seccompProfile}`],
      ...(limits.memoryBytes === undefined ? {} : { Memory: limits.memoryBytes, MemorySwap: limits.memoryBytes }),
      // The engine refuses more than there are.
      ...(limits.cpus === undefined ? {} : { NanoCpus: Math.round(Math.min(limits.cpus, cpusHere) * 1e9) }),
      ...(limits.cpuShares === undefined ? {} : { CpuShares: limits.cpuShares }),
      ...(limits.pids === undefined ? {} : { PidsLimit: limits.pids }),
      ...(limits.shmBytes === undefined ? {} : { ShmSize: limits.shmBytes }),
      ...(limits.oomScoreAdj === undefined ? {} : { OomScoreAdj: limits.oomScoreAdj }),
      Ulimits: ulimits,
      ExtraHosts: [...(spec.extraHosts ?? [])],
      LogConfig:
        logs === 'none'
          ? { Type: 'none', Config: {} }
          : { Type: 'json-file', Config: { 'max-size': String(logs.maxSizeBytes), 'max-file': String(logs.maxFiles) } },
    },
    ...(first === undefined ? {} : { NetworkingConfig: { EndpointsConfig: { [first.network]: endpoint(first) } } }),
  }
}

export function networkEndpoint(join: NetworkJoin): Docker.EndpointSettings {
  return endpoint(join)
}

export function toContainer(info: Docker.ContainerInfo): Container {
  return {
    id: info.Id,
    name: (info.Names[0] ?? '').replace(/^\//, ''),
    image: info.ImageID,
    state: info.State as ContainerState,
    labels: info.Labels ?? {},
    createdAt: new Date(info.Created * 1000),
    addresses: addressesOf(info.NetworkSettings?.Networks),
  }
}

export function toContainerDetail(raw: Docker.ContainerInspectInfo): ContainerDetail {
  return {
    id: raw.Id,
    name: raw.Name.replace(/^\//, ''),
    image: raw.Image,
    state: raw.State.Status as ContainerState,
    labels: raw.Config.Labels ?? {},
    createdAt: new Date(raw.Created),
    addresses: addressesOf(raw.NetworkSettings?.Networks),
    pid: raw.State.Pid,
    exitCode: raw.State.ExitCode,
    oomKilled: raw.State.OOMKilled,
    startedAt: engineDate(raw.State.StartedAt),
    finishedAt: engineDate(raw.State.FinishedAt),
    error: raw.State.Error ?? '',
    env: raw.Config.Env ?? [],
    tty: raw.Config.Tty,
    restartCount: raw.RestartCount ?? 0,
    cpus: (raw.HostConfig?.NanoCpus ?? 0) / 1e9,
    raw,
  }
}

/** The engine writes the year 1 for "never". */
function engineDate(text: string): Date | undefined {
  const date = new Date(text)
  return date.getUTCFullYear() > 1 ? date : undefined
}

function addressesOf(networks: Readonly<Record<string, { IPAddress?: string }>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(networks ?? {}).map(([name, n]) => [name, n.IPAddress ?? '']))
}

/** The API's filter for objects that carry every label; an empty value asks for the key alone. */
export function labelFilter(labels: Labels): string {
  return JSON.stringify({ label: labelWords(labels) })
}

export function labelWords(labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => (value === '' ? key : `${key}=${value}`))
}
