/** What processes take of the machine, read from /proc: memory as the kernel accounts for it, and processor time. */
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises'

/** Kilobytes. A page that several processes map counts in full for each in `rss`, and by its share in `pss`. */
export interface Memory {
  readonly rss: number
  readonly pss: number
  readonly processes: number
}

export const noMemory: Memory = { rss: 0, pss: 0, processes: 0 }

export function addMemory(a: Memory, b: Memory): Memory {
  return { rss: a.rss + b.rss, pss: a.pss + b.pss, processes: a.processes + b.processes }
}

/** Of the text of one `/proc/<pid>/smaps_rollup`. Throws when it isn't one. */
export function parseSmapsRollup(text: string): Memory {
  const kilobytes = (name: string) => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)
    if (!match) throw new Error(`smaps_rollup without ${name}:\n${text}`)
    return Number(match[1])
  }
  return { rss: kilobytes('Rss'), pss: kilobytes('Pss'), processes: 1 }
}

/** Processor time of the text of one `/proc/<pid>/stat`, in milliseconds; the name in it may hold anything. */
export function parseProcessorMs(stat: string, ticksPerSecond = 100): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  if (!Number.isFinite(ticks)) throw new Error(`not a line of /proc/<pid>/stat: ${stat}`)
  return (ticks * 1000) / ticksPerSecond
}

/** Of a file below /proc; empty when the process has ended meanwhile. Whatever else goes wrong isn't hidden. */
async function readOf(pid: number, name: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${name}`, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ESRCH'].includes(String(error.code))) return ''
    throw error
  }
}

/** One after the other: hundreds of containers would otherwise open every process's files at once. */
async function pidsWhere(name: string, holds: (text: string) => boolean): Promise<number[]> {
  const found: number[] = []
  for (const entry of await readdir('/proc'))
    if (/^\d+$/.test(entry) && holds(await readOf(Number(entry), name))) found.push(Number(entry))
  return found
}

/** Every process inside these containers, by its control groups. */
export function pidsOfContainers(ids: readonly string[]): Promise<number[]> {
  const wanted = new Set(ids)
  return pidsWhere('cgroup', (text) => [...text.matchAll(/[0-9a-f]{64}/g)].some((match) => wanted.has(match[0])))
}

/** The engine's own process beside each of them. */
export function pidsOfShims(ids: readonly string[]): Promise<number[]> {
  const wanted = new Set(ids)
  return pidsWhere('cmdline', (text) => {
    const words = text.split('\0')
    return (words[0] ?? '').includes('containerd-shim') && words.some((word) => wanted.has(word))
  })
}

export async function commandOf(pid: number): Promise<string> {
  return (await readOf(pid, 'cmdline')).replaceAll('\0', ' ').trim()
}

/** A process that ends meanwhile counts nothing. */
export async function memoryOf(pids: readonly number[]): Promise<Memory> {
  const each = await Promise.all(
    pids.map(async (pid) => {
      const text = await readOf(pid, 'smaps_rollup')
      return text === '' ? noMemory : parseSmapsRollup(text)
    }),
  )
  return each.reduce(addMemory, noMemory)
}

export async function processorMsOf(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readOf(pid, 'stat')
      return stat === '' ? 0 : parseProcessorMs(stat)
    }),
  )
  return each.reduce((a, b) => a + b, 0)
}

const pageBytes = 4096
const presentBit = 1n << 63n
const frameMask = (1n << 55n) - 1n

/** Address ranges of the text of one `/proc/<pid>/smaps` of which anything is in memory. */
export function parseResidentRanges(smaps: string): { readonly start: bigint; readonly end: bigint }[] {
  const ranges: { start: bigint; end: bigint }[] = []
  let range: { start: bigint; end: bigint } | undefined
  for (const line of smaps.split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line)
    if (head) range = { start: BigInt(`0x${head[1]}`), end: BigInt(`0x${head[2]}`) }
    else if (range && /^Rss:\s+[1-9]/.test(line)) ranges.push(range)
  }
  return ranges
}

/**
 * The page frames that processes have in memory: what they share, with one another or with anybody else, is there once.
 * A process that ends meanwhile is left out. Throws where the kernel hides frame numbers, which it does from all but root.
 */
export async function framesOf(pids: readonly number[]): Promise<Set<bigint>> {
  const frames = new Set<bigint>()
  for (const pid of pids) {
    const smaps = await readOf(pid, 'smaps')
    const pagemap = smaps === '' ? undefined : await open(`/proc/${pid}/pagemap`).catch(() => undefined)
    if (!pagemap) continue
    try {
      for (const { start, end } of parseResidentRanges(smaps))
        for await (const entry of entriesOf(pagemap, start, end)) {
          if ((entry & presentBit) === 0n) continue
          if ((entry & frameMask) === 0n) throw new Error('the kernel hides page frames; run it as root')
          frames.add(entry & frameMask)
        }
    } finally {
      await pagemap.close()
    }
  }
  return frames
}

async function* entriesOf(pagemap: FileHandle, start: bigint, end: bigint): AsyncGenerator<bigint> {
  const chunk = new BigUint64Array(8192)
  let at = (start / BigInt(pageBytes)) * 8n
  const stop = (end / BigInt(pageBytes)) * 8n
  while (at < stop) {
    const length = Number(stop - at < 65_536n ? stop - at : 65_536n)
    const { bytesRead } = await pagemap.read(new Uint8Array(chunk.buffer), 0, length, Number(at))
    if (bytesRead === 0) return
    for (let i = 0; i < bytesRead / 8; i++) yield chunk[i] ?? 0n
    at += BigInt(bytesRead)
  }
}

/** Megabytes of the frames of one set that aren't in another. */
export function megabytesOf(frames: ReadonlySet<bigint>, without: ReadonlySet<bigint> = new Set()): number {
  let count = 0
  for (const frame of frames) if (!without.has(frame)) count++
  return (count * pageBytes) / 1024 ** 2
}
