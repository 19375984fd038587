/**
 * Rewrites what a build hands out into an image layer we can vouch for: everything below one folder, owned by the dyno's
 * user, fixed times, no set-uid bits, no devices, no whiteouts. The same tree gives the same bytes, hence the same digest.
 */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'

export const dynoUid = 1000

export interface LayerTar {
  readonly file: string
  /** `sha256:…` of the uncompressed tar. */
  readonly diffId: string
  readonly bytes: number
}

const kept = new Set(['file', 'directory', 'symlink', 'link', 'contiguous-file'])
const epoch = new Date(0)

/** Entries are named as in the image; those that are not at or below `prefix` (such as `app/.heroku/python`) are left out. */
export async function writeLayerTar(source: AsyncIterable<Buffer>, prefix: string, file: string): Promise<LayerTar> {
  const extract = tar.extract()
  const pack = tar.pack()
  const hash = createHash('sha256')
  let bytes = 0
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      bytes += chunk.length
      done(null, chunk)
    },
  })
  const owner = { uid: dynoUid, gid: dynoUid, mtime: epoch, uname: '', gname: '' }
  const written = pipeline(pack, meter, createWriteStream(file))
  const feeding = pipeline(Readable.from(source), extract)

  const parts = prefix.split('/')
  for (let depth = 1; depth <= parts.length; depth++)
    pack.entry({ ...owner, name: `${parts.slice(0, depth).join('/')}/`, type: 'directory', mode: 0o755 })
  try {
    for await (const entry of extract) {
      const header = entry.header
      const name = within(prefix, header.name)
      if (name === undefined || name === prefix || !kept.has(header.type ?? 'file') || isWhiteout(name)) {
        entry.resume()
        continue
      }
      const out = {
        ...owner,
        name: header.type === 'directory' ? `${name}/` : name,
        mode: (header.mode ?? 0o644) & 0o777,
        type: header.type === 'contiguous-file' ? 'file' : header.type,
        ...(header.type === 'symlink' ? { linkname: header.linkname } : {}),
        ...(header.type === 'link' ? { linkname: within(prefix, header.linkname ?? '') ?? name } : {}),
      } as tar.Header
      if (header.type === 'file' || header.type === 'contiguous-file') {
        await pipeline(entry, pack.entry({ ...out, size: header.size ?? 0 }))
      } else {
        pack.entry(out)
        entry.resume()
      }
    }
    pack.finalize()
  } catch (error) {
    pack.destroy(error as Error)
    await written.catch(() => {})
    throw error
  }
  await Promise.all([feeding, written])
  return { file, diffId: `sha256:${hash.digest('hex')}`, bytes }
}

/** The entry's name below the prefix, or undefined when it would leave it. */
function within(prefix: string, name: string): string | undefined {
  const joined = path.posix.normalize(name).replace(/^\.\//, '').replace(/\/$/, '')
  return joined === prefix || joined.startsWith(`${prefix}/`) ? joined : undefined
}

function isWhiteout(name: string): boolean {
  return path.posix.basename(name).startsWith('.wh.')
}
