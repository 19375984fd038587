/**
 * Every setting of the platform, read once at start: `PAAS_*` variables, each with a default and a sentence.
 *
 * This is the only file that reads the environment. The table below is also what `docs/operating.md` is checked
 * against, so a setting that isn't described can't be added.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'

interface Setting {
  readonly name: string
  readonly fallback: string
  readonly sentence: string
}

const table: Setting[] = []

function declare(name: string, fallback: string, sentence: string): Setting {
  const setting = { name, fallback, sentence }
  table.push(setting)
  return setting
}

const declared = {
  instance: declare(
    'PAAS_INSTANCE',
    'paas',
    'Name of this platform on the machine: prefix of its containers and networks, value of their label.',
  ),
  domain: declare(
    'PAAS_DOMAIN',
    'localhost',
    'Apps answer at <app>.<domain>, the API at api.<domain>, git at git.<domain>.',
  ),
  httpPort: declare('PAAS_HTTP_PORT', '80', "The router's public http port."),
  httpsPort: declare('PAAS_HTTPS_PORT', '443', "The router's public https port."),
  routerBind: declare('PAAS_ROUTER_BIND', '0.0.0.0', "Address the router's public ports bind to."),
  apiPort: declare('PAAS_API_PORT', '5000', 'Port of API and git on loopback.'),
  dataDir: declare('PAAS_DATA_DIR', '/var/lib/paas', 'Folder for everything the platform keeps outside Docker.'),
  databaseUrl: declare(
    'PAAS_DATABASE_URL',
    '',
    'Platform database; empty means the one in its own container, over its socket in the data folder.',
  ),
  engineSocket: declare('PAAS_ENGINE_SOCKET', '/var/run/docker.sock', "Path of the container engine's socket."),
  subnets: declare('PAAS_SUBNETS', '10.208.0.0/12', 'Private range that our networks are cut from; a /12 or larger.'),
  logLevel: declare('PAAS_LOG_LEVEL', 'info', "Level of the control plane's own log."),
  caBundle: declare(
    'PAAS_CA_BUNDLE',
    '',
    'Extra CA bundle (PEM file) that builds and dynos trust, for machines behind a company proxy.',
  ),
  httpProxy: declare('PAAS_BUILD_HTTP_PROXY', '', 'Proxy that builds use for http and https.'),
  noProxy: declare('PAAS_BUILD_NO_PROXY', '', 'Hosts that builds reach without the proxy.'),
  npmRegistry: declare('PAAS_NPM_REGISTRY', '', 'npm registry or mirror for builds.'),
  pypiIndex: declare('PAAS_PYPI_INDEX', '', 'Python package index or mirror for builds.'),
  goProxy: declare('PAAS_GO_PROXY', '', 'Go module proxy for builds.'),
  runtimeProviders: declare(
    'PAAS_RUNTIME_PROVIDERS',
    'bundled,mirror,upstream,npm,debian',
    'Where language runtimes come from, in order: bundled, mirror, upstream, npm, debian.',
  ),
  mirrorDir: declare('PAAS_MIRROR_DIR', '', 'Folder of runtime archives that the mirror provider serves.'),
  autoAddOns: declare('PAAS_AUTO_ADDONS', 'true', 'Whether a first push that needs PostgreSQL gets one.'),
  apiRateLimit: declare('PAAS_API_RATE_LIMIT', '4500', 'API calls allowed per token and hour-sixtieth (minute).'),
  buildConcurrency: declare('PAAS_BUILD_CONCURRENCY', '2', 'Builds that run at once; more wait.'),
  buildTimeoutMs: declare('PAAS_BUILD_TIMEOUT_MS', '900000', 'A build is stopped after this long.'),
  buildQuietTimeoutMs: declare(
    'PAAS_BUILD_QUIET_TIMEOUT_MS',
    '300000',
    'A build that prints nothing for this long is stopped.',
  ),
  buildMemory: declare('PAAS_BUILD_MEMORY', '2g', 'Memory limit of a build.'),
  buildCpus: declare('PAAS_BUILD_CPUS', '2', 'CPU limit of a build.'),
  buildPids: declare('PAAS_BUILD_PIDS', '1024', 'Process limit of a build.'),
  buildDisk: declare('PAAS_BUILD_DISK', '8g', 'Disk limit of a build folder.'),
  buildOutput: declare('PAAS_BUILD_OUTPUT', '10m', 'Output of a build beyond this is cut.'),
  sourceBytes: declare('PAAS_SOURCE_BYTES', '500m', 'Expanded size of a pushed source tree at most.'),
  sourceFiles: declare('PAAS_SOURCE_FILES', '100000', 'Files in a pushed source tree at most.'),
  packBytes: declare('PAAS_PACK_BYTES', '500m', 'Size of one push at most.'),
  refsPerPush: declare('PAAS_REFS_PER_PUSH', '100', 'Refs in one push at most.'),
  pushIdleTimeoutMs: declare(
    'PAAS_PUSH_IDLE_TIMEOUT_MS',
    '60000',
    'A push whose client sends nothing for this long is ended.',
  ),
  pushTimeoutMs: declare(
    'PAAS_PUSH_TIMEOUT_MS',
    '1800000',
    'A push is ended after this long, its build and release included.',
  ),
  pushHeartbeatMs: declare('PAAS_PUSH_HEARTBEAT_MS', '15000', 'A line is sent to the pusher after this much silence.'),
  pushesPerAccount: declare(
    'PAAS_PUSHES_PER_ACCOUNT',
    '4',
    'Pushes of one account at once; more are told to try again.',
  ),
  pushesPerHour: declare(
    'PAAS_PUSHES_PER_HOUR',
    '75',
    'Pushes of one account within an hour; more are told when to come back.',
  ),
  fetches: declare('PAAS_FETCHES', '16', 'Clones, fetches and lists of refs that are served at once; more wait.'),
  gitUid: declare(
    'PAAS_GIT_UID',
    '59418',
    "User and group number that git runs as when the control plane is root: nobody else's, and without a name or a password.",
  ),
  gitTransport: declare(
    'PAAS_GIT_TRANSPORT',
    'node-git-server',
    'What gives pushes to git: node-git-server (the package) or spawn (the control plane itself).',
  ),
  bootTimeoutMs: declare('PAAS_BOOT_TIMEOUT_MS', '60000', 'A web dyno must bind $PORT within this time (R10).'),
  healthChecksTimeoutMs: declare(
    'PAAS_HEALTH_CHECKS_TIMEOUT_MS',
    '900000',
    "A dyno's health checks (app.json) together may take this long.",
  ),
  stopGraceSeconds: declare('PAAS_STOP_GRACE_SECONDS', '30', 'Time between SIGTERM and SIGKILL (R12).'),
  drainTimeoutMs: declare(
    'PAAS_DRAIN_TIMEOUT_MS',
    '30000',
    'Requests in flight on an old dyno may take this long before it is told to stop.',
  ),
  releaseCommandTimeoutMs: declare(
    'PAAS_RELEASE_COMMAND_TIMEOUT_MS',
    '1800000',
    'A release command is stopped after this long.',
  ),
  oneOffTimeoutMs: declare('PAAS_ONE_OFF_TIMEOUT_MS', '86400000', 'A one-off dyno is stopped after this long.'),
  oneOffsPerApp: declare('PAAS_ONE_OFFS_PER_APP', '20', 'One-off dynos of one app at once.'),
  dynosPerApp: declare('PAAS_DYNOS_PER_APP', '100', 'Dynos of one app at most.'),
  passIntervalMs: declare('PAAS_PASS_INTERVAL_MS', '15000', 'Every app is looked at at least this often.'),
  passConcurrency: declare('PAAS_PASS_CONCURRENCY', '8', 'Apps looked at at once.'),
  crashBackoffMs: declare('PAAS_CRASH_BACKOFF_MS', '1000', 'Wait before the first restart of a crashed dyno; doubles.'),
  crashBackoffMaxMs: declare('PAAS_CRASH_BACKOFF_MAX_MS', '300000', 'Longest wait between restarts of a crashed dyno.'),
  keepReleases: declare('PAAS_KEEP_RELEASES', '10', 'Images of this many newest releases are kept for rollback.'),
  dynoLogBytes: declare('PAAS_DYNO_LOG_BYTES', '10m', "Size of the engine's own log of one dyno."),
  appLogBytes: declare('PAAS_APP_LOG_BYTES', '20m', 'Log kept per app; the oldest part goes first.'),
  logLinesPerSecond: declare(
    'PAAS_LOG_LINES_PER_SECOND',
    '2000',
    'Lines kept per app and second; the rest are counted and dropped (L10).',
  ),
  logTailsPerAccount: declare('PAAS_LOG_TAILS_PER_ACCOUNT', '20', 'Log tails of one account at once.'),
  routerSlots: declare(
    'PAAS_ROUTER_SLOTS',
    '100',
    'Apps the router has room for before it needs a reload; it grows by itself.',
  ),
  routerConnectTimeoutMs: declare(
    'PAAS_ROUTER_CONNECT_TIMEOUT_MS',
    '3000',
    'Time to connect to a dyno (H19); one that three cannot connect to is left out.',
  ),
  routerFirstByteTimeoutMs: declare(
    'PAAS_ROUTER_FIRST_BYTE_TIMEOUT_MS',
    '30000',
    'Time to the first byte of a response (H12).',
  ),
  routerIdleTimeoutMs: declare(
    'PAAS_ROUTER_IDLE_TIMEOUT_MS',
    '55000',
    'Silence allowed in a response or a websocket (H15).',
  ),
  appDiskBytes: declare('PAAS_APP_DISK_BYTES', '2g', 'A dyno whose own files take more disk than this is stopped.'),
  usageIntervalMs: declare(
    'PAAS_USAGE_INTERVAL_MS',
    '10000',
    "A dyno's use of disk and memory is looked at this often.",
  ),
  memoryWarningPercent: declare(
    'PAAS_MEMORY_WARNING_PERCENT',
    '95',
    'A dyno that uses this much of its memory is warned (R14); at 100 the kernel stops it (R15).',
  ),
  diskReserve: declare('PAAS_DISK_RESERVE', '2g', 'Builds are refused while less than this is free.'),
  postgresSpares: declare('PAAS_POSTGRES_SPARES', '1', 'Pre-initialised PostgreSQL volumes kept ready.'),
  postgresProvisionTimeoutMs: declare(
    'PAAS_POSTGRES_PROVISION_TIMEOUT_MS',
    '120000',
    'A new database must be ready within this time.',
  ),
  addOnRetentionMs: declare('PAAS_ADDON_RETENTION_MS', '86400000', 'Data of a destroyed add-on is kept this long.'),
  requestBodyBytes: declare('PAAS_REQUEST_BODY_BYTES', '1m', 'Size of an API request body at most.'),
  warmBuilds: declare('PAAS_WARM_BUILDS', '1', 'Build containers kept started ahead of the next push.'),
  tidyDelayMs: declare(
    'PAAS_BUILD_TIDY_DELAY_MS',
    '3000',
    'What a build leaves is cleared away this much later, when the release is likely up.',
  ),
  failpoint: declare('PAAS_FAILPOINT', '', 'For tests: the control plane kills itself at this point.'),
} as const

export type ConfigEnv = Readonly<Record<string, string | undefined>>

/** Reads the settings; an unusable value throws a sentence naming the variable. */
export function loadConfig(env: ConfigEnv = process.env) {
  const raw = (s: Setting) => env[s.name]?.trim() || s.fallback
  const text = (s: Setting, pattern: RegExp, want: string) => {
    const value = raw(s)
    if (!pattern.test(value)) throw new Error(`${s.name} is '${value}'; it must be ${want}`)
    return value
  }
  const count = (s: Setting, min = 0, max = Number.MAX_SAFE_INTEGER) => {
    const value = Number(raw(s))
    if (!Number.isInteger(value) || value < min || value > max)
      throw new Error(`${s.name} is '${raw(s)}'; it must be a whole number from ${min} to ${max}`)
    return value
  }
  const decimal = (s: Setting) => {
    const value = Number(raw(s))
    if (!Number.isFinite(value) || value <= 0) throw new Error(`${s.name} is '${raw(s)}'; it must be a positive number`)
    return value
  }
  const bytes = (s: Setting) => {
    const match = /^(\d+)([kmg]?)$/i.exec(raw(s))
    if (!match) throw new Error(`${s.name} is '${raw(s)}'; it must be a size such as 512m or 2g`)
    return (
      Number(match[1]) *
      { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[(match[2] ?? '').toLowerCase() as '' | 'k' | 'm' | 'g']
    )
  }
  const choice = <Name extends string>(s: Setting, names: readonly Name[]) => {
    const found = names.find((name) => name === raw(s))
    if (found === undefined) throw new Error(`${s.name} is '${raw(s)}'; it must be ${names.join(' or ')}`)
    return found
  }
  const flag = (s: Setting) => {
    const value = raw(s)
    if (value !== 'true' && value !== 'false') throw new Error(`${s.name} is '${value}'; it must be true or false`)
    return value === 'true'
  }
  const d = declared
  const dataDir = path.resolve(raw(d.dataDir))
  return {
    instance: text(d.instance, /^[a-z][a-z0-9-]{0,19}$/, 'lower-case letters, digits and dashes, 20 at most'),
    domain: text(d.domain, /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'a domain name'),
    httpPort: count(d.httpPort, 1, 65535),
    httpsPort: count(d.httpsPort, 1, 65535),
    routerBind: text(d.routerBind, /^[0-9a-f.:]+$/, 'an IP address'),
    apiPort: count(d.apiPort, 1, 65535),
    dataDir,
    databaseUrl: raw(d.databaseUrl),
    engineSocket: raw(d.engineSocket),
    subnets: text(d.subnets, /^10\.\d{1,3}\.0\.0\/(8|9|10|11|12)$/, 'a private range such as 10.208.0.0/12'),
    logLevel: text(d.logLevel, /^(trace|debug|info|warn|error|fatal|silent)$/, 'a pino level'),
    network: {
      caBundle: raw(d.caBundle),
      httpProxy: raw(d.httpProxy),
      noProxy: raw(d.noProxy),
      npmRegistry: raw(d.npmRegistry),
      pypiIndex: raw(d.pypiIndex),
      goProxy: raw(d.goProxy),
      runtimeProviders: raw(d.runtimeProviders).split(','),
      mirrorDir: raw(d.mirrorDir),
    },
    autoAddOns: flag(d.autoAddOns),
    api: { rateLimitPerMinute: count(d.apiRateLimit, 1), bodyBytes: bytes(d.requestBodyBytes) },
    build: {
      concurrency: count(d.buildConcurrency, 1),
      timeoutMs: count(d.buildTimeoutMs, 1),
      quietTimeoutMs: count(d.buildQuietTimeoutMs, 1),
      memoryBytes: bytes(d.buildMemory),
      cpus: decimal(d.buildCpus),
      pids: count(d.buildPids, 16),
      diskBytes: bytes(d.buildDisk),
      outputBytes: bytes(d.buildOutput),
      sourceBytes: bytes(d.sourceBytes),
      sourceFiles: count(d.sourceFiles, 1),
      warm: count(d.warmBuilds, 0, 8),
      tidyDelayMs: count(d.tidyDelayMs, 0),
    },
    git: {
      packBytes: bytes(d.packBytes),
      refsPerPush: count(d.refsPerPush, 1),
      idleTimeoutMs: count(d.pushIdleTimeoutMs, 1),
      timeoutMs: count(d.pushTimeoutMs, 1),
      heartbeatMs: count(d.pushHeartbeatMs, 10),
      pushesPerAccount: count(d.pushesPerAccount, 1),
      pushesPerHour: count(d.pushesPerHour, 1, 100_000),
      fetches: count(d.fetches, 1, 1000),
      uid: count(d.gitUid, 1, 2 ** 31 - 1),
      transport: choice(d.gitTransport, ['node-git-server', 'spawn']),
    },
    dynos: {
      bootTimeoutMs: count(d.bootTimeoutMs, 1),
      healthChecksTimeoutMs: count(d.healthChecksTimeoutMs, 1),
      stopGraceSeconds: count(d.stopGraceSeconds, 0),
      drainTimeoutMs: count(d.drainTimeoutMs, 0),
      releaseCommandTimeoutMs: count(d.releaseCommandTimeoutMs, 1),
      oneOffTimeoutMs: count(d.oneOffTimeoutMs, 1),
      oneOffsPerApp: count(d.oneOffsPerApp, 1),
      perApp: count(d.dynosPerApp, 1),
      passIntervalMs: count(d.passIntervalMs, 10),
      passConcurrency: count(d.passConcurrency, 1),
      crashBackoffMs: count(d.crashBackoffMs, 0),
      crashBackoffMaxMs: count(d.crashBackoffMaxMs, 0),
      logBytes: bytes(d.dynoLogBytes),
      diskBytes: bytes(d.appDiskBytes),
      usageIntervalMs: count(d.usageIntervalMs, 100),
      memoryWarningPercent: count(d.memoryWarningPercent, 1, 100),
      keepReleases: count(d.keepReleases, 1),
    },
    logs: {
      appBytes: bytes(d.appLogBytes),
      linesPerSecond: count(d.logLinesPerSecond, 1),
      tailsPerAccount: count(d.logTailsPerAccount, 1),
    },
    router: {
      slots: count(d.routerSlots, 1, 20000),
      connectTimeoutMs: count(d.routerConnectTimeoutMs, 1),
      firstByteTimeoutMs: count(d.routerFirstByteTimeoutMs, 1),
      idleTimeoutMs: count(d.routerIdleTimeoutMs, 1),
    },
    postgres: {
      spares: count(d.postgresSpares, 0, 8),
      provisionTimeoutMs: count(d.postgresProvisionTimeoutMs, 1),
      retentionMs: count(d.addOnRetentionMs, 0),
    },
    diskReserveBytes: bytes(d.diskReserve),
    failpoint: raw(d.failpoint),
  }
}

export type Config = ReturnType<typeof loadConfig>

/** Takes out of the environment what programs we start must not inherit: another git's settings, and our own. */
export function scrubEnvironment(): void {
  for (const name of Object.keys(process.env)) if (/^(GIT|PAAS|MALLOC)_/.test(name)) delete process.env[name]
}

/** Has a program in this folder win over one of the same name elsewhere, for what we and our packages start by name. */
export function putFirstOnPath(folder: string): void {
  process.env.PATH = [folder, process.env.PATH].filter(Boolean).join(':')
}

/** The settings as declared, for the reference in docs. */
export function settingsTable(): readonly Setting[] {
  return table
}

/** Reads the 32-byte sealing key that set-up wrote beside the data; it never is in the database. */
export function readSealingKey(config: Config): Buffer {
  const key = Buffer.from(readFileSync(path.join(config.dataDir, 'secret.key'), 'utf8').trim(), 'hex')
  if (key.length !== 32) throw new Error(`${path.join(config.dataDir, 'secret.key')} must hold 64 hexadecimal digits`)
  return key
}
