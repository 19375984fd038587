/** Starts the platform's parts in order, each harmless to start again. Shared by docker/up and by tests and benchmarks. */
import { writeFile, rename } from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../server/config.js'
import { readSealingKey } from '../server/config.js'
import type { ContainerSpec, Engine, Mount } from '../server/engine/engine.js'
import { createSealer } from '../server/lib/seal.js'
import { labelNames } from '../server/model/labels.js'
import { createRouter, routerCapabilities } from '../server/router/router.js'
import { routerOptions } from '../server/router-options.js'
import { openDatabase } from '../server/store/database.js'
import { type Images, imagesLabel } from './images.js'
import { ensureDatabase, ensureDataDir, ensurePart, ensureRouter, platformDatabaseUrl } from './parts.js'

export type PartImages = Pick<Images, 'stack' | 'stackBuild' | 'router' | 'postgres'>

/** Data folder, database with its schema, and router: all that a control plane expects to find. */
export async function startFoundations(engine: Engine, config: Config, images: PartImages): Promise<void> {
  await ensureDataDir(config)
  await writeImages(config, images)
  await ensureDatabase(engine, config, images.postgres)
  const db = openDatabase({ url: platformDatabaseUrl(config), sealer: createSealer(readSealingKey(config)) })
  await db.migrate().finally(() => db.close())
  const router = createRouter(routerOptions(config))
  await router.prepare()
  await ensureRouter(engine, config, images.router, {
    command: router.command,
    capabilities: routerCapabilities,
    dir: routerOptions(config).dir,
  })
}

async function writeImages(config: Config, images: PartImages): Promise<void> {
  const file = path.join(config.dataDir, 'images.json')
  const { stack, stackBuild, postgres } = images
  await writeFile(`${file}.new`, JSON.stringify({ stack, stackBuild, postgres }), { flush: true })
  await rename(`${file}.new`, file)
}

/** The control plane as a container: the engine's socket and the data folder are what it has of the machine, and sight of its containers' files. */
export async function startControlPlaneContainer(
  engine: Engine,
  config: Config,
  images: Images,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const ca: Mount[] = config.network.caBundle
    ? [{ source: config.network.caBundle, target: config.network.caBundle, readOnly: true }]
    : []
  const { rootDir, storageDriver } = await engine.info()
  // Where dynos' own files are, so that they can be counted as the disk counts them.
  const layers = path.join(rootDir, storageDriver)
  const written: Mount[] = storageDriver === 'overlay2' ? [{ source: layers, target: layers, readOnly: true }] : []
  const spec: ContainerSpec = {
    name: `${config.instance}-control-plane`,
    image: images.controlPlane,
    labels: {
      [labelNames.instance]: config.instance,
      [labelNames.kind]: 'control-plane',
      [imagesLabel]: Object.values(images).join(' '),
    },
    env: {
      ...environment,
      NODE_OPTIONS: '--max-old-space-size=512 --max-semi-space-size=2',
      // What start-up needed for a moment goes back to the machine.
      MALLOC_ARENA_MAX: '2',
      MALLOC_TRIM_THRESHOLD_: '131072',
    },
    network: 'host',
    mounts: [
      { source: config.engineSocket, target: config.engineSocket },
      { source: config.dataDir, target: config.dataDir },
      ...written,
      ...ca,
    ],
    tmpfs: { '/tmp': 'size=256m,mode=1777', '/run': 'size=4m,mode=755' },
    readOnlyRoot: true,
    init: true,
    // It owns files of several users below the data folder, and starts git as another user.
    capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'NET_ADMIN', 'SETGID', 'SETUID'],
    restart: 'always',
    limits: { memoryBytes: 1024 ** 3, pids: 2048 },
  }
  await ensurePart(engine, spec)
}

/** Waits until `GET /health` says ready; throws with what is missing. */
export async function platformAnswers(config: Config, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs
  let last = 'it does not answer'
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${config.apiPort}/health`, { signal: AbortSignal.timeout(2_000) })
      if (response.ok) return
      last = `it says ${(await response.text()).slice(0, 200)}`
    } catch {
      // Not listening yet.
    }
    if (Date.now() > deadline)
      throw new Error(
        `The control plane was not ready within ${timeoutMs / 1000} s: ${last}. See: docker logs ${config.instance}-control-plane`,
      )
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
