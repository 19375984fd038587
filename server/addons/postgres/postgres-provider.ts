/**
 * PostgreSQL: one dedicated server container per database, over a data folder that outlives it.
 *
 * `ensureReady` is one road from nothing to ready, each step of which looks first: folders → cluster → access rules →
 * container → networks → start → role and database. A server that runs and is where it should be is left alone.
 */
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../../config.js'
import type { ContainerDetail, Engine, Network } from '../../engine/engine.js'
import { failpoint } from '../../lib/failpoint.js'
import { removeTree } from '../../lib/remove-tree.js'
import type { AddOn } from '../../model/add-on.js'
import { findPlan } from '../../model/add-on.js'
import { labelNames } from '../../model/labels.js'
import { asPostgresSecrets } from '../../model/postgres-url.js'
import { isStarting, withTenantServer } from '../../store/tenant-postgres.js'
import type { AddOnProvider, AddOnWish } from '../provider.js'
import { describeDatabase } from './describe-database.js'
import { exists, syncFolder } from './durable-files.js'
import { createFolders, ensureFolders, type Folders, isCluster, writeAccess } from './folders.js'
import { planLabel, serverContainer, serverJoin, serverLabels, serverName } from './server-container.js'
import { createSpares, type Spares } from './spares.js'
import { endSessionsFrom, ensureTenant } from './tenant.js'
import { lastLines } from './waits.js'

export interface PostgresProviderOptions {
  readonly engine: Engine
  readonly config: Pick<Config, 'instance' | 'dataDir' | 'postgres'>
  readonly image: string
}

/** A server writes its last checkpoint within this, or is killed and recovers at its next start. */
const stopGraceSeconds = 60
const readyPollMs = 10

interface Context extends PostgresProviderOptions {
  readonly folders: Folders
  readonly spares: Spares
  machine(): Promise<{ readonly cpus: number; readonly memoryBytes: number }>
}

export function createPostgresProvider(options: PostgresProviderOptions): AddOnProvider {
  const { engine, config } = options
  const folders = createFolders(config.dataDir)
  const spares = createSpares({
    engine,
    instance: config.instance,
    image: options.image,
    folder: folders.spares,
    timeoutMs: config.postgres.provisionTimeoutMs,
  })
  let machine: Promise<{ cpus: number; memoryBytes: number }> | undefined
  const context: Context = {
    ...options,
    folders,
    spares,
    machine: () => {
      machine ??= engine.info().catch((error: unknown) => {
        machine = undefined
        throw error
      })
      return machine
    },
  }
  return {
    service: 'heroku-postgresql',
    ensureReady: (wish) => ensureReady(context, wish),
    ensureStopped: (addOnId) => removeServer(context, serverName(config.instance, addOnId)),
    removeData: async (addOnId) => {
      const { root } = folders.of(addOnId)
      failpoint('add-on.before-remove-data')
      await removeTree(root)
      if (await exists(path.dirname(root))) await syncFolder(path.dirname(root))
      failpoint('add-on.after-remove-data')
    },
    sweep: async (knownIds) => {
      const containers = await engine.listContainers(serverLabels(config.instance))
      const ids = await folders.ids()
      const known = await knownIds()
      for (const container of containers)
        if (!known.has(container.labels[labelNames.addOn] ?? '')) await removeServer(context, container.id)
      return ids.filter((id) => !known.has(id))
    },
    keepSpares: () => spares.keep(config.postgres.spares),
    describe: (addOn, secrets) =>
      describeDatabase(folders.of(addOn.id).socket, addOn, asPostgresSecrets(secrets), planOf(addOn)),
  }
}

function planOf(addOn: AddOn) {
  const found = findPlan(`${addOn.service}:${addOn.plan}`)
  if (!found) throw new Error(`There is no plan ${addOn.service}:${addOn.plan}.`)
  return found.plan
}

async function ensureReady(context: Context, wish: AddOnWish): Promise<boolean> {
  const { engine, config } = context
  const { addOn, networks } = wish
  const tenant = asPostgresSecrets(wish.secrets)
  const plan = planOf(addOn)
  const folders = context.folders.of(addOn.id)

  let server = await engine.findContainer(serverName(config.instance, addOn.id))
  if (server && mustBeMadeAgain(server, addOn, networks)) {
    await closeNetworks(context, server, addOn, networks)
    await removeServer(context, server.id)
    server = undefined
  }
  const wasRunning = server?.state === 'running'
  if (!wasRunning) {
    await ensureFolders(folders)
    await ensureCluster(context, addOn, folders.data)
    await writeAccess(folders.config, tenant)
  }
  server ??= await createServer(context, addOn, networks)
  const moved = await ensureNetworks(context, server, addOn, networks)
  if (wasRunning && addOn.state === 'provisioned') return moved

  await startServer(context, server)
  await untilReady(context, server.id, folders.socket)
  failpoint('add-on.before-tenant')
  await withTenantServer(folders.socket, (sql) => ensureTenant(sql, tenant, plan.connections))
  failpoint('add-on.after-tenant')
  return true
}

