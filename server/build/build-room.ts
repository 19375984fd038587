/**
 * A build room: one throw-away container of the build stack with its folders on the host, started ahead of the push that
 * will use it, its driver waiting for input; used for one build, and removed. The folders are bind-mounted when the
 * container starts; what the app's last build left is moved into the room by renaming it below `previous/`, so nothing is
 * copied.
 *
 *   rooms/<id>/tmp       → /tmp       work folder, writable
 *   rooms/<id>/layers    → /layers    new dependency layers, writable
 *   rooms/<id>/previous  → /previous  last build's layers and cache, read-only
 *   rooms/<id>/out                    ours alone: layer tars on their way into an image
 */
import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../config.js'
import type { ContainerSpec, Engine, ExecSession, Labels, Mount } from '../engine/engine.js'
import { dynoUid, userOf } from '../model/dyno-user.js'
import { failpoint } from '../lib/failpoint.js'
import { removeTree } from '../lib/remove-tree.js'
import { labelNames } from '../model/labels.js'
import { startDriver } from './driver-process.js'

export interface BuildRoom {
  readonly id: string
  readonly container: string
  readonly dir: string
  readonly driver: ExecSession
  /** Ends the container at once and removes it and the folders. Throws when the engine is away: it is asked again, then. */
  close(): Promise<void>
}

export interface RoomOptions {
  readonly engine: Engine
  readonly config: Pick<Config, 'instance' | 'dataDir' | 'build' | 'network'>
  readonly image: string
  readonly network: string
}

export function roomsDir(config: Pick<Config, 'dataDir'>): string {
  return path.join(config.dataDir, 'builds', 'rooms')
}

export async function openRoom(options: RoomOptions): Promise<BuildRoom> {
  const { engine, config } = options
  const id = randomBytes(6).toString('hex')
  const dir = path.join(roomsDir(config), id)
  for (const name of ['tmp', 'layers', 'previous', 'out']) await mkdir(path.join(dir, name), { recursive: true })
  for (const name of ['tmp', 'layers']) await chown(path.join(dir, name), dynoUid, dynoUid)
  await chmod(path.join(dir, 'tmp'), 0o1777)
  failpoint('room.folders-made')
  const close = (container: string) => () => removeRoom(engine, container, dir)
  const name = `${config.instance}-build-${id}`
  try {
    const container = await engine.createContainer(roomSpec(options, name, dir))
    failpoint('room.created')
    await engine.startContainer(container)
    failpoint('room.started')
    const driver = await startDriver(engine, config.network, container)
    failpoint('room.driver-waits')
    return { id, container, dir, driver, close: close(container) }
  } catch (error) {
    await close(name)()
    throw error
  }
}

const removeAgainMs = 5_000

/** Throws when the engine could not remove the container now; it is asked again until it has. */
async function removeRoom(engine: Engine, container: string, dir: string): Promise<void> {
  try {
    await engine.removeContainer(container, { force: true })
  } catch (error) {
    setTimeout(() => void removeRoom(engine, container, dir).catch(() => {}), removeAgainMs).unref()
    throw error
  } finally {
    await removeTree(dir)
  }
}

function roomSpec({ config, image, network }: RoomOptions, name: string, dir: string): ContainerSpec {
  const labels: Labels = { [labelNames.instance]: config.instance, [labelNames.kind]: 'build' }
  const optional: Mount[] = [
    ...(config.network.caBundle
      ? [{ source: config.network.caBundle, target: '/opt/paas-ca-bundle.pem', readOnly: true }]
      : []),
    ...(config.network.mirrorDir
      ? [{ source: config.network.mirrorDir, target: '/opt/paas/mirror', readOnly: true }]
      : []),
  ]
  return {
    name,
    image,
    labels,
    command: ['sleep', 'infinity'],
    user: userOf(dynoUid),
    hostname: 'build',
    network: [{ network }],
    init: true,
    mounts: [
      { source: path.join(dir, 'tmp'), target: '/tmp' },
      { source: path.join(dir, 'layers'), target: '/layers' },
      { source: path.join(dir, 'previous'), target: '/previous', readOnly: true },
      ...optional,
    ],
    tmpfs: { '/tmp/env': `size=16m,mode=0700,uid=${dynoUid},gid=${dynoUid}` },
    limits: {
      memoryBytes: config.build.memoryBytes,
      cpus: config.build.cpus,
      // Running apps come first when both want the processor.
      cpuShares: 256,
      pids: config.build.pids,
      openFiles: 16_384,
      fileSizeBytes: config.build.diskBytes,
      oomScoreAdj: 500,
    },
    logs: { maxSizeBytes: 1024 * 1024, maxFiles: 1 },
  }
}

export interface RoomPool {
  /** A room that is ready, or a new one. */
  take(): Promise<BuildRoom>
  /** Ends the spare rooms. */
  close(): Promise<void>
}

/** Keeps `warm` rooms started ahead; a new one is made when one is taken, after the build has had its start. */
export function createRoomPool(
  options: RoomOptions & { readonly warm: number; readonly onError: (error: unknown) => void },
): RoomPool {
  const spares: Promise<BuildRoom | undefined>[] = []
  let closed = false
  const fill = () => {
    while (!closed && spares.length < options.warm)
      spares.push(
        openRoom(options).catch((error) => {
          options.onError(error)
          return undefined
        }),
      )
  }
  fill()
  return {
    async take() {
      const spare = spares.shift()
      // Later: the machine belongs to the build that is starting.
      setTimeout(fill, 5_000).unref()
      const room = spare === undefined ? undefined : await spare
      if (room !== undefined && (await isWaiting(room))) return room
      void room?.close().catch(options.onError)
      return openRoom(options)
    },
    async close() {
      closed = true
      await Promise.all(spares.splice(0).map(async (spare) => (await spare)?.close()))
    },
  }
}

/** False after a restart of the engine too, which ends connections even where containers go on. */
async function isWaiting({ driver }: BuildRoom): Promise<boolean> {
  const hasEnded = driver.ended.then(() => false)
  return Promise.race([hasEnded, driver.isRunning()])
}
