/** Looks for planted secrets: in texts, files, what the engine says, images, and the command lines and environments of processes. */
import { createReadStream, readdirSync, readFileSync } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'

export interface Canaries {
  /** Adds a secret, with the ways it may be written: as it is, in base64, in a URL. */
  plant(name: string, secret: string): void
  /** Names of the secrets that are in it. */
  within(bytes: Buffer | string): string[]
  /** `file: secret` for every file below the folder, links not followed. */
  inFiles(folder: string, isSkipped?: (file: string) => boolean): Promise<string[]>
  /** The same for one stream, whatever its length. */
  inStream(stream: AsyncIterable<Buffer>): Promise<string[]>
  /** `pid program where: secret` of all processes now, but for those that `mayKnow`. */
  inProcesses(mayKnow: (pid: number) => boolean): string[]
}

export function createCanaries(): Canaries {
  const forms = new Map<string, readonly Buffer[]>()
  let longest = 0

  const within = (bytes: Buffer | string): string[] =>
    [...forms].filter(([, ways]) => ways.some((way) => bytes.includes(way as never))).map(([name]) => name)

  const inStream = async (stream: AsyncIterable<Buffer>): Promise<string[]> => {
    const found = new Set<string>()
    let rest = Buffer.alloc(0)
    for await (const chunk of stream) {
      const bytes = Buffer.concat([rest, chunk])
      for (const name of within(bytes)) found.add(name)
      rest = bytes.subarray(Math.max(0, bytes.length - longest))
    }
    return [...found]
  }

  return {
    plant(name, secret) {
      // Of base64 the inner part, which is the same wherever in a longer text the secret begins, up to its place mod 3.
      const encoded = [0, 1, 2].map((shift) =>
        Buffer.from(`${'x'.repeat(shift)}${secret}`)
          .toString('base64')
          .replace(/=+$/, '')
          .slice(shift === 0 ? 0 : 4, -3),
      )
      const ways = new Set([secret, encodeURIComponent(secret), ...encoded])
      forms.set(
        name,
        [...ways].map((way) => Buffer.from(way)),
      )
      longest = Math.max(longest, ...[...ways].map((way) => way.length))
    },
    within: (bytes) => within(typeof bytes === 'string' ? Buffer.from(bytes) : bytes),
    inStream,
    async inFiles(folder, isSkipped = () => false) {
      const found: string[] = []
      for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
        const file = path.join(folder, entry.name)
        if (isSkipped(file)) continue
        if (entry.isDirectory()) found.push(...(await this.inFiles(file, isSkipped)))
        else if (entry.isFile() && (await lstat(file).catch(() => undefined))?.size)
          found.push(...(await inStream(createReadStream(file)).catch(() => [])).map((name) => `${file}: ${name}`))
      }
      return found
    },
    inProcesses(mayKnow) {
      return readdirSync('/proc').flatMap((pid) => {
        if (!/^\d+$/.test(pid)) return []
        return ['cmdline', 'environ'].flatMap((what) => {
          try {
            const names = within(readFileSync(`/proc/${pid}/${what}`))
            if (names.length === 0 || mayKnow(Number(pid))) return []
            return names.map((name) => `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} ${what}: ${name}`)
          } catch {
            // It has ended.
            return []
          }
        })
      })
    },
  }
}
