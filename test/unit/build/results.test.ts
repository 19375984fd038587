/** What a build hands out, and what is kept of it for the next. */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { type AppCache, appCache, type LayerRecord } from '../../../server/build/app-cache.js'
import { parseResultHeader } from '../../../server/build/build-result.js'

const key = 'a'.repeat(64)
const python = { name: 'python', path: 'app/.heroku/python', key, new: true, launch: true, bytes: 100 }

function parse(header: unknown, maxBytes = 1_000) {
  return parseResultHeader(JSON.stringify(header), maxBytes)
}

/** Parses a header with one layer that differs from a good one. */
function parseLayer(change: object) {
  return () => parse({ layers: [{ ...python, ...change }], app_bytes: 0 })
}

t.test('a build says what it made', async (t) => {
  const header = parse({
    buildpacks: [{ name: 'heroku/python', version: '3' }, 'heroku/procfile'],
    process_types: { web: 'gunicorn', release: 'migrate' },
    addons: ['heroku-postgresql', 'heroku-postgresql:mini'],
    layers: [python, { name: 'deps', path: 'app/.heroku/deps', key: 'none', new: false, launch: false }],
    cache: { changed: true },
    app_bytes: 900,
    notes: ['Consider uv.'],
    more: 'ignored',
  })
  t.same(header, {
    buildpacks: ['heroku/python', 'heroku/procfile'],
    processTypes: { web: 'gunicorn', release: 'migrate' },
    addOns: ['heroku-postgresql', 'heroku-postgresql:mini'],
    layers: [
      { name: 'python', path: 'app/.heroku/python', key, isNew: true, isLaunch: true, bytes: 100 },
      { name: 'deps', path: 'app/.heroku/deps', key: 'none', isNew: false, isLaunch: false, bytes: 0 },
    ],
    cacheChanged: true,
    appBytes: 900,
    notes: ['Consider uv.'],
  })
})

t.test('the least a build can say', async (t) => {
  t.match(parse({ app_bytes: 0 }), { buildpacks: [], processTypes: {}, addOns: [], layers: [], cacheChanged: false })
})

