import type { FormationView } from '../../actions/formation.js'
import { oneOffName } from '../../actions/one-offs.js'
import type { App } from '../../model/app.js'
import type { Dyno, OneOff } from '../../model/dyno.js'
import type { DynoBody, FormationBody } from '../schemas/dynos.js'
import { appRef } from './apps.js'
import { dynoSizeRef } from './catalogue.js'
import { stableId } from './stable-id.js'

export function toDyno(dyno: Dyno, app: App): DynoBody {
  return {
    id: dyno.id,
    name: dyno.name,
    app: appRef(app),
    attach_url: null,
    command: dyno.command,
    created_at: dyno.createdAt.toISOString(),
    failure: dyno.failure ?? null,
    release: {
      id: dyno.releaseId ?? stableId('release', app.id, String(dyno.releaseVersion)),
      version: dyno.releaseVersion,
    },
    size: dyno.size,
    state: dyno.state,
    type: dyno.type,
    updated_at: dyno.updatedAt.toISOString(),
  }
}

/** `releaseVersion` is that of the one-off's release. */
export function oneOffAsDyno(
  oneOff: OneOff,
  app: App,
  releaseVersion: number,
  attachUrl: string | null = null,
): DynoBody {
  return {
    id: oneOff.id,
    name: oneOffName(oneOff),
    app: appRef(app),
    attach_url: attachUrl,
    command: oneOff.command,
    created_at: oneOff.createdAt.toISOString(),
    failure: null,
    release: { id: oneOff.releaseId, version: releaseVersion },
    size: oneOff.size,
    state: oneOff.state === 'ended' ? 'down' : oneOff.state,
    type: oneOff.type,
    updated_at: oneOff.createdAt.toISOString(),
  }
}

export function toFormation(entry: FormationView, app: App): FormationBody {
  return {
    id: stableId('formation', app.id, entry.type),
    app: appRef(app),
    command: entry.command,
    created_at: app.createdAt.toISOString(),
    dyno_size: dynoSizeRef(entry.size),
    quantity: entry.quantity,
    size: entry.size,
    type: entry.type,
    updated_at: entry.updatedAt.toISOString(),
  }
}
