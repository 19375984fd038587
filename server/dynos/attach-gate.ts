/** Joins a client to an attached one-off dyno: waits for its container, attaches, and only then starts it. */
import type { Engine } from '../engine/engine.js'
import type { Config } from '../config.js'
import { failpoint } from '../lib/failpoint.js'
import type { OneOff } from '../model/dyno.js'
import type { Database } from '../store/database.js'
import { findOneOff, moveOneOff } from '../store/dynos.js'
import { oneOffContainerName } from './dyno-container.js'
import type { Readable, Writable } from 'node:stream'

export interface Attached {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  resize(columns: number, rows: number): Promise<void>
  readonly exitCode: Promise<number>
  close(): void
}

export interface AttachContext {
  readonly engine: Engine
  readonly db: Database
  readonly config: Config
  nudge(appId: string): void
}

const createdWithinMs = 30_000

export async function attachTo(context: AttachContext, oneOff: OneOff): Promise<Attached> {
  const { engine, db } = context
  const id = await createdContainer(context, oneOff)
  const streams = await engine.attachContainer(id, { stdin: true, tty: oneOff.tty })
  const exitCode = engine.waitContainer(id, { next: true }).finally(() => context.nudge(oneOff.appId))
  exitCode.catch(() => {})
  failpoint('one-off.before-attached-start')
  await moveOneOff(db, oneOff.id, 'up')
  failpoint('one-off.attached-row-up')
  await engine.startContainer(id)
  failpoint('one-off.attached-started')
  return { ...streams, exitCode, resize: (columns, rows) => engine.resizeContainer(id, columns, rows) }
}

/** The loop makes the container; this waits for it, looking at the engine and never guessing. */
async function createdContainer({ engine, db, config, nudge }: AttachContext, oneOff: OneOff): Promise<string> {
  const deadline = Date.now() + createdWithinMs
  nudge(oneOff.appId)
  for (;;) {
    const container = await engine.findContainer(oneOffContainerName(config, oneOff))
    if (container?.state === 'created') return container.id
    const row = await findOneOff(db, oneOff.id)
    if (container || row === undefined || row.state !== 'starting')
      throw new Error(`run.${oneOff.number} is not waiting to be attached to`)
    if (Date.now() > deadline) throw new Error(`run.${oneOff.number} was not made within ${createdWithinMs / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
}
