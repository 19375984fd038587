/**
 * Every setting of the platform: a name `PAAS_*`, a default and a sentence. `config.ts` reads them. `docs/operating.md` is
 * checked against this table, so a setting that isn't described can't be added.
 */

export interface Setting {
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

export const settings = {
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
  rendezvousPort: declare(
    'PAAS_RENDEZVOUS_PORT',
    '5001',
    "Port that Heroku's command line attaches to one-off dynos at (heroku run); 0 for none. paas needs none.",
  ),
  rendezvousBind: declare('PAAS_RENDEZVOUS_BIND', '127.0.0.1', 'Address the rendezvous port binds to.'),
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
  buildFiles: declare('PAAS_BUILD_FILES', '500000', 'Files, folders and links in what a build hands out at most.'),
  buildNames: declare('PAAS_BUILD_NAMES', '64m', 'Size of their names together at most; the platform remembers them.'),
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
    'Pushes of one account to one app within an hour; more are told when to come back.',
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
  commandTimeoutMs: declare(
    'PAAS_COMMAND_TIMEOUT_MS',
    '5000',
    "A small command of the platform's in a dyno (telling it to stop, reading its ports) may take this long.",
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
    'Lines that a dyno may print a second, and requests of an app that are all logged; of more, some are dropped (L10).',
  ),
  logBytesPerSecond: declare(
    'PAAS_LOG_BYTES_PER_SECOND',
    '4m',
    'What a dyno may print within a second; lines over it are counted and dropped (L10).',
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

/** The settings as declared, for the reference in docs. */
export function settingsTable(): readonly Setting[] {
  return table
}
