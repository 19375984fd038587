/**
 * Rewrites what a build hands out into an image layer we can vouch for: everything below one folder and nothing through a
 * link, owned by the dyno's user, one date for all, no set-uid bits, no devices, no whiteouts. The same tree gives the same
 * bytes, hence the same digest.
 */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { dynoUid } from '../model/dyno-user.js'
import { boundedHeaders, type LayerBudget } from './layer-limits.js'
import { LinkTree } from './link-tree.js'

export interface LayerTar {
  readonly file: string
  /** `sha256:…` of the uncompressed tar. */
  readonly diffId: string
  readonly bytes: number
}

const kept: ReadonlySet<string> = new Set(['file', 'directory', 'symlink', 'link'])

/**
 * Entries are named as in the image; those that are not at or below `prefix` (such as `app/.heroku/python`) are left out, but
 * count for the budget. Throws `LayerRefused` beyond it.
 */
export async function writeLayerTar(
  source: AsyncIterable<Buffer>,
  prefix: string,
  file: string,
  budget: LayerBudget,
  date: Date,
): Promise<LayerTar> {
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
  const owner = { uid: dynoUid, gid: dynoUid, mtime: date, uname: '', gname: '' }
  const written = pipeline(pack, meter, createWriteStream(file))
  const feeding = pipeline(Readable.from(boundedHeaders(source)), extract)

  // Each is awaited below; one that fails while the other is awaited must not count as nobody's.
  written.catch(() => {})
  feeding.catch(() => {})

  const parts = prefix.split('/')
  for (let depth = 1; depth <= parts.length; depth++)
    pack.entry({ ...owner, name: `${parts.slice(0, depth).join('/')}/`, type: 'directory', mode: 0o755 })
  const accept = acceptor(prefix, budget)
  try {
    for await (const entry of extract) {
      const accepted = accept(entry.header)
      if (accepted === undefined) {
        entry.resume()
        continue
      }
      const out = { ...owner, ...accepted } as tar.Header
      if (out.type === 'file') {
        await pipeline(entry, pack.entry({ ...out, size: entry.header.size ?? 0 }))
      } else {
        pack.entry(out)
        entry.resume()
      }
    }
    await feeding
    pack.finalize()
  } catch (error) {
    pack.destroy(error as Error)
    // The file's own trouble, such as a full disk, comes first: what is told here may only be its consequence.
    await written
    throw error
  }
  await written
  return { file, diffId: `sha256:${hash.digest('hex')}`, bytes }
}

type Accepted = Pick<tar.Header, 'name' | 'mode' | 'type'> & { readonly linkname?: string }

/** Says of each entry, in their order, as what it may enter the layer; undefined when it may not. */
function acceptor(prefix: string, budget: LayerBudget): (header: tar.Header) => Accepted | undefined {
  // Whoever unpacks the layer would follow a link that stands where a folder is named.
  const symlinks = new LinkTree(budget.takePlace)
  const entered = new Set<string>()
  return (header) => {
    budget.take(header)
    const name = within(prefix, header.name)
    const type = header.type === 'contiguous-file' ? 'file' : (header.type ?? 'file')
    if (name === undefined || name === prefix || !kept.has(type) || hasWhiteout(name) || symlinks.isAbove(name))
      return undefined
    const target = type === 'link' ? within(prefix, header.linkname ?? '') : undefined
    // A hard link joins a file that the layer has; others would break the image.
    if (type === 'link' && (target === undefined || !entered.has(target) || target === name)) return undefined
    const isSymlink = type === 'symlink' || (target !== undefined && symlinks.has(target))
    if (isSymlink) symlinks.add(name)
    else symlinks.delete(name)
    if (type !== 'directory') entered.add(name)
    return {
      name: type === 'directory' ? `${name}/` : name,
      mode: (header.mode ?? 0o644) & 0o777,
      type,
      ...(type === 'symlink' ? { linkname: header.linkname } : {}),
      ...(target === undefined ? {} : { linkname: target }),
    }
  }
}

/** The entry's name below the prefix, or undefined when it would leave it. */
function within(prefix: string, name: string): string | undefined {
  const joined = path.posix.normalize(name).replace(/^\.\//, '').replace(/\/$/, '')
  return joined === prefix || joined.startsWith(`${prefix}/`) ? joined : undefined
}

/** Names by which image formats say that something of a lower layer is gone. */
function hasWhiteout(name: string): boolean {
  return name.split('/').some((part) => part.startsWith('.wh.'))
}
