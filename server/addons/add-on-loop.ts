/**
 * Keeps every add-on as its row says. A pass looks at all of them afresh; nothing it does depends on what an earlier one
 * did, so starting up, repairing and carrying on after a crash are the same pass.
 *
 *   provisioning   made ready, then marked provisioned; a failure is written into the row and tried again
 *   provisioned    runs, on the private networks of exactly the live apps it is attached to; otherwise repaired
 *   deprovisioned  ended at once; its data, then its row, go when the retention time is over
 *
 * An add-on is worked on by one look at a time; one that takes long or fails holds up no other. Data without a row is
 * never removed, only named.
 */
import type { Config } from '../config.js'
import { type Engine, EngineError } from '../engine/engine.js'
import { failpoint } from '../lib/failpoint.js'
import type { Logger } from '../lib/logger.js'
import type { AddOn } from '../model/add-on.js'
import { labelNames } from '../model/labels.js'
import { appNetworkCount } from '../model/subnets.js'
import {
  listAllAddOns,
  listAttachments,
  readAddOnSecrets,
  removeAddOn,
  clearAddOnFailure,
  settleAddOn,
} from '../store/add-ons.js'
import { assignNetworkIndex, findApp, listAppIds } from '../store/apps.js'
import type { Database } from '../store/database.js'
import { ensureAppNetworks } from './app-network.js'
import { createLooks } from './looks.js'
import { createPostgresProvider } from './postgres/postgres-provider.js'
import type { AddOnProvider, InfoRow } from './provider.js'

export interface AddOnLoopOptions {
  readonly db: Database
  readonly engine: Engine
  readonly config: Config
  readonly images: { readonly postgres: string }
  readonly log: Logger
  /** Called with the apps whose add-ons have become ready or have moved. */
  readonly onChange: (appIds: readonly string[]) => void
  /** The clock that retention is measured by. */
  readonly now?: () => Date
}

export interface AddOnLoop {
  /** Looks at every add-on once and resolves when all of that is done; never rejects for one add-on's failure. */
  pass(): Promise<void>
  /** Asks for a pass soon; it doesn't wait for one that is under way. */
  nudge(): void
  /** Passes at once, and then at least every `passIntervalMs`. */
  start(): void
  /** No further passes; resolves when nothing is under way. */
  stop(): Promise<void>
  /** Rows for `pg:info`; also when the database doesn't answer. */
  describe(addOn: AddOn): Promise<readonly InfoRow[]>
}

export function createAddOnLoop(options: AddOnLoopOptions): AddOnLoop {
  const { db, engine, config, log } = options
  const postgres = createPostgresProvider({ engine, config, image: options.images.postgres })
  const providers = new Map<string, AddOnProvider>([[postgres.service, postgres]])
  const now = options.now ?? (() => new Date())
  const warned = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let running = false
  const passes = new Set<Promise<void>>()

  const lookAt = async (addOnId: string) => {
    const addOn = (await listAllAddOns(db)).find((row) => row.id === addOnId)
    if (!addOn) return
    const provider = providers.get(addOn.service)
    if (!provider) throw new Error(`There is no provider for ${addOn.service}.`)
    if (addOn.state === 'deprovisioned') await clearAway(options, provider, addOn, now())
    else await makeReady(options, provider, addOn)
  }
  const looks = createLooks({
    concurrency: config.dynos.passConcurrency,
    backoffMs: config.dynos.crashBackoffMs,
    backoffMaxMs: Math.min(config.dynos.crashBackoffMaxMs, 60_000),
    look: lookAt,
    onFailure: async (addOnId, error) => {
      log.warn({ addOnId, err: error }, 'an add-on could not be made as it should be')
      await settleAddOn(db, addOnId, { failure: sentenceOf(error) }).catch(() => {})
    },
    retry: () => nudge(),
  })

  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      log.warn({ err: error }, what)
    }
  }
  /** What concerns no single add-on: one at a time, and a pass that finds it under way leaves it. */
  let tidying = false
  const tidy = async () => {
    if (tidying) return
    tidying = true
    try {
      await attempt('what runs for no add-on could not be removed', async () => {
        for (const provider of providers.values()) {
          const unknown = await provider.sweep(async () => new Set((await listAllAddOns(db)).map((row) => row.id)))
          for (const id of unknown.filter((one) => !warned.has(one))) {
            warned.add(id)
            log.warn({ addOnId: id }, 'there is data of an add-on that no row knows; it is kept')
          }
        }
      })
      await attempt('networks without an app could not be removed', () => sweepNetworks(options))
      await attempt('spare databases could not be made', async () => {
        for (const provider of providers.values()) await provider.keepSpares()
      })
    } finally {
      tidying = false
    }
  }

  const passOnce = async () => {
    await attempt('add-ons could not be looked at', async () => {
      const rows = await listAllAddOns(db)
      await Promise.all(rows.map((row) => looks.look(row.id)))
    })
    await tidy()
  }
  const pass = () => {
    const done = passOnce().finally(() => passes.delete(done))
    passes.add(done)
    return done
  }
  const nudge = () => {
    if (running) schedule(0)
  }
  const schedule = (delayMs: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      schedule(config.dynos.passIntervalMs)
      void pass()
    }, delayMs)
  }

  return {
    pass,
    nudge,
    start: () => {
      running = true
      schedule(0)
    },
    stop: async () => {
      running = false
      clearTimeout(timer)
      looks.stop()
      await Promise.all([...passes])
    },
    describe: async (addOn) => {
      const provider = providers.get(addOn.service)
      return provider ? provider.describe(addOn, await readAddOnSecrets(db, addOn.id)) : []
    },
  }
}

