/**
 * What a build's tars may ask of the control plane. Any process of a build can write its result, so nothing of a tar is
 * believed: `boundedHeaders` looks at its blocks before they come to tar-stream, which gathers up to 4 MB for one name, and
 * `layerBudget` at each entry before anything else is done with it. Both throw `LayerRefused`.
 */
import type { Header } from 'tar-stream'

export interface LayerLimits {
  /** Entries of all tars of a build. */
  readonly files: number
  /** Bytes of all their names together, those that links point to included. */
  readonly nameBytes: number
}

/** A sentence for the pusher. */
export class LayerRefused extends Error {}

/** Linux takes no longer path. */
const maxNameBytes = 4_096
const maxDepth = 256
/** A name's header may hold more than the name. */
const maxNameHeaderBytes = 64 * 1024
const blockBytes = 512

const unreadable = () => new LayerRefused('The build handed out a tar that nothing of the platform writes. Push again.')

export interface LayerBudget {
  /** Counts an entry. Throws when it is one too many, or has a name that is out of bounds. */
  take(header: Pick<Header, 'name' | 'linkname'>): void
  /** Counts a link or a folder above one, which may have no entry of its own. */
  takePlace(): void
}

/** One for all tars of a build. */
export function layerBudget(limits: LayerLimits): LayerBudget {
  let entries = 0
  let places = 0
  let nameBytes = 0
  const checkCount = (count: number) => {
    if (count > limits.files)
      throw new LayerRefused(
        `The build made more than ${limits.files} files (PAAS_BUILD_FILES). Remove what the app doesn't need to run, or raise the limit.`,
      )
  }
  const take = ({ name, linkname }: Pick<Header, 'name' | 'linkname'>) => {
    checkCount(++entries)
    for (const text of [name, linkname ?? '']) {
      const bytes = Buffer.byteLength(text)
      if (bytes > maxNameBytes)
        throw new LayerRefused(
          `The build made a path of ${bytes} bytes, longer than the ${maxNameBytes} allowed: ${text.slice(0, 100)}… Shorten or remove it.`,
        )
      nameBytes += bytes
    }
    if (depthOf(name) > maxDepth || depthOf(linkname ?? '') > maxDepth)
      throw new LayerRefused(
        `The build nested folders deeper than ${maxDepth} levels: ${name.slice(0, 100)}… Flatten or remove them.`,
      )
    if (nameBytes > limits.nameBytes)
      throw new LayerRefused(
        `The names of the files that the build made take more than ${limits.nameBytes} bytes (PAAS_BUILD_NAMES). Remove what the app doesn't need to run, or raise the limit.`,
      )
  }
  return { take, takePlace: () => checkCount(++places) }
}

function depthOf(name: string): number {
  let depth = 1
  for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) depth++
  return depth
}

/** Passes a tar on unchanged, each chunk only after the headers in it were looked at. */
export async function* boundedHeaders(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const header = Buffer.alloc(blockBytes)
  let headerAt = 0
  /** Bytes of content and padding before the next header. */
  let skip = 0
  let nameHeader: Buffer[] | undefined
  const lookAt = (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; ) {
      if (skip === 0) {
        const taken = chunk.copy(header, headerAt, at)
        headerAt += taken
        at += taken
        if (headerAt < blockBytes) return
        headerAt = 0
        const size = contentBytes(header)
        skip = Math.ceil(size / blockBytes) * blockBytes
        nameHeader = header[156] === paxType ? [] : undefined
        continue
      }
      const taken = Math.min(skip, chunk.length - at)
      nameHeader?.push(chunk.subarray(at, at + taken))
      skip -= taken
      at += taken
      if (skip > 0 || nameHeader === undefined) continue
      // It would be believed instead of the header's: what we take for content could be headers.
      if (Buffer.concat(nameHeader).includes(' size=')) throw unreadable()
      nameHeader = undefined
    }
  }
  for await (const chunk of source) {
    lookAt(chunk)
    yield chunk
  }
}

const code = (letter: string) => letter.charCodeAt(0)
const paxType = code('x')
/** pax's, and GNU's long names and long link names. */
const nameTypes: ReadonlySet<number> = new Set([paxType, code('L'), code('N'), code('K')])
const fileTypes: ReadonlySet<number> = new Set([0, code('0'), code('7')])

/**
 * Bytes that follow a header. Everything that programs read in different ways is refused, so that ours and tar-stream's
 * agree about where the next header is.
 */
function contentBytes(header: Buffer): number {
  if (isEmpty(header)) return 0
  const size = sizeOf(header)
  const type = header[156] ?? 0
  // What is said once for all entries would be copied to each of them.
  if (type === code('g')) throw unreadable()
  if (nameTypes.has(type)) {
    if (size === 0) throw unreadable()
    if (size > maxNameHeaderBytes)
      throw new LayerRefused(
        `The build made a path of ${size} bytes, longer than the ${maxNameBytes} allowed. Shorten or remove it.`,
      )
    return size
  }
  if (size > 0 && !fileTypes.has(type)) throw unreadable()
  return size
}

/** tar-stream goes on behind a block of zeros, whatever stands for its checksum. */
function isEmpty(header: Buffer): boolean {
  return header.every((byte, at) => byte === 0 || (at >= 148 && at < 156))
}

/** Octal digits, or a binary number where those don't suffice. */
function sizeOf(header: Buffer): number {
  const field = header.subarray(124, 136)
  const size =
    field[0] === 0x80 && field.readUInt32BE(0) === 0x80000000
      ? Number(field.readBigUInt64BE(4))
      : /^[0-7]*[ \0]*$/.test(field.toString('latin1'))
        ? Number.parseInt(`0${field.toString('latin1')}`, 8)
        : Number.NaN
  if (!Number.isSafeInteger(size)) throw unreadable()
  return size
}
