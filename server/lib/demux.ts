/**
 * Splits the engine's multiplexed attach stream: frames of one type byte, three zero bytes, a 32-bit length, then bytes.
 * Back-pressure of a slow output holds the source, one that its reader has closed holds nothing, and both end with the source.
 */
import { PassThrough, type Readable } from 'node:stream'

export function demultiplex(source: Readable): { stdout: Readable; stderr: Readable } {
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  let header = Buffer.alloc(0)
  let target: PassThrough = stdout
  let left = 0

  source.on('data', (chunk: Buffer) => {
    let rest = chunk
    const blocked = new Set<PassThrough>()
    while (rest.length > 0) {
      if (left === 0) {
        const take = Math.min(8 - header.length, rest.length)
        header = Buffer.concat([header, rest.subarray(0, take)])
        rest = rest.subarray(take)
        if (header.length < 8) break
        target = header[0] === 2 ? stderr : stdout
        left = header.readUInt32BE(4)
        header = Buffer.alloc(0)
        continue
      }
      const part = rest.subarray(0, left)
      rest = rest.subarray(part.length)
      left -= part.length
      if (!target.destroyed && !target.write(part)) blocked.add(target)
    }
    if (blocked.size === 0) return
    source.pause()
    for (const output of blocked) {
      const release = () => {
        output.off('drain', release).off('close', release)
        blocked.delete(output)
        if (blocked.size === 0) source.resume()
      }
      output.on('drain', release).on('close', release)
    }
  })
  const finish = () => {
    stdout.end()
    stderr.end()
  }
  source.once('end', finish)
  source.once('close', finish)
  source.once('error', finish)
  return { stdout, stderr }
}
