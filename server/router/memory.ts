/**
 * What the running HAProxy holds, read once per life of its process and remembered from then on.
 *
 * Whoever sends commands takes the memory away first and gives it back changed when all of them have worked; what was
 * taken and not given back is read again.
 */
import type { Layout } from './layout.js'
import { observe, type ProcessInfo, parseInfo } from './observe.js'
import type { RouterPaths } from './paths.js'
import { ask, isAway } from './runtime-socket.js'

/** What is asked of them: a set has it, and a map by its keys. */
export interface CertificateFiles {
  has(file: string): boolean
  keys(): IterableIterator<string>
}

export interface Held {
  readonly process: ProcessInfo
  readonly layout: Layout
  /** Servers that take no new requests and are not in the layout. */
  readonly parked: ReadonlySet<string>
  /** Files of the certificates in the list. */
  readonly certificates: CertificateFiles
}

export interface Memory {
  /** The process that answers; undefined when none does. */
  process(): Promise<ProcessInfo | undefined>
  /** What the answering process holds; undefined when none does. */
  recall(): Promise<Held | undefined>
  /** As `recall`, without asking; undefined when it isn't known. */
  held(): Held | undefined
  forget(): void
  keep(held: Held): void
}

export function createMemory(paths: RouterPaths): Memory {
  let held: Held | undefined

  const memory: Memory = {
    async process() {
      try {
        return parseInfo(await ask(paths.adminSocket, 'show info'))
      } catch (error) {
        if (isAway(error)) return undefined
        throw error
      }
    },
    async recall() {
      const process = await memory.process()
      if (process === undefined) return undefined
      if (held?.process.identity !== process.identity) {
        held = { process, ...(await observe((command) => ask(paths.adminSocket, command), paths)) }
      }
      return held
    },
    held: () => held,
    forget() {
      held = undefined
    },
    keep(next) {
      held = next
    },
  }
  return memory
}
