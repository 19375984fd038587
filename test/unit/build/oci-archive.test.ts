/** Archives in OCI's layout, as engines with containerd's image store give and take them. */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import tar from 'tar-stream'
import t from 'tap'
import { createOciLoader, ociDocuments } from '../../../server/build/oci-archive.js'
import type { Engine, Image } from '../../../server/engine/engine.js'

const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`
const stack = {
  id: 'sha256:stack',
  diffIds: ['sha256:1', 'sha256:2'],
  config: { env: ['PATH=/bin', 'HOME=/root'], command: [], entrypoint: [], workingDir: '', user: '' },
} as unknown as Image
const blobs = ['a', 'b'].map((name, at) => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: `sha256:${name.repeat(64)}`,
  size: 100 + at,
}))

function engineThatSaves(entries: Readonly<Record<string, string>>): Engine {
  const pack = tar.pack()
  for (const [name, text] of Object.entries(entries)) pack.entry({ name }, text)
  pack.finalize()
  return { saveImage: async () => pack as unknown as Readable } as unknown as Engine
}

const blob = (text: string) => [`blobs/sha256/${digestOf(text).slice(7)}`, text] as const

t.test('the blobs of an image are found by what its layers hold', async (t) => {
  const config = JSON.stringify({ rootfs: { diff_ids: stack.diffIds } })
  const other = JSON.stringify({ rootfs: { diff_ids: ['sha256:9', 'sha256:2'] } })
  const manifest = (of: string, layers: unknown) => JSON.stringify({ config: { digest: digestOf(of) }, layers })
  const entries = Object.fromEntries([
    blob('no json'),
    blob('x'.repeat(2 * 1024 ** 2)),
    blob(manifest(other, [...blobs].reverse())),
    blob(other),
    blob(manifest(config, blobs)),
    blob(config),
    ['index.json', '{}'],
  ])
  const loader = createOciLoader(engineThatSaves(entries))
  t.strictSame(await loader.prepare(stack), blobs)
  t.equal(loader.prepare(stack), loader.prepare(stack), 'once a stack')
  const without = createOciLoader(engineThatSaves({ 'index.json': '{}' }))
  await t.rejects(without.prepare(stack), /no manifest of its layers/)
})

t.test('an archive names every layer, and is the same for the same image', (t) => {
  const layers = [{ diffId: `sha256:${'c'.repeat(64)}`, bytes: 7, file: undefined }]
  const one = ociDocuments(stack, blobs, layers, 'paas/app-1:2')
  t.strictSame(ociDocuments(stack, blobs, layers, 'paas/app-1:2'), one)
  t.equal(ociDocuments(stack, blobs, layers, 'paas/app-2:1').digest, one.digest, "a name isn't part of an image")
  const documents = new Map(one.entries)
  const index = JSON.parse(documents.get('index.json') ?? '')
  t.match(index.manifests, [
    { digest: one.digest, annotations: { 'io.containerd.image.name': 'docker.io/paas/app-1:2' } },
  ])
  const manifest = JSON.parse(documents.get(`blobs/sha256/${one.digest.slice(7)}`) ?? '')
  t.strictSame(
    manifest.layers.map((l: { digest: string; size: number }) => [l.digest, l.size]),
    [...blobs.map((b) => [b.digest, b.size]), [layers[0]?.diffId, 7]],
  )
  const config = JSON.parse(documents.get(`blobs/sha256/${manifest.config.digest.slice(7)}`) ?? '')
  t.strictSame(config.rootfs.diff_ids, [...stack.diffIds, layers[0]?.diffId])
  t.match(config.config, { User: '59419:59419', WorkingDir: '/app', Env: ['PATH=/bin', 'HOME=/app'] })
  for (const [name, text] of one.entries.filter(([name]) => name.startsWith('blobs/')))
    t.equal(`blobs/sha256/${digestOf(text).slice(7)}`, name)
  t.end()
})
