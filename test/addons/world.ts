/**
 * A platform's add-ons for tests: a real platform database, a real engine, a data folder of its own, and apps that are
 * rows and a network. Everything carries the world's instance name and is gone at teardown.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type AddOnLoop, createAddOnLoop } from '../../server/addons/add-on-loop.js'
import { appNetworkName } from '../../server/addons/app-network.js'
import type { Config } from '../../server/config.js'
import { createDockerEngine } from '../../server/engine/docker-engine.js'
import type { Engine } from '../../server/engine/engine.js'
import type { AddOn } from '../../server/model/add-on.js'
import type { App } from '../../server/model/app.js'
import { newPostgresSecrets, postgresUrl, suggestAddOnName } from '../../server/model/postgres-url.js'
import { subnetPlan } from '../../server/model/subnets.js'
import { insertAccount } from '../../server/store/accounts.js'
import { insertAddOn, insertAttachment, listAllAddOns, readAddOnSecrets } from '../../server/store/add-ons.js'
import { assignNetworkIndex, findApp, insertApp } from '../../server/store/apps.js'
import type { Database } from '../../server/store/database.js'
import { startTestDatabase } from '../support/database.js'
import { quietLog, worldConfig } from './world-config.js'
import { probeRights } from '../support/profile.js'

export const postgresImage = process.env.PAAS_TEST_POSTGRES_IMAGE ?? 'paas/postgres:dev'

export interface Probe {
  /** Runs psql in the app's network; `ok` is its exit code being 0. */
  psql(url: string, sql: string, env?: Record<string, string>): Promise<{ ok: boolean; out: string }>
  /** Runs any command of the image there. */
  run(command: readonly string[]): Promise<{ ok: boolean; out: string }>
}

export interface World {
  readonly db: Database
  readonly databaseUrl: string
  readonly engine: Engine
  readonly config: Config
  readonly changed: string[]
  readonly warnings: string[]
  makeLoop(overrides?: Partial<Parameters<typeof createAddOnLoop>[0]>): AddOnLoop
  makeApp(name: string): Promise<App>
  makeAddOn(app: App, fields?: { plan?: string; id?: string }): Promise<AddOn>
  attach(addOn: AddOn, app: App, name?: string): Promise<string>
  addOnNow(id: string): Promise<AddOn | undefined>
  urlOf(addOn: AddOn): Promise<string>
  /** A container in the app's network, as a dyno would be. */
  probeIn(app: App): Promise<Probe>
  folderOf(addOn: AddOn, ...names: string[]): string
  sweep(): Promise<void>
}

export async function startWorld(
  t: { teardown(fn: () => unknown): unknown },
  place: { instance: string; subnets: string },
): Promise<World> {
  const { db, url: databaseUrl } = await startTestDatabase(t)
  const engine = createDockerEngine({ socketPath: '/var/run/docker.sock' })
  const dataDir = await mkdtemp(path.join(tmpdir(), `${place.instance}-test-`))
  const config = worldConfig(place.instance, place.subnets, dataDir)
  const sweep = async () => {
    const labels = { 'paas.instance': place.instance }
    for (const container of await engine.listContainers(labels))
      await engine.removeContainer(container.id, { force: true })
    for (const network of await engine.listNetworks(labels)) await engine.removeNetwork(network.id)
  }
  t.teardown(async () => {
    await sweep()
    await rm(dataDir, { recursive: true, force: true })
  })
  await sweep()
  const account = await insertAccount(db, 'owner@example.com', false)
  const changed: string[] = []
  const warnings: string[] = []
  const findAgain = async (id: string) => {
    const app = await findApp(db, id)
    if (!app) throw new Error('an app vanished')
    return app
  }
  return {
    db,
    databaseUrl,
    engine,
    config,
    changed,
    warnings,
    sweep,
    makeLoop: (overrides = {}) =>
      createAddOnLoop({
        db,
        engine,
        config,
        images: { postgres: postgresImage },
        log: quietLog(warnings),
        onChange: (appIds) => changed.push(...appIds),
        ...overrides,
      }),
    makeApp: async (name) => {
      const app = await insertApp(db, name, account.id)
      await db.transaction((tx) => assignNetworkIndex(tx, app.id, subnetPlan(config.subnets).appNetworkCount))
      return findAgain(app.id)
    },
    makeAddOn: async (app, fields = {}) => {
      const addOn = await insertAddOn(db, {
        id: fields.id ?? randomUUID(),
        name: suggestAddOnName(Math.random),
        appId: app.id,
        appName: app.name,
        service: 'heroku-postgresql',
        plan: fields.plan ?? 'essential-0',
        secrets: newPostgresSecrets(),
      })
      await insertAttachment(db, addOn.id, app.id, 'DATABASE')
      return addOn
    },
    attach: async (addOn, app, name = 'DATABASE') => (await insertAttachment(db, addOn.id, app.id, name)).id,
    addOnNow: async (id) => (await listAllAddOns(db)).find((row) => row.id === id),
    urlOf: async (addOn) =>
      postgresUrl(addOn.name, (await readAddOnSecrets(db, addOn.id)) as ReturnType<typeof newPostgresSecrets>),
    probeIn: (app) => startProbe(engine, config, app),
    folderOf: (addOn, ...names) => path.join(dataDir, 'add-ons', addOn.id, ...names),
  }
}

async function startProbe(engine: Engine, config: Config, app: App): Promise<Probe> {
  const name = `${config.instance}-probe-${app.name}`
  let id = (await engine.findContainer(name))?.id
  if (id === undefined) {
    id = await engine.createContainer({
      name,
      image: postgresImage,
      command: ['sleep', '600'],
      labels: { 'paas.instance': config.instance, 'paas.kind': 'probe' },
      network: [{ network: appNetworkName(config, app.networkIndex ?? -1) }],
      init: true,
      ...probeRights,
    })
    await engine.startContainer(id)
  }
  const container = id
  const run = async (command: readonly string[], env: Record<string, string> = {}) => {
    const { exitCode, stdout, stderr } = await engine.run(container, { command, env })
    return { ok: exitCode === 0, out: `${stdout}${stderr}`.trim() }
  }
  return {
    run,
    psql: (url, sql, env = {}) =>
      run(['psql', '-X', '-At', '-v', 'ON_ERROR_STOP=1', '-c', sql, url], {
        PGCONNECT_TIMEOUT: '2',
        RES_OPTIONS: 'timeout:1 attempts:1',
        ...env,
      }),
  }
}
