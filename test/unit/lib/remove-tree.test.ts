import { existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { removeTree } from '../../../server/lib/remove-tree.js'
import { nestBeyondPaths } from '../../support/deep-folders.js'

t.test('folders nested deeper than a path may be long go, with what is in them', async (t) => {
  const dir = path.join(t.testdir(), 'room')
  mkdirSync(dir)
  nestBeyondPaths(dir)
  await removeTree(dir)
  t.notOk(existsSync(dir))
})

t.test('a file, a link, and names that look like options go; what links point to stays', async (t) => {
  const dir = t.testdir({ kept: { x: '' }, '-rf': { x: '' }, file: '' })
  symlinkSync(path.join(dir, 'kept'), path.join(dir, 'link'))
  symlinkSync(path.join(dir, 'kept'), path.join(dir, '-rf', 'link'))
  for (const name of ['-rf', 'file', 'link']) await removeTree(path.join(dir, name))
  t.same(readdirSync(dir), ['kept'])
  t.ok(lstatSync(path.join(dir, 'kept', 'x')).isFile())
})

t.test('what is not there is no error', async (t) => {
  await removeTree(path.join(t.testdir(), 'gone'))
})

t.test('only absolute paths are taken', async (t) => {
  await t.rejects(removeTree('tmp/room'), { message: 'only absolute paths are removed, not tmp/room' })
})

t.test('what cannot be removed is an error that says what and why', async (t) => {
  // Not even root removes what the kernel shows there.
  const target = `/proc/${process.pid}/net`
  await t.rejects(removeTree(target), { message: new RegExp(`^${target} could not be removed: /bin/rm: .*`) })
})
