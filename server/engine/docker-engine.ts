/**
 * The Engine on Docker (API 1.41 or newer) through its socket. It knows nothing of apps; all meaning is in the callers'
 * names and labels. Streams are in `docker-streams.ts`, documents in `docker-containers.ts`, images in `docker-images.ts`.
 */
import Docker from 'dockerode'
import {
  createDocument,
  joinsOf,
  labelFilter,
  networkEndpoint,
  toContainer,
  toContainerDetail,
} from './docker-containers.js'
import { diskUseCall } from './disk-use.js'
import { imageCalls } from './docker-images.js'
import { attachTo, execIn, followContainerLogs, followEventsOnce, runIn, writeTo } from './docker-streams.js'
import { type Engine, EngineError, type Network, type NetworkSpec } from './engine.js'
import { calling, engineError, settling, statusOf } from './engine-error.js'

export function createDockerEngine(options: { readonly socketPath: string }): Engine {
  const docker = new Docker({ socketPath: options.socketPath })
  const container = (id: string) => docker.getContainer(id)
  const diskUse = diskUseCall(docker)
  let cpus: number | undefined
  const cpusHere = async () => {
    cpus ??= (await docker.info()).NCPU as number
    return cpus
  }

  const engine: Engine = {
    info: () =>
      calling('asking the container engine', async () => {
        const [info, version] = await Promise.all([docker.info(), docker.version()])
        return {
          version: version.Version,
          apiVersion: version.ApiVersion,
          cpus: info.NCPU,
          memoryBytes: info.MemTotal,
          storageDriver: info.Driver,
          containerdImageStore: JSON.stringify(info.DriverStatus ?? []).includes('io.containerd.snapshotter'),
          cgroupVersion: info.CgroupVersion ?? '1',
          rootDir: info.DockerRootDir,
        }
      }),

    ...imageCalls(docker),

    createContainer: (spec) =>
      calling(`creating container ${spec.name}`, async () => {
        const created = await docker.createContainer(createDocument(spec, await cpusHere()))
        const more = joinsOf(spec).slice(1)
        for (const join of more) await engine.connectNetwork(join, created.id)
        return created.id
      }),
    startContainer: (id) => settling(`starting container ${id}`, [304], () => container(id).start()),
    stopContainer: (id, grace) =>
      settling(`stopping container ${id}`, [304, 404], () => container(id).stop({ t: grace })),
    killContainer: (id, signal) =>
      settling(`sending ${signal} to container ${id}`, [404, 409], () => container(id).kill({ signal })),
    pauseContainer: (id) => calling(`pausing container ${id}`, () => container(id).pause()),
    removeContainer: async (id, o = {}) => {
      try {
        await container(id).remove({ force: o.force ?? false, v: o.volumes ?? true })
      } catch (error) {
        const underWay = statusOf(error) === 409 && /already in progress/.test(String(error))
        if (statusOf(error) !== 404 && !underWay) throw engineError(`removing container ${id}`, error)
      }
    },
    findContainer: async (idOrName) => {
      try {
        return toContainerDetail(await container(idOrName).inspect())
      } catch (error) {
        if (statusOf(error) === 404) return undefined
        throw engineError(`inspecting container ${idOrName}`, error)
      }
    },
    listContainers: (labels) =>
      calling('listing containers', async () =>
        (await docker.listContainers({ all: true, filters: labelFilter(labels) })).map(toContainer),
      ),
    writeInput: (id, text) => calling(`writing to container ${id}`, () => writeTo(docker, id, text)),
    limitCpus: (id, cpus) =>
      calling(`limiting container ${id}`, async () => {
        await container(id).update({ NanoCpus: Math.round(cpus * 1e9) })
      }),
    waitContainer: (id, o = {}) =>
      calling(`waiting for container ${id}`, async () => {
        const ended = await container(id).wait({ condition: o.next ? 'next-exit' : 'not-running' })
        return (ended as { StatusCode: number }).StatusCode
      }),
    attachContainer: (id, o) => calling(`attaching to container ${id}`, () => attachTo(docker, id, o)),
    resizeContainer: (id, columns, rows) =>
      settling(`resizing container ${id}`, [404, 409], () => container(id).resize({ w: columns, h: rows })),
    exec: (id, spec) => calling(`running a command in container ${id}`, () => execIn(docker, id, spec)),
    run: (id, spec, input) => calling(`running a command in container ${id}`, () => runIn(docker, id, spec, input)),
    followLogs: (id, o, onLine, signal) =>
      calling(`reading the log of container ${id}`, async () => {
        const info = await container(id).inspect()
        await followContainerLogs(docker, id, info.Config.Tty, o, onLine, signal)
      }),
    putArchive: (id, path, tar) =>
      calling(`copying files into container ${id}`, async () => {
        await container(id).putArchive(tar as NodeJS.ReadableStream, { path })
      }),
    getArchive: (id, path) =>
      calling(`copying files from container ${id}`, async () => (await container(id).getArchive({ path })) as never),
    usage: (id) =>
      calling(`reading the use of container ${id}`, async () => {
        const stats = await container(id).stats({ stream: false, 'one-shot': true } as { stream: false })
        const memory = stats.memory_stats
        const cache = memory.stats?.total_inactive_file ?? memory.stats?.inactive_file ?? 0
        return {
          memoryBytes: Math.max(0, (memory.usage ?? 0) - cache),
          memoryLimitBytes: memory.limit ?? 0,
          cpuNanoseconds: stats.cpu_stats?.cpu_usage?.total_usage ?? 0,
          pids: stats.pids_stats?.current ?? 0,
        }
      }),
    diskUse: (ids) => calling('measuring what containers wrote', () => diskUse(ids)),

    ensureNetwork: async (spec) => {
      const existing = await engine.findNetwork(spec.name)
      if (existing) return existing
      try {
        await docker.createNetwork({
          Name: spec.name,
          Driver: spec.parent === undefined ? 'bridge' : 'macvlan',
          CheckDuplicate: true,
          Internal: spec.internal ?? false,
          Labels: { ...spec.labels },
          IPAM: {
            Driver: 'default',
            Config: [{ Subnet: spec.subnet, ...(spec.gateway ? { Gateway: spec.gateway } : {}) }],
          },
          Options: networkOptions(spec),
        })
      } catch (error) {
        if (statusOf(error) !== 409) throw engineError(`creating network ${spec.name}`, error)
      }
      const created = await engine.findNetwork(spec.name)
      if (!created) throw new EngineError('refused', `network ${spec.name} vanished right after its creation`)
      return created
    },
    findNetwork: async (name) => {
      try {
        return toNetwork(await docker.getNetwork(name).inspect())
      } catch (error) {
        if (statusOf(error) === 404) return undefined
        throw engineError(`inspecting network ${name}`, error)
      }
    },
    listNetworks: (labels) =>
      calling('listing networks', async () =>
        (await docker.listNetworks({ filters: labelFilter(labels) })).map(toNetwork),
      ),
    removeNetwork: (name) => settling(`removing network ${name}`, [404], () => docker.getNetwork(name).remove()),
    connectNetwork: async (join, containerId) => {
      try {
        await docker.getNetwork(join.network).connect({ Container: containerId, EndpointConfig: networkEndpoint(join) })
      } catch (error) {
        if (!/already exists in network/.test(String(error)))
          throw engineError(`connecting container ${containerId} to network ${join.network}`, error)
      }
    },
    disconnectNetwork: async (network, containerId) => {
      try {
        await docker.getNetwork(network).disconnect({ Container: containerId, Force: true })
      } catch (error) {
        if (statusOf(error) !== 404 && !/is not connected/.test(String(error)))
          throw engineError(`disconnecting container ${containerId} from network ${network}`, error)
      }
    },

    ensureVolume: (name, labels) =>
      calling(`creating volume ${name}`, async () => {
        const volume = (await docker.createVolume({ Name: name, Labels: { ...labels } })) as unknown as {
          Mountpoint: string
        }
        return { name, labels, mountpoint: volume.Mountpoint }
      }),
    listVolumes: (labels) =>
      calling('listing volumes', async () => {
        const { Volumes } = await docker.listVolumes({ filters: labelFilter(labels) as unknown as { label: string[] } })
        return (Volumes ?? []).map((v) => ({ name: v.Name, labels: v.Labels ?? {}, mountpoint: v.Mountpoint }))
      }),
    removeVolume: (name) => settling(`removing volume ${name}`, [404], () => docker.getVolume(name).remove()),

    followEvents: async (labels, onEvent, signal) => {
      while (!signal.aborted) {
        try {
          await followEventsOnce(docker, labels, onEvent, signal)
        } catch {
          // An engine that is away comes back; passes look afresh, so a lost event costs time only.
        }
        if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 500))
      }
    },
  }
  return engine
}

function networkOptions({ parent, internal, interContainer, bridgeName }: NetworkSpec): Record<string, string> {
  if (parent !== undefined) return { parent, macvlan_mode: 'bridge' }
  return {
    'com.docker.network.bridge.enable_icc': String(interContainer ?? true),
    ...(internal ? { 'com.docker.network.bridge.inhibit_ipv4': 'true' } : {}),
    ...(bridgeName === undefined ? {} : { 'com.docker.network.bridge.name': bridgeName }),
  }
}

function toNetwork(info: Docker.NetworkInspectInfo): Network {
  return {
    id: info.Id,
    name: info.Name,
    labels: info.Labels ?? {},
    subnet: info.IPAM?.Config?.[0]?.Subnet ?? '',
    parent: info.Options?.parent,
    containers: Object.keys(info.Containers ?? {}),
  }
}
