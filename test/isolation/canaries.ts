/** Looks for planted secrets: in texts, files, what the engine says, images, and the command lines and environments of processes. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'

export interface Canaries {
  /** Adds a secret, with the ways it may be written: as it is, in base64, in a URL. */
  plant(name: string, secret: string): void
  /** Names of the secrets that are in it. */
  within(bytes: Buffer | string): string[]
  /** `file: secret` for every file below the folder (or the file itself), links not followed. */
  inFiles(folder: string, isSkipped?: (file: string) => boolean): Promise<string[]>
  /** The same for one stream, whatever its length. */
  inStream(stream: NodeJS.ReadableStream): Promise<string[]>
  /** `pid program where: secret` of all processes now, but for those that `mayKnow`. */
  inProcesses(mayKnow: (pid: number) => boolean, isDue?: (pid: string) => boolean): string[]
}

/** `patterns` is a file of its own, outside of all that is searched. */
export function createCanaries(patterns: string): Canaries {
  const forms = new Map<string, readonly Buffer[]>()

  const within = (text: Buffer | string): string[] => {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text
    return [...forms].filter(([, ways]) => ways.some((way) => bytes.includes(way))).map(([name]) => name)
  }

  /** grep, for it looks for all of them in one go; what it reads is cut at zero bytes, as programs and pages are full of them. */
  const grep = async (options: readonly string[], input?: NodeJS.ReadableStream): Promise<string[]> => {
    const args = ['-a', '-z', '-F', '-f', patterns, ...options]
    const child = spawn('grep', args, { stdio: ['pipe', 'pipe', 'ignore'] })
    child.stdin.on('error', () => {})
    if (input === undefined) child.stdin.end()
    else input.pipe(child.stdin)
    let text = ''
    for await (const chunk of child.stdout) text += String(chunk)
    return [...new Set(text.split('\0'))].filter((word) => word !== '')
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
      writeFileSync(patterns, [...forms.values()].flat().join('\n'), { mode: 0o600 })
    },
    within,
    inStream: async (stream) => [...new Set((await grep(['-o'], stream)).flatMap(within))],
    async inFiles(folder, isSkipped = () => false) {
      const files = (await grep(['-r', '-l', '-Z', '-D', 'skip', '--', folder])).filter((file) => !isSkipped(file))
      return files.flatMap((file) => {
        const names = existsSync(file) ? within(readFileSync(file)) : []
        return names.map((name) => `${file}: ${name}`)
      })
    },
    inProcesses(mayKnow, isDue = () => true) {
      return readdirSync('/proc').flatMap((pid) => {
        if (!/^\d+$/.test(pid) || !isDue(pid)) return []
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

/** All processes now and then, and new ones again and again while they are young: what they were told comes with their exec. */
export function youngOrSeldom(looks: number): (pid: string) => boolean {
  const seen = new Map<string, number>()
  return (pid) => {
    const times = (seen.get(pid) ?? 0) + 1
    seen.set(pid, times)
    return times <= 8 || times % looks === 0
  }
}
