/**
 * What every container that carries the platform's label must be like, as the engine's own inspect document tells it. The
 * exceptions are listed by kind, and there are no others.
 */
import { labelNames } from '../../server/model/labels.js'
import { routerCapabilities } from '../../server/router/router.js'

export interface InspectDocument {
  readonly Name: string
  readonly Config: { readonly User: string; readonly Labels: Readonly<Record<string, string>> | null }
  readonly HostConfig: Readonly<Record<string, unknown>>
}

/** What a test gives to a container of its own that carries the label. */
export const probeRights = {
  user: '999:999',
  limits: { memoryBytes: 512 * 1024 ** 2, cpus: 2, pids: 256, openFiles: 4096 },
} as const

interface KindProfile {
  readonly capabilities: readonly string[]
  readonly user: RegExp
  /** Dynos and builds write to their own layer, which only their user's folders are open to. */
  readonly readOnlyRoot: boolean
  /** `shared`: those of a sandbox. */
  readonly network: 'host' | 'joined' | 'none' | 'joined or none' | 'joined or shared'
  readonly restart: 'no' | 'always' | 'no or always'
  /** `target`, or `target:ro` where it must be read-only. */
  readonly mounts: readonly RegExp[]
  /** Router and control plane may use the whole machine, and as many files as connections need. */
  readonly cpusAndFiles: boolean
}

const dyno: KindProfile = {
  capabilities: [],
  user: /^59419:59419$/,
  readOnlyRoot: false,
  network: 'joined',
  restart: 'no',
  mounts: [/^\/etc\/paas-ca-bundle\.pem:ro$/],
  cpusAndFiles: true,
}

const server: KindProfile = { ...dyno, user: /^999:999$/, readOnlyRoot: true, mounts: [] }

const kinds: Readonly<Record<string, KindProfile>> = {
  dyno,
  'one-off': dyno,
  release: { ...dyno, network: 'joined or shared' },
  sandbox: { ...dyno, readOnlyRoot: true, mounts: [] },
  build: { ...dyno, mounts: [/^\/(tmp|layers)$/, /^\/previous:ro$/, /^\/opt\/(paas-ca-bundle\.pem|paas\/mirror):ro$/] },
  'add-on': {
    ...server,
    network: 'joined or none',
    restart: 'always',
    mounts: [/^\/(var\/lib\/postgresql\/data|socket)$/, /^\/config:ro$/],
  },
  'add-on-spare': { ...server, network: 'none', mounts: [/^\/spare$/] },
  // What makes its folder runs once.
  database: { ...server, network: 'none', restart: 'no or always', mounts: [/^\/(data|socket)$/] },
  router: {
    capabilities: routerCapabilities,
    // HAProxy begins as root, to bind its ports and leave root behind.
    user: /^$/,
    readOnlyRoot: true,
    network: 'host',
    restart: 'always',
    mounts: [/\/router$/],
    cpusAndFiles: false,
  },
  'control-plane': {
    capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'NET_ADMIN', 'SETGID', 'SETUID'],
    user: /^$/,
    readOnlyRoot: true,
    network: 'host',
    restart: 'always',
    mounts: [/docker\.sock$/, /paas[^:]*$/, /overlay2:ro$/, /\.(pem|crt):ro$/],
    cpusAndFiles: false,
  },
  // Made by tests themselves, to ask from where an app would.
  probe: { ...dyno, user: /^(59419:59419|999:999)$/, network: 'joined or none', mounts: [] },
}

/** Sentences, one a deviation. */
export function deviations(document: InspectDocument): string[] {
  const kind = document.Config.Labels?.[labelNames.kind] ?? ''
  const profile = kinds[kind]
  if (profile === undefined) return [`${document.Name}: '${kind}' is no kind of container that is known here`]
  return [...rightsOf(document, profile), ...limitsOf(document, profile), ...wallsOf(document, profile)].map(
    (what) => `${document.Name} (${kind}): ${what}`,
  )
}

type Rule = readonly [isSo: boolean, deviation: string]

function broken(rules: readonly Rule[]): string[] {
  return rules.filter(([isSo]) => !isSo).map(([, what]) => what)
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === '' || Object.keys(value as object).length === 0
}

