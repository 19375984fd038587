/** What the build under way of an app says, for those who read along besides the pusher. Bounded: the rest is in the row. */
import type { BuildOutput } from './deps.js'

export interface BuildOutputRegistry extends BuildOutput {
  /** Begins an app's build; `write` tells its text and `end` forgets it. */
  begin(appId: string): { write(text: string): void; end(): void }
}

interface Entry {
  said: string
  running: boolean
  readonly listeners: Set<(text: string) => void>
}

/** Keeps `maxChars` of each build's text at most; what comes later is still passed on. */
export function createBuildOutput(maxChars: number): BuildOutputRegistry {
  const entries = new Map<string, Entry>()
  const entryOf = (appId: string): Entry => {
    const known = entries.get(appId)
    if (known) return known
    const made: Entry = { said: '', running: false, listeners: new Set() }
    entries.set(appId, made)
    return made
  }
  const forgetUnused = (appId: string, entry: Entry) => {
    if (entry.listeners.size === 0 && !entry.running) entries.delete(appId)
  }
  return {
    begin(appId) {
      const entry = entryOf(appId)
      entry.said = ''
      entry.running = true
      return {
        write(text) {
          if (entry.said.length + text.length <= maxChars) entry.said += text
          for (const listener of entry.listeners) listener(text)
        },
        end() {
          entry.said = ''
          entry.running = false
          forgetUnused(appId, entry)
        },
      }
    },
    follow(appId, onText) {
      const entry = entryOf(appId)
      entry.listeners.add(onText)
      if (entry.said !== '') onText(entry.said)
      return () => {
        entry.listeners.delete(onText)
        forgetUnused(appId, entry)
      }
    },
  }
}
