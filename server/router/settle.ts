/**
 * Brings a running HAProxy in step with what it should hold.
 *
 * Small differences go by command. Where a command is refused, what was remembered was wrong: it is read again and the
 * difference tried once more. What still can't be had by commands, or is part of the configuration itself (its row of
 * slots, its settings), is had by a reload, since the files are always current. The process that a reload leaves behind
 * needs no commands: it hands new requests to its successor.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { failpoint } from '../lib/failpoint.js'
import { changes } from './changes.js'
import { RouterError } from './errors.js'
import type { Layout } from './layout.js'
import type { Held, Memory } from './memory.js'
import { type ProcessInfo, parseInfo } from './observe.js'
import type { RouterPaths } from './paths.js'
import { ask, CommandRefused, isAway, tell } from './runtime-socket.js'

/** What HAProxy should hold. The files hold it already. */
export interface Wanted {
  readonly layout: Layout
  /** `configMark` of the configuration. */
  readonly mark: string
  /** File → host, of every host that is to have a certificate. */
  readonly certificates: ReadonlyMap<string, string>
  certificatePem(host: string): Promise<string>
}

const reloadDeadlineMs = 60_000

/** Returns false when no HAProxy runs. Throws `RouterError` kind `unsettled`. */
export async function settle(wanted: Wanted, memory: Memory, paths: RouterPaths): Promise<boolean> {
  const attempts = [
    (held: Held) =>
      held.process.mark === wanted.mark ? apply(wanted, held, memory, paths) : reload(wanted, memory, paths),
    (held: Held) => apply(wanted, held, memory, paths),
    () => reload(wanted, memory, paths),
  ]
  let failure: unknown
  for (const attempt of attempts) {
    try {
      const held = await memory.recall()
      if (held === undefined) return false
      await attempt(held)
      return true
    } catch (error) {
      memory.forget()
      if (isAway(error)) return false
      failure = error
    }
  }
  throw new RouterError('unsettled', 'The router runs, but would not take the route table', { cause: failure })
}

/** Has HAProxy use a certificate's file as it is now, if it uses that file. */
export async function renewCertificate(
  host: string,
  wanted: Wanted,
  memory: Memory,
  paths: RouterPaths,
): Promise<void> {
  const [file] = [...wanted.certificates].find(([, of]) => of === host) ?? []
  if (file !== undefined && memory.held()?.certificates.has(file))
    await setCertificate(file, await wanted.certificatePem(host), paths)
}

async function apply(wanted: Wanted, held: Held, memory: Memory, paths: RouterPaths): Promise<void> {
  memory.forget()
  const files = wanted.certificates
  if (files !== held.certificates)
    for (const [file, host] of files)
      if (!held.certificates.has(file)) await addCertificate(file, host, await wanted.certificatePem(host), paths)
  const commands = changes(held.layout, wanted.layout, held.parked, paths)
  failpoint('publish.before-commands')
  for (const [at, command] of commands.entries()) {
    await tell(paths.adminSocket, command)
    if (at === Math.floor((commands.length - 1) / 2)) failpoint('publish.between-commands')
  }
  if (files !== held.certificates)
    for (const file of held.certificates.keys()) if (!files.has(file)) await removeCertificate(file, paths)

  const { servers } = wanted.layout
  const left = [...held.parked, ...held.layout.servers.keys()].filter((server) => !servers.has(server))
  memory.keep({ process: held.process, layout: wanted.layout, parked: new Set(left), certificates: files })
}

async function reload(wanted: Wanted, memory: Memory, paths: RouterPaths): Promise<void> {
  const before = await memory.process()
  memory.forget()
  failpoint('publish.before-reload')
  await reloadProcess(paths, before)
  failpoint('publish.reloaded')
  const held = await memory.recall()
  if (held === undefined) throw new Error('HAProxy went away in a reload')
  await apply(wanted, held, memory, paths)
}

/** Waits until the new process answers on the command socket and the old one no longer does. */
async function reloadProcess(paths: RouterPaths, before: ProcessInfo | undefined): Promise<void> {
  const reply = await ask(paths.masterSocket, 'reload', reloadDeadlineMs)
  if (!reply.startsWith('Success=1')) throw new CommandRefused('reload', reply)
  const deadline = Date.now() + reloadDeadlineMs
  for (let inARow = 0; inARow < 5; ) {
    const current = await ask(paths.adminSocket, 'show info').then(parseInfo, () => undefined)
    inARow = current !== undefined && current.pid !== before?.pid ? inARow + 1 : 0
    if (Date.now() > deadline) throw new Error('the reloaded HAProxy did not answer in time')
    if (inARow === 0) await delay(10)
  }
}

async function addCertificate(file: string, host: string, pem: string, paths: RouterPaths): Promise<void> {
  // The store may be left from an attempt that ended half-way.
  await ask(paths.adminSocket, `new ssl cert ${file}`)
  await setCertificate(file, pem, paths)
  await tell(paths.adminSocket, `add ssl crt-list ${paths.certList} <<\n${file} ${host}\n`)
}

async function setCertificate(file: string, pem: string, paths: RouterPaths): Promise<void> {
  await tell(paths.adminSocket, `set ssl cert ${file} <<\n${pem}`)
  await tell(paths.adminSocket, `commit ssl cert ${file}`)
}

async function removeCertificate(file: string, paths: RouterPaths): Promise<void> {
  await tell(paths.adminSocket, `del ssl crt-list ${paths.certList} ${file}`)
  await tell(paths.adminSocket, `del ssl cert ${file}`)
}
