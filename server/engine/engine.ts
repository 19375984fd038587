/**
 * The container engine as the rest of the platform sees it.
 *
 * Nothing in this folder knows an app, a dyno or a build: callers bring names, labels and limits. `docker-engine.ts` is
 * the one implementation; a cluster scheduler is meant to fit behind the same interface.
 */
import type { Readable, Writable } from 'node:stream'

export type Labels = Readonly<Record<string, string>>

/** A bind mount of a host folder, or a named volume when `source` is not an absolute path. */
export interface Mount {
  readonly source: string
  readonly target: string
  readonly readOnly?: boolean
}

/** One network a container joins. `ipv4` asks for that very address. */
export interface NetworkJoin {
  readonly network: string
  readonly ipv4?: string
  readonly aliases?: readonly string[]
}

export interface ContainerSpec {
  /** Unique on the engine: a second create with the same name is refused with `EngineError` kind `conflict`. */
  readonly name: string
  readonly image: string
  /** argv of the process; `entrypoint` replaces the image's. */
  readonly command?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly user?: string
  readonly workingDir?: string
  readonly hostname?: string
  readonly labels: Labels
  /**
   * `host`, `none`, the networks to join, of which the first carries the default route, or those of another container,
   * with its addresses and host name: they are there already, so such a container starts in a third of the time.
   */
  readonly network: 'host' | 'none' | readonly NetworkJoin[] | { readonly sharedWith: string }
  readonly mounts?: readonly Mount[]
  /** Sized tmpfs mounts: target → mount options, for example `size=64m,mode=1777`. */
  readonly tmpfs?: Readonly<Record<string, string>>
  readonly readOnlyRoot?: boolean
  /** An init process as PID 1 that forwards signals and reaps children. */
  readonly init?: boolean
  readonly tty?: boolean
  readonly openStdin?: boolean
  /** With `openStdin`: its input stays open for any number of writers, one after the other. */
  readonly keepStdin?: boolean
  readonly restart?: 'no' | 'always'
  readonly stopSignal?: string
  readonly limits?: {
    readonly memoryBytes?: number
    /** Of the machine's; more than there are means all of them. */
    readonly cpus?: number
    /** Relative weight under contention; 1024 is the engine's default. */
    readonly cpuShares?: number
    readonly pids?: number
    readonly openFiles?: number
    readonly fileSizeBytes?: number
    readonly shmBytes?: number
    readonly oomScoreAdj?: number
  }
  /** Added to the empty capability set; every container starts from none. */
  readonly capabilities?: readonly string[]
  readonly logs?: { readonly maxSizeBytes: number; readonly maxFiles: number } | 'none'
  readonly extraHosts?: readonly string[]
}

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'

export interface Container {
  readonly id: string
  readonly name: string
  readonly image: string
  readonly state: ContainerState
  readonly labels: Labels
  readonly createdAt: Date
  /** network name → IPv4 address (empty string while not running). */
  readonly addresses: Readonly<Record<string, string>>
}

export interface ContainerDetail extends Container {
  readonly pid: number
  readonly exitCode: number
  readonly oomKilled: boolean
  readonly startedAt: Date | undefined
  readonly finishedAt: Date | undefined
  readonly error: string
  readonly env: readonly string[]
  readonly tty: boolean
  readonly restartCount: number
  /** Of the machine's processors; 0: no limit. */
  readonly cpus: number
  /** The engine's own inspect document, for checks that look at every field. */
  readonly raw: unknown
}

export interface Image {
  readonly id: string
  readonly tags: readonly string[]
  readonly labels: Labels
  readonly createdAt: Date
  readonly sizeBytes: number
  /** Uncompressed layer digests, lowest first (`sha256:…`). Empty in listings. */
  readonly diffIds: readonly string[]
  readonly config: ImageConfig
}

export interface ImageConfig {
  readonly env: readonly string[]
  readonly command: readonly string[]
  readonly entrypoint: readonly string[]
  readonly workingDir: string
  readonly user: string
}