async function makeReady(options: AddOnLoopOptions, provider: AddOnProvider, addOn: AddOn): Promise<void> {
  const { db, engine, config } = options
  const appIds = [...new Set((await listAttachments(db, { addOnId: addOn.id })).map((a) => a.appId))]
  const networks = []
  for (const appId of appIds) {
    const app = await findApp(db, appId)
    if (!app || app.destroyedAt) continue
    const networkIndex =
      app.networkIndex ?? (await db.transaction((tx) => assignNetworkIndex(tx, appId, appNetworkCount(config.subnets))))
    if (networkIndex === undefined)
      throw new Error('All private networks of this machine are in use; widen PAAS_SUBNETS.')
    failpoint('add-on.before-network')
    const { own, link } = await ensureAppNetworks(engine, config, { id: appId, networkIndex })
    networks.push(own, ...(link === undefined ? [] : [link]))
    failpoint('add-on.after-network')
  }
  const changed = await provider.ensureReady({ addOn, secrets: await readAddOnSecrets(db, addOn.id), networks })
  failpoint('add-on.before-settle')
  const settled = addOn.state === 'provisioning' && (await settleAddOn(db, addOn.id, 'provisioned'))
  failpoint('add-on.after-settle')
  if (addOn.state === 'provisioned' && addOn.failure !== undefined) await clearAddOnFailure(db, addOn.id)
  if (changed || settled) options.onChange(appIds)
}

async function clearAway(options: AddOnLoopOptions, provider: AddOnProvider, addOn: AddOn, now: Date): Promise<void> {
  await provider.ensureStopped(addOn.id)
  const goneAt = (addOn.destroyedAt ?? now).getTime() + options.config.postgres.retentionMs
  if (now.getTime() < goneAt) return
  await provider.removeData(addOn.id)
  failpoint('add-on.before-remove-row')
  await removeAddOn(options.db, addOn.id)
  failpoint('add-on.after-remove-row')
}

/** Networks are looked at before rows: one that is made in between has its app's row already. */
async function sweepNetworks(options: AddOnLoopOptions): Promise<void> {
  const { db, engine, config } = options
  const labels = { [labelNames.instance]: config.instance, [labelNames.kind]: 'network', [labelNames.app]: '' }
  const networks = await engine.listNetworks(labels)
  const known = new Set(await listAppIds(db))
  for (const network of networks) {
    const appId = network.labels[labelNames.app] ?? ''
    if (known.has(appId)) continue
    failpoint('add-on.before-remove-network')
    // While something of the app is still joined, the engine refuses; a later pass asks again.
    await engine.removeNetwork(network.id).catch((error: unknown) => {
      options.log.debug({ network: network.name, err: error }, 'a network without an app is still in use')
    })
    failpoint('add-on.after-remove-network')
  }
}

/** What the add-on's owner reads. The engine's errors name what we were doing; their causes are for the log. */
function sentenceOf(error: unknown): string {
  if (error instanceof EngineError && error.kind === 'unavailable')
    return 'The container engine does not answer; it is tried again.'
  return (error instanceof Error ? error.message : String(error)).slice(0, 500)
}
