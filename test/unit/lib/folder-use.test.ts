import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { folderUse } from '../../../server/lib/folder-use.js'

const home = await mkdtemp(path.join(tmpdir(), 'paas-use-'))
t.teardown(() => rm(home, { recursive: true, force: true }))

async function folder(name: string): Promise<string> {
  const made = path.join(home, name)
  await mkdir(made)
  return made
}

t.test('counts blocks, whatever the names, and each folder by itself', async (t) => {
  const [one, two] = [await folder('one\ntwo\t3'), await folder('--help')]
  await writeFile(path.join(one, 'file'), Buffer.alloc(3_000_000, 1))
  await writeFile(path.join(two, 'file'), Buffer.alloc(1_000_000, 1))
  const use = await folderUse([one, two])
  t.equal(use.size, 2)
  t.ok((use.get(one) ?? 0) >= 3_000_000 && (use.get(one) ?? 0) < 3_200_000)
  t.ok((use.get(two) ?? 0) >= 1_000_000 && (use.get(two) ?? 0) < 1_200_000)
})

t.test('a hole in a file takes nothing, an empty file takes 4 KiB', async (t) => {
  const [sparse, many] = [await folder('sparse'), await folder('many')]
  await writeFile(path.join(sparse, 'file'), '')
  await truncate(path.join(sparse, 'file'), 1e9)
  await Promise.all(Array.from({ length: 500 }, (_, i) => writeFile(path.join(many, String(i)), '')))
  const use = await folderUse([sparse, many])
  t.ok((use.get(sparse) ?? 0) < 100_000)
  t.equal(use.get(many), 501 * 4096)
})

t.test('a folder that is gone is left out', async (t) => {
  const there = await folder('there')
  t.same([...(await folderUse([there, path.join(home, 'gone')])).keys()], [there])
  t.same([...(await folderUse([])).keys()], [])
})