/** A bidirectional stream to a process: with a TTY everything arrives on `stdout`. */
export interface ProcessStreams {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** Resolves when the engine has ended the connection, or it was cut. */
  readonly ended: Promise<void>
  /** Cuts the connection; the process goes on. */
  close(): void
}

export interface ExecSpec {
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly user?: string
  readonly workingDir?: string
  readonly tty?: boolean
  readonly stdin?: boolean
}

export interface RunSpec extends ExecSpec {
  /** 60 s where it isn't given. */
  readonly timeoutMs?: number
}

export interface RunResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface ExecSession extends ProcessStreams {
  readonly id: string
  resize(columns: number, rows: number): Promise<void>
  /** Resolves when both outputs have ended. */
  exitCode(): Promise<number>
  /** False too where the engine knows nothing of it any more. */
  isRunning(): Promise<boolean>
}

export interface NetworkSpec {
  readonly name: string
  readonly labels: Labels
  /** CIDR; named by us because the engine's own pools hold about 30 networks. */
  readonly subnet: string
  readonly gateway?: string
  /** No route to the outside and no address of the host on the bridge. */
  readonly internal?: boolean
  /** False: containers on the bridge can't reach each other (the host still reaches them). */
  readonly interContainer?: boolean
  /** Name of the host's bridge interface, 15 characters at most. */
  readonly bridgeName?: string
  /** An interface of the host: the network is of the kind macvlan and lies on it, instead of a bridge of its own. */
  readonly parent?: string
}

export interface Network {
  readonly id: string
  readonly name: string
  readonly labels: Labels
  readonly subnet: string
  /** The interface that a macvlan network lies on. */
  readonly parent: string | undefined
  /** Ids of the running containers joined to it. Empty in listings. */
  readonly containers: readonly string[]
}

export interface Volume {
  readonly name: string
  readonly labels: Labels
  readonly mountpoint: string
}

export interface EngineInfo {
  readonly version: string
  readonly apiVersion: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly storageDriver: string
  /** True where the engine keeps images in containerd, where layers go by the digests of their blobs. */
  readonly containerdImageStore: boolean
  readonly cgroupVersion: string
  readonly rootDir: string
}

export interface ContainerEvent {
  readonly action: string
  readonly containerId: string
  readonly labels: Labels
  readonly exitCode: number | undefined
  readonly at: Date
}

export interface Usage {
  readonly memoryBytes: number
  readonly memoryLimitBytes: number
  readonly cpuNanoseconds: number
  readonly pids: number
}

export interface LogOptions {
  /** Only lines at or after this engine timestamp (seconds with nanoseconds as `1700000000.000000001`). */
  readonly since?: string
  readonly follow?: boolean
  readonly tail?: number
}

/** One line a container wrote, with the engine's own timestamp (RFC 3339, nanoseconds). */
export interface ContainerLine {
  readonly at: string
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
}

export interface BuildImageOptions {
  readonly tag: string
  readonly labels?: Labels
  readonly buildArgs?: Readonly<Record<string, string>>
  readonly noCache?: boolean
}

export interface Engine {
  /** Throws `EngineError` kind `unavailable` when no engine answers. */
  info(): Promise<EngineInfo>

  findImage(reference: string): Promise<Image | undefined>
  listImages(labels: Labels): Promise<Image[]>
  /** Full references (`repository:tag`) of the images whose repository fits; `*` stands for any part without a slash. */
  listTags(repository: string): Promise<string[]>
  /**
   * Loads an archive: docker's where `containerdImageStore` is false, else one in OCI's layout. Layers that the engine has
   * may be left out of it; throws where it lacks one of them.
   */
  loadImage(archive: Readable): Promise<void>
  /** An archive of an image with all its layers. */
  saveImage(reference: string): Promise<Readable>
  /** Makes a one-layer image from a root file system tar and returns its id. */
  importImage(rootfs: Readable, tag: string, changes?: readonly string[]): Promise<string>
  pullImage(reference: string): Promise<void>
  /** Builds from a tar context with a `Dockerfile` in it and returns the image id; throws with the last output lines. */
  buildImage(context: Readable, options: BuildImageOptions, onLine?: (line: string) => void): Promise<string>
  tagImage(reference: string, tag: string): Promise<void>
  /** Absent is fine. An image still in use throws kind `conflict`. */
  removeImage(reference: string, options?: { readonly force?: boolean }): Promise<void>

