/**
 * Puts the control plane together: database and lock first, then the parts, then the loop, and the doors (API and git)
 * last. Nothing here decides anything; it says who gets what.
 */
import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import { listAppIds } from './store/apps.js'
import { endAbandonedBuilds } from './store/builds.js'
import { createAddOnLoop } from './addons/add-on-loop.js'
import { ensureAppNetworks, removeAppNetworks } from './addons/app-network.js'
import { gitUrl } from './api/addresses.js'
import { buildApi } from './api/app.js'
import { createBuildOutput } from './api/build-output.js'
import { createDockerBuilder } from './build/docker-builder.js'
import { type Config, readSealingKey } from './config.js'
import { attachTo } from './dynos/attach-gate.js'
import { createBootChecks } from './dynos/boot-check.js'
import { createBootNews } from './dynos/boot-news.js'
import type { LoopContext } from './dynos/loop-context.js'
import { createReconciler, type Reconciler } from './dynos/reconciler.js'
import { createRoutePublisher } from './dynos/route-publisher.js'
import { createImageKeeper } from './dynos/image-keeper.js'
import { createUsageWatch } from './dynos/usage-watch.js'
import { createDockerEngine } from './engine/docker-engine.js'
import type { Engine } from './engine/engine.js'
import { openRepositories, startGitDoor } from './git-door.js'
import { registerGit } from './git/register-git.js'
import { armFailpoint, failpoint } from './lib/failpoint.js'
import type { Logger } from './lib/logger.js'
import { createSealer } from './lib/seal.js'
import { createTopic } from './lib/topic.js'
import { createLogFollower } from './logs/container-follower.js'
import { openLogHub } from './logs/hub.js'
import { renderLogLine } from './logs/log-line.js'
import { createTailBuffer } from './logs/tail-buffer.js'
import { ensureSharedNetworks, firewallRules } from './shared-networks.js'
import { ensureFirewall } from './engine/host-firewall.js'
import { subnetPlan } from './model/subnets.js'
import { settleDeployedRefs } from './deployed-refs.js'
import type { Platform, ReleaseNews } from './platform.js'
import { prepareRendezvous } from './rendezvous-options.js'
import { createRouter, type Router } from './router/router.js'
import { createRouterLines } from './router-lines.js'
import { routerOptions } from './router-options.js'
import { type Database, openDatabase, throughOutages } from './store/database.js'
import { nextRouteTableVersion } from './store/dynos.js'

export interface ControlPlaneOptions {
  readonly config: Config
  readonly log: Logger
  readonly databaseUrl: string
  /** Image references, as set-up wrote them down. */
  readonly images: { readonly stack: string; readonly stackBuild: string; readonly postgres: string }
  readonly migrationsDir?: string
  /** Called when the platform can't go on: another control plane holds its lock. */
  readonly onFatal: (reason: string) => void
}

export interface ControlPlane {
  readonly api: FastifyInstance
  /** Ends gracefully: no new requests, passes finish, nothing of the apps is touched. */
  stop(): Promise<void>
}

/**
 * What an app's log takes. A dyno passes on the setting's number a second, as many at once after a pause, and last words beyond
 * that: they must not be lost here.
 */
function logLinesPerSecond({ logs }: Config): number {
  return 2 * logs.linesPerSecond + 1_000
}

