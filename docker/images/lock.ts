/**
 * A lock between processes: a file that only one can create. It names its holder by process id, start time and process
 * id name space, so that a lock whose holder died, even one whose id has been given away again, is taken over. A holder
 * in another name space (a container) can't be looked up; it counts as dead when it has stopped touching the file.
 */
import { open, readFile, readlink, rename, rm, stat, utimes } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

const pollMs = 250
const touchMs = 10_000
const silentMs = 60_000

export interface LockOptions {
  readonly file: string
  /** The wait ends with an error after this long. */
  readonly waitMs: number
  /** Called once when another process holds the lock. */
  readonly onWait?: (pid: number) => void
}

interface Holder {
  readonly pid: number
  readonly started: string
  readonly namespace: string
  readonly id: string
}

/** Runs `work` while holding the lock, and lets go of it however `work` ends. */
export async function withLock<T>(options: LockOptions, work: () => Promise<T>): Promise<T> {
  const me: Holder = {
    pid: process.pid,
    started: await startOf(process.pid),
    namespace: await namespaceOf(),
    id: randomUUID(),
  }
  await acquire(options, me)
  const touching = setInterval(() => {
    const now = new Date()
    // A lock that is gone is noticed at the end; there is nothing to do about it meanwhile.
    utimes(options.file, now, now).catch(() => {})
  }, touchMs)
  touching.unref()
  try {
    return await work()
  } finally {
    clearInterval(touching)
    if ((await holderOf(options.file))?.id === me.id) await rm(options.file, { force: true })
  }
}

async function acquire(options: LockOptions, me: Holder): Promise<void> {
  const giveUpAt = Date.now() + options.waitMs
  let told = false
  for (;;) {
    if (await created(options.file, me)) return
    const holder = await holderOf(options.file)
    if (await isStale(options.file, holder)) {
      await takeAway(options.file, holder)
      continue
    }
    if (!told && holder) options.onWait?.(holder.pid)
    told = true
    if (Date.now() > giveUpAt) {
      throw new Error(
        `process ${holder?.pid} has held ${options.file} for too long; end it, or remove the file if it is gone`,
      )
    }
    await delay(pollMs)
  }
}

async function created(file: string, me: Holder): Promise<boolean> {
  try {
    const handle = await open(file, 'wx', 0o644)
    await handle.writeFile(JSON.stringify(me))
    await handle.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Undefined when there is no lock, or one that isn't written yet or never will be. */
async function holderOf(file: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Holder
  } catch {
    return undefined
  }
}

async function isStale(file: string, holder: Holder | undefined): Promise<boolean> {
  if (holder?.namespace === (await namespaceOf())) return (await startOf(holder.pid)) !== holder.started
  try {
    return Date.now() - (await stat(file)).mtimeMs > silentMs
  } catch {
    return false
  }
}

/** Renames first: of several who find the same stale lock, one removes it, and a fresh one taken by mistake goes back. */
async function takeAway(file: string, stale: Holder | undefined): Promise<void> {
  const aside = `${file}.${randomUUID()}`
  try {
    await rename(file, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if ((await holderOf(aside))?.id !== stale?.id) await rename(aside, file)
  else await rm(aside, { force: true })
}

async function namespaceOf(): Promise<string> {
  return readlink('/proc/self/ns/pid').catch(() => '')
}

/** Start time in clock ticks since boot, of a process; empty when there is none. */
async function startOf(pid: number): Promise<string> {
  try {
    const line = await readFile(`/proc/${pid}/stat`, 'utf8')
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}
