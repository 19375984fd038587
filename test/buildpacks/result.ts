/** The result of a build, as docker/stack/build-driver/README.md describes it: reading the line of JSON and the tars. */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { extract } from 'tar-stream'
import { parseResultHeader } from '../../server/build/build-result.js'

export interface Layer {
  readonly name: string
  readonly path: string
  readonly key: string
  readonly new: boolean
  readonly launch: boolean
  readonly bytes: number
}

/** The first line of a build's result, as docker/stack/build-driver/README.md describes it. */
export interface Header {
  readonly buildpacks: readonly { readonly name: string; readonly version: string }[]
  readonly process_types: Readonly<Record<string, string>>
  readonly addons: readonly string[]
  readonly layers: readonly Layer[]
  readonly cache: { readonly changed: boolean }
  readonly app_bytes: number
  readonly env: Readonly<Record<string, string>>
  readonly notes: readonly string[]
}

/** Splits the bytes of a result; throws when the header announces other bytes than there are, or the server refuses it. */
export function parseResult(stdout: Buffer): { header: Header | undefined; tars: Map<string, Buffer> } {
  const tars = new Map<string, Buffer>()
  const newline = stdout.indexOf('\n')
  if (newline === -1) return { header: undefined, tars }
  const line = stdout.subarray(0, newline).toString()
  parseResultHeader(line, Number.MAX_SAFE_INTEGER)
  const header = JSON.parse(line) as Header
  let offset = newline + 1
  const parts = header.layers.filter((layer) => layer.new).map((layer) => [layer.name, layer.bytes] as const)
  for (const [name, bytes] of [...parts, ['app', header.app_bytes] as const]) {
    tars.set(name, stdout.subarray(offset, offset + bytes))
    offset += bytes
  }
  if (offset !== stdout.length) throw new Error(`the result has ${stdout.length} bytes, its header announces ${offset}`)
  return { header, tars }
}

export interface Entry {
  readonly name: string
  readonly type: string
  readonly mode: number
  readonly uid: number
  readonly mtime: number
  readonly linkname: string
  readonly bytes: Buffer
  readonly text: string
}

/** The entries of a tar by name. */
export async function entries(tar: Buffer | undefined): Promise<Map<string, Entry>> {
  const found = new Map<string, Entry>()
  const reader = extract()
  Readable.from([tar ?? Buffer.alloc(0)]).pipe(reader)
  for await (const entry of reader) {
    const { name, type, mode, uid, mtime, linkname } = entry.header
    const bytes = await buffer(entry)
    found.set(name, {
      name,
      type: type ?? '',
      mode: mode ?? 0,
      uid: uid ?? -1,
      mtime: Number(mtime ?? 0),
      linkname: linkname ?? '',
      bytes,
      text: bytes.toString(),
    })
  }
  return found
}

/** The layers that Python's environment is divided into. */
export function partsOf(header: Header | undefined): Layer[] {
  return (header?.layers ?? []).filter((layer) => layer.name.startsWith('python-env-'))
}
