import { failpoint } from '../lib/failpoint.js'
import type { Account } from '../model/account.js'
import type { App } from '../model/app.js'
import { invalid, notFound } from '../model/errors.js'
import { defaultDynoSize, findDynoSize, type FormationEntry, nextQuantity } from '../model/formation.js'
import type { Platform } from '../platform.js'
import { listDynos } from '../store/dynos.js'
import { listFormation, requestRestart, setFormationEntry } from '../store/formations.js'
import { findTargetRelease } from '../store/releases.js'
import { lockLiveApp } from './releases.js'

/** A formation entry with the command its type runs in the target release. */
export interface FormationView extends FormationEntry {
  readonly command: string
}

/** The target release's process types with what is wanted of each; `release` is no dyno and never listed. */
export async function formationOf(platform: Pick<Platform, 'db'>, app: App): Promise<FormationView[]> {
  const target = await findTargetRelease(platform.db, app.id)
  const entries = new Map((await listFormation(platform.db, app.id)).map((e) => [e.type, e]))
  return Object.entries(target?.processTypes ?? {})
    .filter(([type]) => type !== 'release')
    .map(([type, command]) => ({
      type,
      command,
      quantity: entries.get(type)?.quantity ?? 0,
      size: entries.get(type)?.size ?? defaultDynoSize,
      updatedAt: entries.get(type)?.updatedAt ?? app.updatedAt,
    }))
    .sort((a, b) => (a.type === 'web' ? -1 : b.type === 'web' ? 1 : a.type < b.type ? -1 : 1))
}

export interface FormationUpdate {
  readonly type: string
  readonly quantity?: number | string
  readonly size?: string
}

/** Scales types up or down and sets their sizes; a new size replaces the running dynos one by one. */
export async function scaleFormation(
  platform: Platform,
  account: Account,
  app: App,
  updates: readonly FormationUpdate[],
): Promise<FormationView[]> {
  const scaled = await platform.db.transaction(async (tx) => {
    await lockLiveApp(tx, app)
    const present = new Map((await formationOf({ db: tx as unknown as Platform['db'] }, app)).map((e) => [e.type, e]))
    for (const update of updates) {
      const entry = present.get(update.type)
      if (!entry) {
        const known = [...present.keys()]
        throw known.length === 0
          ? invalid('Nothing has been deployed to this app yet; push first, then scale.')
          : notFound('formation', `process type (${update.type.slice(0, 40)}); this release has ${known.join(', ')}`)
      }
      const quantity =
        update.quantity === undefined
          ? entry.quantity
          : nextQuantity(entry.quantity, update.quantity, platform.config.dynos.perApp)
      const size = update.size === undefined ? entry.size : findDynoSize(update.size).name
      await setFormationEntry(tx, app.id, { type: update.type, quantity, size })
      if (size !== entry.size) await requestRestart(tx, app.id, update.type)
      present.set(update.type, { ...entry, quantity, size })
    }
    failpoint('scale.before-commit')
    const types = new Set(updates.map((update) => update.type))
    return [...present.values()].filter((entry) => types.has(entry.type))
  })
  failpoint('scale.committed')
  const told = scaled.map(({ type, quantity, size }) => `${type}@${quantity}:${size}`).join(' ')
  platform.appLog(app.id, { source: 'app', dyno: 'api', text: `Scaled to ${told} by user ${account.email}` })
  platform.nudge(app.id)
  return formationOf(platform, app)
}

/** Restarts one dyno (`web.1`), a type (`web`), or with an empty name every dyno, without dropping a request. */
export async function restartDynos(platform: Platform, app: App, name: string): Promise<void> {
  if (name !== '') {
    const dynos = await listDynos(platform.db, app.id)
    if (!dynos.some((d) => d.name === name || d.type === name)) throw notFound('dyno')
  }
  await requestRestart(platform.db, app.id, name)
  failpoint('restart.committed')
  platform.nudge(app.id)
}
