import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import t from 'tap'
import tar from 'tar-stream'
import { type LayerLimits, layerBudget } from '../../../server/build/layer-limits.js'
import { writeLayerTar } from '../../../server/build/layer-tar.js'

type Entry = Partial<tar.Header> & { readonly name: string; readonly content?: string }

const dir = t.testdir()
let files = 0
const limits: LayerLimits = { files: 1_000, nameBytes: 100_000 }

async function pack(entries: readonly Entry[]): Promise<Buffer> {
  const packing = tar.pack()
  for (const { content, ...header } of entries) packing.entry(header as tar.Header, content ?? '')
  packing.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of packing) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const date = new Date('2026-11-20T10:00:00Z')

/** The layer's entries, read back: `name`, `name -> target` for links, with what a file holds. */
async function layerOf(source: Buffer | AsyncIterable<Buffer>, prefix = 'app') {
  const file = path.join(dir, `${++files}.tar`)
  const layer = await writeLayerTar(
    Buffer.isBuffer(source) ? Readable.from([source]) : source,
    prefix,
    file,
    layerBudget(limits),
    date,
  )
  const bytes = await readFile(file)
  t.equal(layer.bytes, bytes.length)
  t.equal(layer.diffId, `sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  const headers: tar.Header[] = []
  const lines: string[] = []
  const extract = tar.extract()
  extract.end(bytes)
  for await (const entry of extract) {
    const { name, linkname, type } = entry.header
    let content = ''
    for await (const chunk of entry) content += String(chunk)
    headers.push(entry.header)
    lines.push(
      linkname ? `${name} -${type === 'link' ? '=' : '-'}> ${linkname}` : content ? `${name}: ${content}` : name,
    )
  }
  return { lines, headers, layer }
}

t.test('files, folders and links below the prefix come through, the folders above it are made', async (t) => {
  const source = await pack([
    { name: 'app/.heroku/python/', type: 'directory' },
    { name: './app/.heroku/python/bin/', type: 'directory' },
    { name: 'app/.heroku/python/bin/python3', content: 'snake', mode: 0o755 },
    { name: 'app/.heroku/python/bin/python', type: 'symlink', linkname: 'python3' },
    { name: 'app/.heroku/python/bin/twin', type: 'link', linkname: 'app/.heroku/python/bin/python3' },
    { name: 'app/.heroku/python/etc', type: 'symlink', linkname: '/etc' },
  ])
  t.same((await layerOf(source, 'app/.heroku/python')).lines, [
    'app/',
    'app/.heroku/',
    'app/.heroku/python/',
    'app/.heroku/python/bin/',
    'app/.heroku/python/bin/python3: snake',
    'app/.heroku/python/bin/python --> python3',
    'app/.heroku/python/bin/twin -=> app/.heroku/python/bin/python3',
    'app/.heroku/python/etc --> /etc',
  ])
})

t.test('owner and times are fixed, set-uid bits go, permissions stay', async (t) => {
  const source = await pack([
    { name: 'app/tool', content: 'x', mode: 0o6755, uid: 0, gid: 0, uname: 'root', mtime: new Date(1e12) },
    { name: 'app/secret', content: 'x', mode: 0o600, pax: { 'SCHILY.xattr.security.capability': 'x' } },
  ])
  const { headers } = await layerOf(source)
  for (const header of headers) t.match(header, { uid: 59_419, gid: 59_419, mtime: date, uname: '', gname: '' })
  t.same(
    headers.map(({ mode }) => mode?.toString(8)),
    ['755', '755', '600'],
  )
  t.notOk(headers.some((header) => JSON.stringify(header.pax ?? {}).includes('capability')))
})

t.test('what leaves the prefix is left out, however it is written', async (t) => {
  const names = ['etc/passwd', '/app/x', 'app/../etc/passwd', '../app/x', 'application/x', 'app/a/../../x', 'app', '']
  const source = await pack([
    ...names.map((name) => ({ name, content: 'bad' })),
    { name: 'app/a/../b', content: 'good' },
    { name: 'app/linked', type: 'link', linkname: 'etc/passwd' },
    { name: 'app/linked-up', type: 'link', linkname: 'app/../etc/passwd' },
  ])
  t.same((await layerOf(source)).lines, ['app/', 'app/b: good'])
})

t.test('devices, pipes and whiteouts are left out', async (t) => {
  const source = await pack([
    { name: 'app/null', type: 'character-device', devmajor: 1, devminor: 3 },
    { name: 'app/disk', type: 'block-device' },
    { name: 'app/pipe', type: 'fifo' },
    { name: 'app/.wh.gone', content: '' },
    { name: 'app/lib/.wh..wh..opq', content: '' },
    { name: 'app/.wh.folder/x', content: 'x' },
    { name: 'app/kept.wh.', content: 'x' },
  ])
  t.same((await layerOf(source)).lines, ['app/', 'app/kept.wh.: x'])
})

t.test('nothing is written through a link of the same layer', async (t) => {
  const source = await pack([
    { name: 'app/out', type: 'symlink', linkname: '/etc' },
    { name: 'app/out/passwd', content: 'bad' },
    { name: 'app/out/deep/er', content: 'bad' },
    { name: 'app/also', type: 'link', linkname: 'app/out' },
    { name: 'app/also/passwd', content: 'bad' },
    { name: 'app/outer', content: 'good' },
    { name: 'app/out', type: 'directory' },
    { name: 'app/out/here', content: 'good' },
  ])
  t.same((await layerOf(source)).lines, [
    'app/',
    'app/out --> /etc',
    'app/also -=> app/out',
    'app/outer: good',
    'app/out/',
    'app/out/here: good',
  ])
})

t.test('a hard link needs a file that the layer has', async (t) => {
  const source = await pack([
    { name: 'app/early', type: 'link', linkname: 'app/file' },
    { name: 'app/self', type: 'link', linkname: 'app/self' },
    { name: 'app/file', content: 'x' },
    { name: 'app/late', type: 'link', linkname: './app/file' },
  ])
  t.same((await layerOf(source)).lines, ['app/', 'app/file: x', 'app/late -=> app/file'])
})

t.test('the same tree gives the same digest, however its bytes are cut and whoever owned it', async (t) => {
  const entry = fc.record({ name: fc.stringMatching(/^[a-zé]{1,150}$/), content: fc.string({ maxLength: 2_000 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 5 }), fc.integer({ min: 1, max: 3_000 }), async (entries, piece) => {
      const tree = (owner: Partial<tar.Header>) => pack(entries.map((e) => ({ ...owner, ...e, name: `app/${e.name}` })))
      const bytes = await tree({ uid: 5, uname: 'me', mtime: new Date() })
      const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, n) =>
        bytes.subarray(n * piece, (n + 1) * piece),
      )
      const [one, other] = [await layerOf(await tree({})), await layerOf(Readable.from(pieces))]
      return one.layer.diffId === other.layer.diffId
    }),
    { numRuns: 15 },
  )
  t.pass('held')
})

t.test('a source that breaks, lies or ends early is an error, and nothing is left hanging', async (t) => {
  const good = await pack([{ name: 'app/file', content: 'x'.repeat(100_000) }])
  async function* breaking() {
    yield good.subarray(0, 50_000)
    throw new Error('the engine hung up')
  }
  const file = path.join(dir, 'broken.tar')
  const budget = layerBudget(limits)
  await t.rejects(writeLayerTar(breaking(), 'app', file, budget, date), { message: 'the engine hung up' })
  await t.rejects(writeLayerTar(Readable.from([good.subarray(0, 50_000)]), 'app', file, budget, date))
  await t.rejects(writeLayerTar(Readable.from([Buffer.alloc(2_048, 'x')]), 'app', file, budget, date))
})

t.test('a full disk is an error that says so', async (t) => {
  const entries = Array.from({ length: 50 }, (_, n) => ({ name: `app/${n}`, content: 'x'.repeat(100_000) }))
  const links = Array.from({ length: 50 }, (_, n) => ({ name: `app/l${n}`, type: 'symlink' as const, linkname: 'x' }))
  const source = await pack([...entries, ...links])
  const budget = layerBudget(limits)
  await t.rejects(writeLayerTar(Readable.from([source]), 'app', '/dev/full', budget, date), { code: 'ENOSPC' })
  await t.rejects(writeLayerTar(Readable.from([await pack(links)]), 'app', '/dev/full', budget, date), {
    code: 'ENOSPC',
  })
  await t.rejects(writeLayerTar(Readable.from([source]), 'app', path.join(dir, 'no', 'folder.tar'), budget, date), {
    code: 'ENOENT',
  })
})
