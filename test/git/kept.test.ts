// Goal: the commit of a push that went live is there and its branch can be led to it, whatever became of the push in git.
// Method: pushes whose hook keeps the objects and then says no, small ones (loose objects) and large ones (a pack).
import t from 'tap'
import { keepObjects } from '../../server/git/keep-objects.js'
import { startFront, transports } from './front-world.js'

t.setTimeout(180_000)

for (const [size, files] of [
  ['loose objects', 3],
  ['a pack', 300],
] as const)
  t.test(`kept objects outlive a refused push: ${size}`, async (t) => {
    const front = await startFront({
      transport: transports.spawn(),
      onPush: async (push) => {
        await keepObjects(push.quarantine)
        // Once more: what is there already is fine.
        await keepObjects(push.quarantine)
        return front.pushes.length > 1
      },
    })
    t.teardown(() => front.close())
    const appId = await front.createApp('hello')
    const copy = await front.createCopy(
      Object.fromEntries(Array.from({ length: files }, (_, i) => [`file-${i}`, `${i}\n`])),
    )
    const head = (await front.git(copy, ['rev-parse', 'HEAD'])).output.trim()

    t.not((await front.push(copy, 'hello', 'master')).code, 0, 'git refused it')
    t.equal(await front.repos.readRef(appId, 'refs/heads/master'), undefined)
    t.equal(await front.repos.moveRef(appId, 'refs/heads/master', head), true)
    t.equal(await front.repos.readRef(appId, 'refs/heads/master'), head)
    t.equal(await front.repos.moveRef(appId, 'refs/heads/master', head), false, 'it is there already')
    const repository = front.repos.path(appId)
    const checked = await front.git(front.dir, [`--git-dir=${repository}`, 'fsck', '--strict'])
    t.equal(checked.code, 0, checked.output)

    const again = await front.push(copy, 'hello', 'master')
    t.match(again.output, /Everything up-to-date/)
    const next = await front.commit(copy, { 'file-0': 'changed\n' })
    t.equal((await front.push(copy, 'hello', 'master')).code, 0, 'the next push goes its way')
    t.equal(await front.repos.readRef(appId, 'refs/heads/master'), next)

    await t.rejects(front.repos.moveRef(appId, 'refs/heads/other', head), /only branches that deploy/)
    await t.rejects(front.repos.moveRef(appId, 'refs/heads/master', `${'c0ffee'.repeat(6)}c0ff`), /nonexistent object/)
  })
