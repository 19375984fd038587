/**
 * Reads the settings (`settings.ts`) once at start, from `PAAS_*` variables. This is the only file that reads the
 * environment.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Setting, settings } from './settings.js'

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
  const d = settings
  const dataDir = path.resolve(raw(d.dataDir))
  return {
    instance: text(d.instance, /^[a-z][a-z0-9-]{0,19}$/, 'lower-case letters, digits and dashes, 20 at most'),
    domain: text(d.domain, /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'a domain name'),
    httpPort: count(d.httpPort, 1, 65535),
    httpsPort: count(d.httpsPort, 1, 65535),
    routerBind: text(d.routerBind, /^[0-9a-f.:]+$/, 'an IP address'),
    apiPort: count(d.apiPort, 1, 65535),
    rendezvous: {
      port: count(d.rendezvousPort, 0, 65535),
      bind: text(d.rendezvousBind, /^[0-9a-f.:]+$/, 'an IP address'),
    },
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
      files: count(d.buildFiles, 1),
      nameBytes: bytes(d.buildNames),
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
      commandTimeoutMs: count(d.commandTimeoutMs, 1),
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
      bytesPerSecond: bytes(d.logBytesPerSecond),
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

/** Reads the 32-byte sealing key that set-up wrote beside the data; it never is in the database. */
export function readSealingKey(config: Config): Buffer {
  const key = Buffer.from(readFileSync(path.join(config.dataDir, 'secret.key'), 'utf8').trim(), 'hex')
  if (key.length !== 32) throw new Error(`${path.join(config.dataDir, 'secret.key')} must hold 64 hexadecimal digits`)
  return key
}