  createContainer(spec: ContainerSpec): Promise<string>
  /** Starting a running container is fine. */
  startContainer(id: string): Promise<void>
  /** Sends the stop signal, then SIGKILL after the grace; returns when it ended. Stopped or absent is fine. */
  stopContainer(id: string, graceSeconds: number): Promise<void>
  killContainer(id: string, signal: string): Promise<void>
  pauseContainer(id: string): Promise<void>
  /** Force: also when running. Absent is fine. */
  removeContainer(id: string, options?: { readonly force?: boolean; readonly volumes?: boolean }): Promise<void>
  findContainer(idOrName: string): Promise<ContainerDetail | undefined>
  /** All containers, ended ones too, that carry every label given. */
  listContainers(labels: Labels): Promise<Container[]>
  /** Writes to the input of a running container; one that isn't running throws. */
  writeInput(id: string, text: string): Promise<void>
  /** Changes the processor limit of a container while it runs. */
  limitCpus(id: string, cpus: number): Promise<void>
  /** Resolves with the exit code once it is not running; with `next`, of its next end, so it can be asked before the start. */
  waitContainer(id: string, options?: { readonly next?: boolean }): Promise<number>
  /** Attach before start, so that no output is lost. */
  attachContainer(id: string, options: { readonly stdin: boolean; readonly tty: boolean }): Promise<ProcessStreams>
  resizeContainer(id: string, columns: number, rows: number): Promise<void>
  exec(id: string, spec: ExecSpec): Promise<ExecSession>
  /**
   * Runs a command to its end with bounded output; for small administrative commands. Throws after `timeoutMs`: whoever
   * owns a container decides what its programs do, and need not let them end.
   */
  run(id: string, spec: RunSpec, input?: string): Promise<RunResult>
  /** Calls back a line at a time, in order; the promise ends with the stream or when `signal` aborts. */
  followLogs(
    id: string,
    options: LogOptions,
    onLine: (line: ContainerLine) => void,
    signal?: AbortSignal,
  ): Promise<void>
  putArchive(id: string, path: string, tar: Readable): Promise<void>
  getArchive(id: string, path: string): Promise<Readable>
  usage(id: string): Promise<Usage>
  /** Disk that each container's own files take, above its image. Containers that are gone are left out. */
  diskUse(ids: readonly string[]): Promise<ReadonlyMap<string, number>>

  /** An existing network of that name is returned as it is. */
  ensureNetwork(spec: NetworkSpec): Promise<Network>
  findNetwork(name: string): Promise<Network | undefined>
  listNetworks(labels: Labels): Promise<Network[]>
  /** Absent is fine. */
  removeNetwork(name: string): Promise<void>
  /** Joined already is fine. */
  connectNetwork(join: NetworkJoin, containerId: string): Promise<void>
  /** Not joined is fine. */
  disconnectNetwork(network: string, containerId: string): Promise<void>

  ensureVolume(name: string, labels: Labels): Promise<Volume>
  listVolumes(labels: Labels): Promise<Volume[]>
  /** Absent is fine. */
  removeVolume(name: string): Promise<void>

  /** Calls back for container events until `signal` aborts; reconnects by itself. */
  followEvents(labels: Labels, onEvent: (event: ContainerEvent) => void, signal: AbortSignal): Promise<void>
}

export type EngineErrorKind = 'unavailable' | 'not_found' | 'conflict' | 'no_space' | 'refused'

/** What went wrong at the engine; `message` names what we were doing, `cause` is the engine's own error. */
export class EngineError extends Error {
  constructor(
    readonly kind: EngineErrorKind,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
    this.name = 'EngineError'
  }
}
