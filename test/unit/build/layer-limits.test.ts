// Goal: a build that writes its result by itself can make the control plane neither remember nor look at more than is allowed.
// Method: tars with headers made by hand go through the same function as a build's own.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import tar from 'tar-stream'
import { loadConfig } from '../../../server/config.js'
import { type LayerLimits, layerBudget } from '../../../server/build/layer-limits.js'
import { writeLayerTar } from '../../../server/build/layer-tar.js'
import { LinkTree } from '../../../server/build/link-tree.js'

const date = new Date('2026-11-20T10:00:00Z')

interface Block {
  readonly name?: string
  readonly type?: string
  readonly size?: number | string
  readonly linkname?: string
  readonly content?: string
}

const dir = t.testdir()
const defaults: LayerLimits = loadConfig({}).build

/** A header and what follows it, however little sense they make together. */
function block({ name = 'app/x', type = '0', linkname = '', content = '', size }: Block): Buffer {
  const body = Buffer.from(content)
  const header = Buffer.alloc(512)
  header.write(name.slice(0, 100), 0)
  header.write('0000644\0', 100)
  header.write(typeof size === 'string' ? size : (size ?? body.length).toString(8).padStart(11, '0'), 124, 'latin1')
  header.write(type, 156)
  header.write(linkname, 157)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((all, byte) => all + byte, 8 * 32)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)])
}

/** A file with GNU's long name, as the build's own tar writes it. */
function longNamed(name: string, rest: Block = {}): Buffer {
  return Buffer.concat([block({ name: '././@LongLink', type: 'L', content: `${name}\0` }), block({ name, ...rest })])
}

/** A record of a pax header begins with its own length. */
function record(text: string): string {
  for (let length = Buffer.byteLength(text) + 3; ; length++) {
    const whole = `${length} ${text}\n`
    if (Buffer.byteLength(whole) === length) return whole
  }
}

function write(chunks: Iterable<Buffer>, limits: Partial<LayerLimits> = {}) {
  const budget = layerBudget({ ...defaults, ...limits })
  return writeLayerTar(Readable.from(chunks), 'app', path.join(dir, 'layer.tar'), budget, date)
}

async function namesWritten(): Promise<string[]> {
  const extract = tar.extract()
  extract.end(readFileSync(path.join(dir, 'layer.tar')))
  const names: string[] = []
  for await (const entry of extract) {
    names.push(entry.header.name)
    entry.resume()
  }
  return names
}

const numbered = (count: number) => Array.from({ length: count }, (_, n) => block({ name: `app/${n}` }))

t.test('a path may be 4,096 bytes long, and so may what a link points to', async (t) => {
  const name = `app/${Array.from({ length: 20 }, () => 'x'.repeat(200)).join('/')}`.padEnd(4_096, 'y')
  await write([longNamed(name), longNamed('app/x', { type: '2', linkname: 'y' })])
  t.same(await namesWritten(), ['app/', name, 'app/x'])
  const refused = { name: 'Error', message: /^The build made a path of 4097 bytes, longer than the 4096 allowed: / }
  await t.rejects(write([longNamed(`${name}z`)]), refused)
  const link = block({ type: 'K', content: `${name}z\0` })
  await t.rejects(write([link, block({ type: '2', linkname: 'y' })]), refused)
  const accented = `app/${'é'.repeat(2_046)}x`
  await t.rejects(write([block({ type: 'x', content: record(`path=${accented}`) }), block({})]), refused)
})

t.test('a path of half a million folders is refused before anything looks into it', async (t) => {
  const refused = { message: /^The build made a path of \d+ bytes, longer than the 4096 allowed/ }
  await t.rejects(write([longNamed(`app/${'a/'.repeat(250_000)}`)]), refused)
  await t.rejects(write([longNamed(`app/${'a/'.repeat(16_000)}`)]), refused)
  await t.rejects(write([longNamed(`app/${'a/'.repeat(255)}`)]), {
    message: /^The build nested folders deeper than 256/,
  })
  await write([longNamed(`app/${'a/'.repeat(254)}x`)])
})

t.test('what comes before an entry to name it takes 64 KiB at most, whichever form it has', async (t) => {
  for (const type of ['x', 'L', 'K', 'N']) {
    const begun = block({ type, size: 64 * 1024 + 1 })
    // Nothing follows: it is refused for what it says, not for what came.
    await t.rejects(write([begun]), { message: /^The build made a path of 65537 bytes/ }, type)
  }
})