function rightsOf({ Config, HostConfig: h }: InspectDocument, profile: KindProfile): string[] {
  const added = list(h.CapAdd).map(String)
  const security = list(h.SecurityOpt).map(String)
  const restart = h.RestartPolicy as { Name?: string; MaximumRetryCount?: number } | undefined
  return broken([
    [profile.user.test(Config.User), `its user is '${Config.User}'`],
    [JSON.stringify(h.CapDrop) === '["ALL"]', `CapDrop is ${JSON.stringify(h.CapDrop)}`],
    [added.every((c) => profile.capabilities.includes(c)), `CapAdd is ${added.join(' ')}`],
    [security.includes('no-new-privileges'), 'it may get new privileges'],
    [
      security.some((s) => s.startsWith('seccomp={"defaultAction":"SCMP_ACT_ERRNO"')),
      'it has no system call filter of ours',
    ],
    [h.Privileged === false, 'it is privileged'],
    [h.ReadonlyRootfs === profile.readOnlyRoot, `ReadonlyRootfs is ${String(h.ReadonlyRootfs)}`],
    [isEmpty(h.Devices) && isEmpty(h.DeviceRequests) && isEmpty(h.DeviceCgroupRules), 'it has devices'],
    [isEmpty(h.GroupAdd), 'it has more groups'],
    [profile.restart.split(' or ').includes(restart?.Name ?? 'no'), `its restart policy is ${restart?.Name}`],
    [list(h.MaskedPaths).length > 5 && list(h.ReadonlyPaths).length > 3, 'paths of /proc are open'],
    [isEmpty(h.Sysctls) && isEmpty(h.CgroupParent), 'it has sysctls or a control group of its own choice'],
  ])
}

function limitsOf({ HostConfig: h }: InspectDocument, profile: KindProfile): string[] {
  const ulimits = list(h.Ulimits) as { Name: string; Hard: number }[]
  const has = (name: string) => ulimits.some((u) => u.Name === name)
  const log = h.LogConfig as { Type: string; Config: Record<string, string> }
  const tmpfs = Object.entries((h.Tmpfs as Record<string, string> | null) ?? {})
  return broken([
    [Number(h.Memory) > 0 && h.Memory === h.MemorySwap, `its memory is ${String(h.Memory)}, ${String(h.MemorySwap)}`],
    [Number(h.PidsLimit) > 0, `PidsLimit is ${String(h.PidsLimit)}`],
    [!profile.cpusAndFiles || Number(h.NanoCpus) > 0, 'it has no CPU limit'],
    [!profile.cpusAndFiles || has('nofile'), 'it has no limit of open files'],
    [ulimits.some((u) => u.Name === 'core' && u.Hard === 0), 'it may dump core'],
    [h.OomKillDisable !== true, 'the kernel may not stop it when memory runs out'],
    [log.Type === 'none' || 'max-size' in log.Config, 'its log has no limit'],
    [tmpfs.every(([, options]) => /size=/.test(options)), 'it has a tmpfs without a size'],
    [Number(h.ShmSize) <= Number(h.Memory), 'its shared memory is larger than its memory'],
  ])
}

function wallsOf({ HostConfig: h }: InspectDocument, profile: KindProfile): string[] {
  const mode = String(h.NetworkMode)
  const network = mode === 'host' || mode === 'none' ? mode : mode.startsWith('container:') ? 'shared' : 'joined'
  const mounts = list(h.Binds).map((bind) => String(bind).split(':').slice(1).join(':'))
  return broken([
    [profile.network.split(' or ').includes(network), `its network is ${mode}`],
    [mode !== 'default' && mode !== 'bridge', 'it is on the default bridge'],
    [isEmpty(h.PidMode) && isEmpty(h.UTSMode) && isEmpty(h.UsernsMode), 'it shares a name space of the machine'],
    [['private', 'none', ''].includes(String(h.IpcMode ?? '')), `IpcMode is ${String(h.IpcMode)}`],
    [h.CgroupnsMode === 'private', `CgroupnsMode is ${String(h.CgroupnsMode)}`],
    [isEmpty(h.PortBindings) && h.PublishAllPorts === false, 'it publishes ports'],
    [isEmpty(h.VolumesFrom) && isEmpty(h.Links) && isEmpty(h.Mounts), 'it has volumes or links of others'],
    [mounts.every((m) => profile.mounts.some((p) => p.test(m))), `its mounts are ${mounts.join(' ')}`],
  ])
}