t.test('a header that is none is refused with a sentence', async (t) => {
  t.throws(() => parseResultHeader('Segmentation fault', 10), { message: 'the build ended without a readable result' })
  for (const line of ['', 'null', '[]', '3', '"x"', '{}'])
    t.throws(() => parseResultHeader(line, 10), { message: /^the build('s app has no size| ended without)/ }, line)
})

t.test('sizes are whole numbers of bytes, and all together no more than allowed', async (t) => {
  for (const app_bytes of [-1, 1.5, '1', null, 1e300]) t.throws(() => parse({ app_bytes }), { message: /has no size/ })
  t.throws(parseLayer({ bytes: undefined }), { message: "the build's layer python has no size" })
  t.equal(parse({ layers: [python], app_bytes: 900 }).appBytes, 900)
  t.throws(() => parse({ layers: [python], app_bytes: 901 }), { message: /1001 bytes, more than the 1000 allowed/ })
})

t.test('a layer has a plain name, a path below /app and a key', async (t) => {
  for (const name of ['', 'Python', '../x', 'a/b', '.x', 'x.json', 3])
    t.throws(parseLayer({ name }), { message: 'the build names a layer in an unusable way' }, String(name))
  const paths = ['app', 'app/', '/app/x', 'etc', 'app/../etc', 'app/a/..', 'app//x', 'app/x/', 'app/./x', 'app/x y', 3]
  for (const path of paths)
    t.throws(parseLayer({ path }), { message: 'the build puts layer python outside /app' }, String(path))
  for (const bad of [undefined, '', 'A'.repeat(64), 'a'.repeat(63)])
    t.throws(parseLayer({ key: bad }), { message: "the build's layer python has no key" })
})

t.test('no layer comes twice, and there are 20 at most', async (t) => {
  const layers = Array.from({ length: 21 }, (_, n) => ({ ...python, name: `l${n}`, path: `app/l${n}`, bytes: 0 }))
  t.equal(parse({ layers: layers.slice(1), app_bytes: 0 }).layers.length, 20)
  t.throws(() => parse({ layers, app_bytes: 0 }), { message: 'the build made more than 20 layers' })
  const two = (change: object) => parse({ layers: [python, { ...python, ...change }], app_bytes: 0 })
  t.throws(() => two({ path: 'app/other' }), { message: 'the build made layer python twice' })
  t.equal(two({ name: 'more' }).layers.length, 2, 'parts of one tree have one path')
})

t.test('names and texts that can be nothing we asked for are left out', async (t) => {
  const header = parse({
    buildpacks: [{ name: 3 }, null, 'nul\0', { name: 'x'.repeat(300) }],
    process_types: { web: 'serve', worker: 3, 'not a type': 'x', empty: ' ', nul: 'a\0b', '': 'x' },
    addons: ['heroku-postgresql', 'Bad Name', 'a:b:c', { plan: 'x' }],
    notes: ['fine', 'two\nlines', '', 3],
    app_bytes: 0,
  })
  t.same(header.buildpacks, ['x'.repeat(200)])
  t.same(header.processTypes, { web: 'serve' })
  t.same(header.addOns, ['heroku-postgresql'])
  t.same(header.notes, ['fine'])
})

const layer: LayerRecord = { name: 'deps', path: 'app/d', key, diffId: 'sha256:1', bytes: 3, isLaunch: true }
let worlds = 0

/** A data folder with a cache in it, and rooms to lend to. */
function world() {
  const dataDir = t.testdir({}) && path.join(t.testdirName, String(++worlds))
  const home = path.join(dataDir, 'builds', 'apps', 'a1')
  return {
    home,
    cache: appCache({ dataDir }, 'a1'),
    room(name: string, made: Readonly<Record<string, string>> = {}): string {
      const dir = path.join(dataDir, name)
      for (const folder of ['layers', 'previous', 'out', 'tmp']) mkdirSync(path.join(dir, folder), { recursive: true })
      for (const [file, content] of Object.entries(made)) {
        mkdirSync(path.dirname(path.join(dir, file)), { recursive: true })
        writeFileSync(path.join(dir, file), content)
      }
      return dir
    },
  }
}

const firstBuild = { 'layers/deps/lib.py': '1', 'layers/deps.json': '{}', 'tmp/cache/wheel': 'w', 'out/deps.tar': 't' }

async function buildOnce(cache: AppCache, dir: string) {
  t.same(await cache.lend(dir), [])
  await cache.promote(dir, [layer], true)
}

t.test('what a build made comes along to the next, without a copy', async (t) => {
  const { cache, room } = world()
  await buildOnce(cache, room('one', firstBuild))
  const second = room('two')
  t.same(await cache.lend(second), [layer])
  t.equal(readFileSync(path.join(second, 'previous/layers/deps/lib.py'), 'utf8'), '1')
  t.equal(readFileSync(path.join(second, 'previous/layers/deps.json'), 'utf8'), '{}')
  t.equal(readFileSync(path.join(second, 'previous/cache/wheel'), 'utf8'), 'w')
  t.same(await cache.lend(room('three')), [], 'it is lent once')
})

t.test('a failed build gives back what it borrowed', async (t) => {
  const { cache, room } = world()
  await buildOnce(cache, room('one', firstBuild))
  const failed = room('two', { 'layers/deps/lib.py': 'half', 'tmp/cache/wheel': 'half' })
  await cache.lend(failed)
  await cache.takeBack(failed)
  const third = room('three')
  t.same(await cache.lend(third), [layer])
  t.equal(readFileSync(path.join(third, 'previous/layers/deps/lib.py'), 'utf8'), '1')
  t.equal(readFileSync(path.join(third, 'previous/cache/wheel'), 'utf8'), 'w')
})

t.test('the next build’s layers replace, join or drop those before', async (t) => {
  const { cache, room, home } = world()
  await buildOnce(cache, room('one', { ...firstBuild, 'layers/old/x': '' }))
  const second = room('two', { 'layers/runtime/bin': 'r' })
  await cache.lend(second)
  const runtime = { ...layer, name: 'runtime' }
  await cache.promote(second, [runtime, layer], false)
  t.same(readdirSync(path.join(home, 'layers')).sort(), ['deps', 'deps.json', 'runtime'])
  t.ok(existsSync(path.join(home, 'cache/wheel')), 'an unchanged CACHE_DIR stays')
  const third = room('three', { 'layers/deps/lib.py': '2' })
  await cache.lend(third)
  await cache.promote(third, [layer], true)
  t.same(readdirSync(path.join(home, 'layers')).sort(), ['deps', 'deps.json'])
  t.equal(readFileSync(path.join(home, 'layers/deps/lib.py'), 'utf8'), '2')
  t.notOk(existsSync(path.join(home, 'cache')), 'a CACHE_DIR that the build emptied is gone')
})

t.test('a control plane that dies while a build has the cache costs the cache and nothing else', async (t) => {
  const { cache, room, home } = world()
  await buildOnce(cache, room('one', firstBuild))
  await cache.lend(room('two'))
  t.notOk(existsSync(path.join(home, 'layers.json')))
  mkdirSync(path.join(home, 'layers'), { recursive: true })
  writeFileSync(path.join(home, 'layers', 'half'), 'half')
  t.same(await cache.lend(room('three')), [])
  t.notOk(existsSync(home), 'what has no record is not believed')
})

t.test('links that a build leaves in place of folders or files are not followed', async (t) => {
  const { cache, room, home } = world()
  const dir = room('one')
  const outside = room('outside', { 'secret/x': 'secret' })
  symlinkSync(path.join(outside, 'secret'), path.join(dir, 'layers/deps'))
  symlinkSync(path.join(outside, 'secret/x'), path.join(dir, 'layers/deps.json'))
  symlinkSync(path.join(outside, 'secret'), path.join(dir, 'tmp/cache'))
  await buildOnce(cache, dir)
  t.same(readdirSync(path.join(home, 'layers')), [])
  t.notOk(existsSync(path.join(home, 'cache')))
  t.ok(lstatSync(path.join(outside, 'secret/x')).isFile())
})

t.test('a cache that belongs to a user of an earlier version is not lent', async (t) => {
  const { cache, room, home } = world()
  await buildOnce(cache, room('one', firstBuild))
  writeFileSync(path.join(home, 'layers.json'), JSON.stringify([layer]))
  t.same(await cache.lend(room('two')), [])
  t.notOk(existsSync(home), 'and makes room for a new one')
})

t.test('the cache of a destroyed app goes, whatever there is of it', async (t) => {
  const { cache, room, home } = world()
  await cache.remove()
  await buildOnce(cache, room('one', firstBuild))
  await cache.remove()
  t.notOk(existsSync(home))
})