t.test('no more entries than allowed, in all tars of a build together, whatever becomes of them', async (t) => {
  await write(numbered(30), { files: 30 })
  const refused = { message: /^The build made more than 30 files \(PAAS_BUILD_FILES\)\. .*raise the limit\.$/ }
  await t.rejects(write(numbered(31), { files: 30 }), refused)
  const outside = Array.from({ length: 31 }, () => block({ name: 'etc/x', type: '6' }))
  await t.rejects(write(outside, { files: 30 }), refused)

  const budget = layerBudget({ ...defaults, files: 30 })
  const one = () => writeLayerTar(Readable.from(numbered(16)), 'app', path.join(dir, 'layer.tar'), budget, date)
  await one()
  await t.rejects(one(), refused)
})

t.test('folders that only a link’s name speaks of count like those that are there', async (t) => {
  const link = (place: string) => longNamed(`app/${place}/${'a/'.repeat(20)}x`, { type: '2', linkname: 'y' })
  await write([link('0')], { files: 30 })
  await t.rejects(write([link('0'), link('1')], { files: 30 }), { message: /more than 30 files/ })
})

t.test('all names together take no more than allowed', async (t) => {
  const names = Array.from({ length: 10 }, (_, n) => longNamed(`app/${n}/${'x'.repeat(994)}`))
  await write(names, { nameBytes: 10_000 })
  await t.rejects(write(names, { nameBytes: 9_999 }), {
    message: /^The names of the files that the build made take more than 9999 bytes \(PAAS_BUILD_NAMES\)\. /,
  })
})

t.test('headers that programs read in different ways are refused', async (t) => {
  const hidden = block({ name: 'app/hidden' })
  const sources: Readonly<Record<string, Buffer[]>> = {
    'a size of its own': [block({ type: 'x', content: record('size=0') }), block({ size: 512 }), hidden],
    'for all that follow': [block({ type: 'g', content: record('path=app/y') }), hidden],
    'names of nothing': [block({ type: 'L' }), block({ content: 'x' }), hidden],
    'a folder with content': [block({ type: '5', size: 512 }), hidden],
    'a link with content': [block({ type: '2', size: 512, linkname: 'x' }), hidden],
    'an unknown type with content': [block({ type: 'Z', size: 512 }), hidden],
    'a negative size': [block({ size: '-0000000001' }), hidden],
    'a negative binary size': [block({ size: '\xff'.repeat(12) }), hidden],
    'an impossible size': [block({ size: `\x80${'\xff'.repeat(11)}` }), hidden],
    'a size of letters': [block({ size: 'xxxxxxxxxxx' }), hidden],
  }
  for (const [what, source] of Object.entries(sources))
    await t.rejects(write(source), { message: /^The build handed out a tar that nothing .* Push again\.$/ }, what)
})

t.test('cut anywhere, a tar is read the same', async (t) => {
  const name = `app/${'long/'.repeat(40)}x`
  const bytes = Buffer.concat([longNamed(name, { content: 'y'.repeat(700) }), Buffer.alloc(1024), ...numbered(2)])
  for (const piece of [1, 7, 511, 512, 513, 4_000]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, n) =>
      bytes.subarray(n * piece, (n + 1) * piece),
    )
    await write(pieces)
    t.same(await namesWritten(), ['app/', name, 'app/0', 'app/1'])
  }
})

t.test('what the build’s own tar packs comes through: long names, links, names in any script', async (t) => {
  const tree = t.testdir()
  const deep = path.join(tree, 'app', 'node_modules/.pnpm/@scope+package@1.2.3/node_modules/'.repeat(4), 'ünï-包')
  mkdirSync(deep, { recursive: true })
  for (let length = 90; length < 110; length++) writeFileSync(path.join(tree, 'app', 'f'.repeat(length)), 'content')
  writeFileSync(path.join(deep, 'index.js'), 'x'.repeat(3_000))
  symlinkSync(path.join(deep, 'index.js'), path.join(tree, 'app', 'link'))
  const options = ['--create', '--format=gnu', '--sort=name', `--directory=${tree}`, 'app']
  const source = execFileSync('tar', options)
  const listed = execFileSync('tar', ['--list', '--quoting-style=literal'], {
    input: source,
    env: { LC_ALL: 'C.UTF-8' },
  })
  await write([source])
  t.same(await namesWritten(), listed.toString('utf8').trim().split('\n'))
})

t.test('links are found by their places', async (t) => {
  const tree = new LinkTree(() => {})
  tree.add('app/a/b')
  t.ok(tree.has('app/a/b'))
  t.ok(tree.isAbove('app/a/b/c') && tree.isAbove('app/a/b/c/d'))
  for (const name of ['app/a/b', 'app/a/bc', 'app/a', 'b', 'app/x/b/c', '']) t.notOk(tree.isAbove(name), name)
  tree.delete('app/a')
  t.ok(tree.has('app/a/b'))
  tree.delete('app/a/b')
  t.notOk(tree.has('app/a/b') || tree.isAbove('app/a/b/c'))
})