async function createServer(context: Context, addOn: AddOn, networks: readonly Network[]): Promise<ContainerDetail> {
  const { engine, config } = context
  const plan = planOf(addOn)
  const { cpus, memoryBytes } = await context.machine()
  const spec = serverContainer({
    instance: config.instance,
    image: context.image,
    addOn,
    folders: context.folders.of(addOn.id),
    // The engine refuses more CPUs than there are.
    size: {
      memoryBytes: Math.min(plan.memoryBytes, memoryBytes),
      cpus: Math.min(plan.cpus, cpus),
      connections: plan.connections,
    },
    networks: networks.map((n) => n.name),
  })
  failpoint('add-on.before-create')
  const id = await engine.createContainer(spec)
  failpoint('add-on.after-create')
  const server = await engine.findContainer(id)
  if (!server) throw new Error(`The server of ${addOn.name} vanished right after it was made.`)
  return server
}

async function startServer(context: Context, server: ContainerDetail): Promise<void> {
  failpoint('add-on.before-start')
  try {
    await context.engine.startContainer(server.id)
  } catch (error) {
    // What a container was made with may be gone, such as a network of the same name. The next look makes another.
    await removeServer(context, server.id)
    throw error
  }
  failpoint('add-on.after-start')
}

/** What can't be changed on a container: its plan's limits, and whether it has a network at all. */
function mustBeMadeAgain(server: ContainerDetail, addOn: AddOn, networks: readonly Network[]): boolean {
  const hasNone = 'none' in server.addresses
  return (
    server.labels[planLabel] !== addOn.plan ||
    hasNone !== (networks.length === 0) ||
    server.state === 'paused' ||
    server.state === 'dead' ||
    server.state === 'removing'
  )
}

/** Only an add-on that was never ready gets a cluster: an empty one in place of lost data would hide the loss. */
async function ensureCluster(context: Context, addOn: AddOn, data: string): Promise<void> {
  if (await isCluster(data)) return
  if (await exists(data))
    throw new Error(`The folder ${data} is there, but there is no database in it; it is left alone.`)
  if (addOn.state !== 'provisioning')
    throw new Error(`The data of ${addOn.name} is gone: ${data} is missing. Put it back, or destroy the add-on.`)
  await context.spares.handOut(data)
}

/** What must close closes first: a join that fails doesn't keep it open. */
async function ensureNetworks(
  context: Context,
  server: ContainerDetail,
  addOn: AddOn,
  networks: readonly Network[],
): Promise<boolean> {
  const closed = await closeNetworks(context, server, addOn, networks)
  const missing = networks.filter((n) => !(n.name in server.addresses))
  for (const network of missing) {
    failpoint('add-on.before-connect')
    await context.engine.connectNetwork(serverJoin(network.name, addOn.name), server.id)
    failpoint('add-on.after-connect')
  }
  return closed || missing.length > 0
}

/**
 * Leaves every network but those named. Sessions from there are ended before, so that their clients hear of it, and
 * after, so that none that came in between lingers.
 */
async function closeNetworks(
  context: Context,
  server: ContainerDetail,
  addOn: AddOn,
  networks: readonly Network[],
): Promise<boolean> {
  const { engine } = context
  const wanted = new Set([...networks.map((n) => n.name), 'none'])
  const extra = Object.keys(server.addresses).filter((name) => !wanted.has(name))
  for (const name of extra) {
    const subnet = (await engine.findNetwork(name))?.subnet
    const end = async () => {
      if (subnet === undefined || subnet === '' || server.state !== 'running') return
      const { socket } = context.folders.of(addOn.id)
      // A server that doesn't answer mustn't keep the path open.
      await withTenantServer(socket, (sql) => endSessionsFrom(sql, subnet), { timeoutMs: 2_000 }).catch(() => {})
    }
    await end()
    failpoint('add-on.before-disconnect')
    await engine.disconnectNetwork(name, server.id)
    failpoint('add-on.after-disconnect')
    await end()
  }
  return extra.length > 0
}

async function untilReady(context: Context, containerId: string, socket: string): Promise<void> {
  const { engine, config } = context
  const end = Date.now() + config.postgres.provisionTimeoutMs
  let lookAgainAt = Date.now() + 500
  for (;;) {
    try {
      await withTenantServer(socket, (sql) => sql.query('SELECT 1'), { timeoutMs: 5_000 })
      return
    } catch (error) {
      if (!isStarting(error)) throw error
    }
    if (Date.now() > lookAgainAt) {
      const state = (await engine.findContainer(containerId))?.state
      if (state !== 'running') throw new Error(`PostgreSQL ended at its start: ${await lastLines(engine, containerId)}`)
      lookAgainAt = Date.now() + 1_000
    }
    if (Date.now() > end) throw new Error(`PostgreSQL isn't ready in time: ${await lastLines(engine, containerId)}`)
    await delay(readyPollMs)
  }
}

async function removeServer(context: Context, idOrName: string): Promise<void> {
  const { engine } = context
  const server = await engine.findContainer(idOrName)
  if (!server) return
  failpoint('add-on.before-stop')
  await engine.stopContainer(server.id, stopGraceSeconds)
  failpoint('add-on.after-stop')
  await engine.removeContainer(server.id, { force: true })
  failpoint('add-on.after-remove')
}
