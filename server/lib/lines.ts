/** Cuts a byte stream into lines of bounded length, never inside a character. */
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** Calls back each line without its end; a longer line than `maxLength` characters comes in parts. Resolves at the end. */
export function eachLine(source: Readable, onLine: (line: string) => void, maxLength = 65_536): Promise<void> {
  const decoder = new StringDecoder('utf8')
  let pending = ''
  const take = (text: string) => {
    pending += text
    for (;;) {
      const at = pending.indexOf('\n')
      if (at >= 0 && at <= maxLength) {
        onLine(pending.charCodeAt(at - 1) === 13 ? pending.slice(0, at - 1) : pending.slice(0, at))
        pending = pending.slice(at + 1)
      } else if (pending.length > maxLength) {
        const end = maxLength > 1 && isHighSurrogate(pending.charCodeAt(maxLength - 1)) ? maxLength - 1 : maxLength
        onLine(pending.slice(0, end))
        pending = pending.slice(end)
      } else return
    }
  }
  return new Promise((resolve) => {
    let done = false
    const finish = () => {
      if (done) return
      done = true
      take(decoder.end())
      if (pending !== '') onLine(pending)
      resolve()
    }
    source.on('data', (chunk: Buffer) => take(decoder.write(chunk)))
    source.once('end', finish)
    source.once('close', finish)
    source.once('error', finish)
  })
}

/** The first half of a character outside the basic plane. */
function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff
}
