/**
 * What a build prints, on its way to the pusher and into the build's record: live, bounded, and with the config vars'
 * values never passed on by us (an app that prints its own secrets prints them).
 */
import { StringDecoder } from 'node:string_decoder'

const mib = 1024 ** 2

export interface BuildOutput {
  /** Bytes of the build as they come. */
  push(chunk: Buffer): void
  end(): void
  /** Milliseconds since the last byte. */
  quietMs(): number
  /** The last lines, for finding out why it failed. */
  tail(): string
}

export function buildOutput(write: (text: string) => void, maxBytes: number): BuildOutput {
  const decoder = new StringDecoder('utf8')
  const limit = maxBytes < mib ? `${Math.round(maxBytes / 1024)} kB` : `${Math.round(maxBytes / mib)} MB`
  let total = 0
  let last = Date.now()
  let recent = ''
  const pass = (text: string) => {
    if (text === '') return
    write(text)
    recent = (recent + text).slice(-8_192)
  }
  return {
    push(chunk) {
      last = Date.now()
      if (total > maxBytes) return
      total += chunk.length
      pass(decoder.write(chunk))
      if (total > maxBytes)
        pass(`\n !     Output is longer than ${limit} (PAAS_BUILD_OUTPUT); the rest is not shown.\n`)
    },
    end: () => pass(decoder.end()),
    quietMs: () => Date.now() - last,
    tail: () => recent,
  }
}