/** Starts everything; throws a sentence when another control plane holds this platform. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { config, log } = options
  armFailpoint(config.failpoint)
  const engine = createDockerEngine({ socketPath: config.engineSocket })
  const db = openDatabase({
    url: options.databaseUrl,
    sealer: createSealer(readSealingKey(config)),
    ...(options.migrationsDir === undefined ? {} : { migrationsDir: options.migrationsDir }),
    onError: (err) => log.warn({ err }, 'the connection to the platform database broke'),
  })
  if (!(await db.acquireLock(() => options.onFatal('another control plane has taken this platform over')))) {
    await db.close()
    throw new Error('Another control plane is running this platform; stop it first.')
  }
  await db.migrate()

  const networks = await ensureSharedNetworks(engine, config)
  const closeHost = () =>
    ensureFirewall(firewallRules(config)).catch((err: unknown) =>
      log.error({ err }, 'the machine could not be closed to dynos'),
    )
  await closeHost()
  const keepNetworks = () =>
    ensureSharedNetworks(engine, config).catch((err: unknown) =>
      log.warn({ err }, 'the networks of dynos and builds could not be looked at'),
    )
  const router = createRouter(routerOptions(config))
  await router.prepare()
  const hub = openLogHub({
    dir: path.join(config.dataDir, 'logs'),
    appBytes: config.logs.appBytes,
    linesPerSecond: logLinesPerSecond(config),
    log,
  })
  const releaseNews = createTopic<ReleaseNews>()
  const buildOutput = createBuildOutput(config.build.outputBytes)
  const repos = openRepositories(config)
  const builder = await createDockerBuilder({ engine, config, images: options.images, network: networks.builds, log })

  // The loop and the actions know each other only through these two functions.
  let reconciler: Reconciler | undefined
  const platform: Platform = {
    config,
    db,
    log,
    builder,
    releaseNews,
    buildsUnderWay: new Set(),
    nudge: (appId) => reconciler?.nudge(appId),
    nudgeAddOns: () => addOns.nudge(),
    nudgeImages: () => images.nudge(),
    appLog: (appId, line) => hub.append(appId, { at: new Date().toISOString(), ...line }),
  }
  const addOns = createAddOnLoop({
    db,
    engine,
    config,
    images: options.images,
    log,
    onChange: (appIds) => {
      for (const appId of appIds) platform.nudge(appId)
    },
  })
  const output = createLogFollower({
    engine,
    hub,
    log,
    linesPerSecond: logLinesPerSecond(config),
    onLine: (container, line) => releaseLines.get(container.id)?.(line.text),
  })
  const releaseLines = new Map<string, (text: string) => void>()
  const context: LoopContext = {
    engine,
    db,
    config,
    log,
    routes: createRoutePublisher(router, () => nextRouteTableVersion(db)),
    bootChecks: createBootChecks({
      healthChecksTimeoutMs: config.dynos.healthChecksTimeoutMs,
      ...createBootNews({ engine, releaseNews, appLog: platform.appLog, nudge: platform.nudge }),
    }),
    output: {
      follow: (container) => output.follow(container),
      drained: (id) => output.drained(id),
      forget: (id) => {
        releaseLines.delete(id)
        output.forget(id)
      },
      // A release command's lines go to whoever waits for that release.
      announceTo: (containerId, releaseId) => {
        if (!releaseLines.has(containerId))
          releaseLines.set(containerId, (text) => releaseNews.publish(releaseId, { kind: 'line', text }))
      },
    },
    releaseNews,
    dynoNetwork: { name: networks.dynos, subnet: subnetPlan(config.subnets).dynos },
    stopping: new Set(),
    toldToStop: new Set(),
    outlivedOom: new Set(),
    letGoAt: new Map(),
    machineCpus: (await engine.info()).cpus,
    stackImage: options.images.stack,
    appLog: platform.appLog,
    nudge: platform.nudge,
    ensureOwnNetwork: async (app) => (await ensureAppNetworks(engine, config, app)).own.name,
    removeOwnNetwork: async (app) => {
      if (app.networkIndex !== undefined) await removeAppNetworks(engine, config, app.networkIndex)
    },
    clearAway: async (appId) => {
      await repos.remove(appId)
      failpoint('app.repository-removed')
      await builder.forget(appId)
      failpoint('app.cache-removed')
      await builder.removeImagesOf(appId)
      failpoint('app.images-removed')
      await hub.remove(appId)
    },
  }
  const loop = createReconciler(context)
  reconciler = loop
  const usage = createUsageWatch(context)

  await endAbandonedBuilds(db)
  const settleRefs = (appId?: string) =>
    throughOutages(() => settleDeployedRefs({ db, repositories: repos, log }, appId))
  await settleRefs()
  const images = createImageKeeper({
    db,
    config,
    log,
    buildsUnderWay: platform.buildsUnderWay,
    listTags: engine.listTags,
    removeImage: builder.removeImage,
  })

  const git = await startGitDoor({ platform, repositories: repos, readAlong: buildOutput.begin, settleRefs })

  const health = createHealth(engine, db, router)
  const api = await buildApi({
    platform,
    logs: {
      read: (appId, query) => hub.read(appId, query),
      follow: (appId, query, onLine) => hub.follow(appId, query, onLine),
      render: renderLogLine,
      buffer: createTailBuffer,
    },
    attach: { open: (oneOff) => attachTo({ engine, db, config, nudge: platform.nudge }, oneOff) },
    buildOutput,
    addOnInfo: (addOn) => addOns.describe(addOn),
    health,
    caCertificatePem: () => router.caCertificatePem(),
    rendezvous: await prepareRendezvous(config),
  })
  await api.register(registerGit, git)

  const ending = new AbortController()
  const routerLines = createRouterLines({ hub, log, hasApp: (appId) => context.routes.has(appId) })
  const following = router.followAccessLog(routerLines.onEntry, ending.signal, routerLines.onUnreadable)
  const keeping = router.keepHouse(ending.signal, (err) =>
    log.warn({ err }, 'the router could not be brought in step; trying again'),
  )
  addOns.start()
  void loop.start()
  usage.start()
  /** Each push adds a pack. */
  const compactRepositories = async () => {
    try {
      for (const appId of await listAppIds(db)) if (await repos.exists(appId)) await repos.compact(appId)
    } catch (err) {
      log.warn({ err }, 'the repositories could not be compacted; trying again later')
    }
  }
  const housekeeping = [
    setInterval(() => void compactRepositories(), 30 * 60_000),
    // Other tools of the machine may have reset its rules.
    setInterval(() => void closeHost(), 60_000),
    setInterval(() => void keepNetworks(), config.dynos.passIntervalMs),
  ]
  await api.listen({ host: '127.0.0.1', port: config.apiPort })
  log.info({ port: config.apiPort, git: gitUrl(config, '<app>') }, 'the control plane is up')

  return {
    api,
    async stop() {
      for (const timer of housekeeping) clearInterval(timer)
      await git.relay.close()
      await api.close()
      await usage.stop()
      await loop.stop()
      await addOns.stop()
      await builder.close()
      await images.stop()
      ending.abort()
      await Promise.all([following, keeping])
      await output.stopAll()
      await hub.close()
      await db.close()
    },
  }
}

function createHealth(engine: Engine, db: Database, router: Router) {
  return async () => {
    const [engineUp, databaseUp, routerUp] = await Promise.all([
      engine.info().then(
        () => true,
        () => false,
      ),
      db.isUp(),
      router.health().then((h) => h.up),
    ])
    const missing = [
      ...(engineUp ? [] : ['engine']),
      ...(databaseUp ? [] : ['database']),
      ...(routerUp ? [] : ['router']),
    ]
    return { ready: missing.length === 0, missing }
  }
}
