import { failpoint } from '../lib/failpoint.js'
import type { Account } from '../model/account.js'
import type { App } from '../model/app.js'
import type { OneOff } from '../model/dyno.js'
import { invalid, notFound, PlatformError } from '../model/errors.js'
import { defaultDynoSize, findDynoSize } from '../model/formation.js'
import type { Release } from '../model/release.js'
import type { Platform } from '../platform.js'
import { insertOneOff, listDynos, listLiveOneOffs, moveOneOff } from '../store/dynos.js'
import type { Transaction } from '../store/database.js'
import { findCurrentRelease, findTargetRelease } from '../store/releases.js'
import { requestRestart } from '../store/formations.js'
import { lockLiveApp } from './releases.js'

export interface OneOffWish {
  readonly command: string
  readonly attached: boolean
  readonly tty: boolean
  readonly size?: string
  readonly type?: string
  readonly env: Readonly<Record<string, string>>
  readonly timeToLiveSeconds?: number
}

/** Asks for a one-off dyno on the current release; the loop starts it. */
export async function createOneOff(platform: Platform, account: Account, app: App, wish: OneOffWish): Promise<OneOff> {
  const limitSeconds = Math.floor(platform.config.dynos.oneOffTimeoutMs / 1000)
  if (wish.command.trim() === '') throw invalid('Say what to run, for example: paas run python manage.py shell')
  const oneOff = await platform.db.transaction(async (tx) => {
    await lockLiveApp(tx, app)
    const release = await releaseToRun(tx, app.id)
    if (!release?.slugId) throw invalid('Nothing has been deployed to this app yet; push first, then run commands.')
    if ((await listLiveOneOffs(tx, app.id)).length >= platform.config.dynos.oneOffsPerApp)
      throw new PlatformError(
        'rate_limit',
        `This app runs ${platform.config.dynos.oneOffsPerApp} one-off dynos already; stop one with paas ps:stop.`,
      )
    return insertOneOff(tx, {
      appId: app.id,
      releaseId: release.id,
      type: wish.type ?? 'run',
      // A process type's name stands for its command, as on Heroku.
      command: Object.hasOwn(release.processTypes, wish.command.trim())
        ? (release.processTypes[wish.command.trim()] ?? wish.command)
        : wish.command,
      size: findDynoSize(wish.size ?? defaultDynoSize).name,
      attached: wish.attached,
      tty: wish.tty,
      env: wish.env,
      timeToLiveSeconds: Math.min(wish.timeToLiveSeconds ?? limitSeconds, limitSeconds),
    })
  })
  failpoint('run.committed')
  platform.appLog(app.id, {
    source: 'app',
    dyno: 'api',
    text: `Starting process with command \`${wish.command}\` by user ${account.email}`,
  })
  platform.nudge(app.id)
  return oneOff
}

/** The current release; of several with its slug the newest, so that a config var just set is there. */
async function releaseToRun(tx: Transaction, appId: string): Promise<Release | undefined> {
  const current = await findCurrentRelease(tx, appId)
  const target = await findTargetRelease(tx, appId)
  return target?.slugId === current?.slugId ? target : current
}

export function oneOffName(oneOff: Pick<OneOff, 'number'>): string {
  return `run.${oneOff.number}`
}

/** Stops one dyno: a one-off ends, a formation's dyno is replaced. */
export async function stopDyno(platform: Platform, app: App, name: string): Promise<void> {
  const oneOff = (await listLiveOneOffs(platform.db, app.id)).find((o) => oneOffName(o) === name || o.id === name)
  if (oneOff) await moveOneOff(platform.db, oneOff.id, 'stopping')
  else {
    const dyno = (await listDynos(platform.db, app.id)).find((d) => d.name === name || d.id === name)
    if (!dyno) throw notFound('dyno')
    await requestRestart(platform.db, app.id, dyno.name)
  }
  failpoint('stop.committed')
  platform.nudge(app.id)
}
