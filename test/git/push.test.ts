/** Pushes by the real git client: which refs are taken, what the pusher sees, and who waits for whom. */
import { randomBytes } from 'node:crypto'
import { access, readFile, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import t from 'tap'
import type { PushRequest } from '../../server/git/push-request.js'
import { otherToken, startFront, token, transports, until } from './front-world.js'
import { ask, askToPush, basic, commandList, packOf, pushBody, zeroOid } from './raw-git.js'

// The machine may be busy with everything else that is tested.
t.setTimeout(180_000)

/** Lines of the platform, without git's prefix and padding. */
const remote = (output: string) =>
  output
    .split('\n')
    .filter((line) => line.startsWith('remote: '))
    .map((line) => line.slice('remote: '.length).trimEnd())

for (const [name, makeTransport] of Object.entries(transports))
  t.test(`pushes over ${name}`, async (t) => {
    let onPush: (push: PushRequest) => Promise<boolean> = async () => true
    const limits = { packBytes: 3 * 1024 ** 2 }
    const front = await startFront({ transport: makeTransport(), limits, onPush: (push) => onPush(push) })
    t.teardown(() => front.close())
    t.beforeEach(() => {
      onPush = async () => true
      front.pushes.length = 0
    })

    t.test('a push streams its output while it runs, and moves the ref when it is accepted', async (t) => {
      const appId = await front.createApp('streams')
      const copy = await front.createCopy()
      let seen = ''
      onPush = async (push) => {
        push.write('-----> Building\n')
        await until('the line at the pusher', () => seen.includes('-----> Building'))
        t.equal(await front.repos.readRef(appId, 'refs/heads/master'), undefined)
        return true
      }
      const pushed = front.git(copy, ['push', front.url('streams'), 'master'], {
        onOutput: (text) => {
          seen = text
        },
      })
      const { code, output } = await pushed
      t.equal(code, 0, output)
      const [push] = front.pushes
      const head = (await front.git(copy, ['rev-parse', 'HEAD'])).output.trim()
      t.equal(push?.appName, 'streams')
      t.equal(push?.account.name, 'ada')
      t.strictSame(push?.deploy, { ref: 'refs/heads/master', oldOid: zeroOid, newOid: head })
      t.equal(await front.repos.readRef(appId, 'refs/heads/master'), head)
    })

    t.test('a refused build refuses the push and leaves the ref', async (t) => {
      const appId = await front.createApp('refused')
      const copy = await front.createCopy()
      onPush = async (push) => {
        push.write(' !     Push rejected, failed to compile.\n')
        return false
      }
      const { code, output } = await front.push(copy, 'refused', 'master')
      t.equal(code, 1)
      t.match(output, /\[remote rejected\] master -> master \(pre-receive hook declined\)/)
      t.match(output, /Push rejected, failed to compile/)
      t.equal(await front.repos.readRef(appId, 'refs/heads/master'), undefined)
      t.strictSame(await front.leftovers(), [])
    })

    t.test('a fault of ours refuses the push with an id that the log knows', async (t) => {
      await front.createApp('faulty')
      onPush = async () => {
        throw new Error('a bug')
      }
      const { code, output } = await front.push(await front.createCopy(), 'faulty', 'master')
      t.equal(code, 1)
      const [, id = 'none'] = /push id ([0-9a-f-]+)/.exec(output) ?? []
      t.match(
        front.logged.find((line) => line.includes(id) && line.includes('a bug')),
        /fault of ours/,
      )
    })

    t.test('any text arrives as it was written', async (t) => {
      await front.createApp('texts')
      const long = 'ß'.repeat(70_000)
      const texts = ['✓ Grüße 🚀', long, '\u001b[32mgreen\u001b[0m', '漢字'.repeat(300)]
      onPush = async (push) => {
        for (const text of texts) push.write(`${text}\n`)
        push.write('one\rtwo\n')
        push.write('nul\0nul\n')
        for (const byte of 'in pieces ✓\n') push.write(byte)
        return true
      }
      const { code, output } = await front.push(await front.createCopy(), 'texts', 'master')
      t.equal(code, 0, output.slice(0, 500))
      const lines = remote(output)
      for (const text of [...texts, 'nulnul', 'in pieces ✓']) t.ok(lines.includes(text), text.slice(0, 40))
      t.match(output, /one *\r/)
    })

    t.test('only master or main deploys, and each other ref is refused in words', async (t) => {
      const appId = await front.createApp('branches')
      const copy = await front.createCopy()
      const refusal = async (...refspecs: string[]) => {
        const { code, output } = await front.push(copy, 'branches', ...refspecs)
        t.equal(code, 1, refspecs.join())
        return remote(output).join('\n')
      }
      t.match(
        await refusal('HEAD:refs/heads/feature'),
        / ! {5}Branch feature doesn't deploy; .*git push paas feature:master/,
      )
      t.match(await refusal('HEAD:refs/heads/main00evil'), /Branch main00evil doesn't deploy/)
      t.match(await refusal('HEAD:refs/heads/main/x'), /Branch main\/x doesn't deploy/)
      t.match(await refusal('HEAD:refs/heads/-x'), /Branch -x doesn't deploy.*<branch>:master/)
      t.match(await refusal('HEAD:refs/heads/x;id'), /Branch x;id doesn't deploy.*<branch>:master/)
      t.match(await refusal('HEAD:refs/heads/$(id)'), /Branch \$\(id\) doesn't deploy.*<branch>:master/)
      t.match(await refusal('HEAD:refs/foo/bar'), /refs\/foo\/bar is refused/)
      t.match(await refusal('HEAD:refs/notes/commits'), /refs\/notes\/commits is refused/)
      t.match(await refusal('HEAD:refs/tags/refs/heads/master'), /can't begin with refs\//)
      t.match(await refusal('master', 'master:main'), /master and main both deploy/)
      const both = await refusal('master', 'HEAD:refs/foo/bar', 'HEAD:refs/heads/other')
      t.match(both, /refs\/foo\/bar is refused[\s\S]*Branch other doesn't deploy/)
      t.match(await refusal('master', 'HEAD:refs/paas/keep'), /refs\/paas\/keep is refused/)
      t.equal(front.pushes.length, 0)
      t.equal((await front.git(front.repos.path(appId), ['for-each-ref'])).output, '')
    })

    t.test('a ref smuggled in behind a branch by hand is refused with it', async (t) => {
      const appId = await front.createApp('smuggled')
      const body = await pushBody(front, await front.createCopy(), [
        'refs/heads/master',
        'refs/foo/bar',
        'refs/heads/x',
      ])
      const { status, body: answer } = await askToPush(front, 'smuggled', body)
      t.equal(status, 200)
      t.match(answer, /ng refs\/heads\/master pre-receive hook declined/)
      t.equal((await front.git(front.repos.path(appId), ['for-each-ref'])).output, '')
    })

    t.test('tags are kept and deploy nothing; many refs at once are refused', async (t) => {
      const appId = await front.createApp('tags')
      const copy = await front.createCopy()
      await front.git(copy, ['tag', 'v1'])
      await front.git(copy, ['tag', '-a', 'v2', '-m', 'second'])
      const { code, output } = await front.push(copy, 'tags', '--tags')
      t.equal(code, 0, output)
      t.match(output, /2 tags were stored\. Nothing was deployed/)
      t.equal(front.pushes.length, 0)
      t.ok(await front.repos.readRef(appId, 'refs/tags/v2'))
      t.equal((await front.push(copy, 'tags', 'master', '--tags')).code, 0)
      t.equal(front.pushes.length, 1)
      const head = (await front.git(copy, ['rev-parse', 'HEAD'])).output.trim()
      const lines = Array.from({ length: 2000 }, (_, at) => `${head} refs/tags/many-${at}\n`)
      await writeFile(path.join(copy, '.git/packed-refs'), lines.sort().join(''))
      const many = await front.push(copy, 'tags', '--tags')
      t.equal(many.code, 1)
      t.match(many.output, /This push carries 200[02] refs; one push may carry 20/)
    })

    t.test('an annotated tag is not pushed as a branch', async (t) => {
      await front.createApp('tagged')
      const copy = await front.createCopy()
      await front.git(copy, ['tag', '-a', 'v1', '-m', 'first'])
      const newOid = (await front.git(copy, ['rev-parse', 'v1'])).output.trim()
      const list = commandList([{ ref: 'refs/heads/master', newOid }])
      await front.git(copy, ['update-ref', '--no-deref', 'HEAD', newOid])
      const { body } = await askToPush(front, 'tagged', Buffer.concat([Buffer.from(list), await packOf(copy)]))
      t.match(body, /must be a commit, not a tag|missing necessary objects/)
      t.equal(front.pushes.length, 0)
    })

    t.test('a commit whose parent or tree was not sent is refused before anything is built', async (t) => {
      await front.createApp('broken')
      const copy = await front.createCopy()
      await front.commit(copy, { a: '1' })
      const newOid = (await front.git(copy, ['rev-parse', 'HEAD'])).output.trim()
      const list = Buffer.from(commandList([{ ref: 'refs/heads/master', newOid }]))
      for (const revisions of ['HEAD\n^HEAD~1\n', 'HEAD~1\n']) {
        const { body } = await askToPush(front, 'broken', Buffer.concat([list, await packOf(copy, revisions)]))
        t.match(body, /ng refs\/heads\/master/)
      }
      t.equal(front.pushes.length, 0)
    })

    t.test('branches and tags stay: deletions are refused', async (t) => {
      const appId = await front.createApp('deletes')
      const copy = await front.createCopy()
      await front.git(copy, ['tag', 'v1'])
      await front.push(copy, 'deletes', 'master', 'v1')
      for (const ref of ['master', 'v1']) {
        const { code, output } = await front.push(copy, 'deletes', '--delete', ref)
        t.equal(code, 1)
        t.match(output, new RegExp(`refs/(heads|tags)/${ref} can't be deleted`))
      }
      t.ok(await front.repos.readRef(appId, 'refs/heads/master'))
      t.equal(front.pushes.length, 1)
    })

    t.test('a forced push deploys; a push made before another one ended is refused', async (t) => {
      const appId = await front.createApp('forced')
      const copy = await front.createCopy()
      const first = await front.commit(copy, { a: '1' })
      await front.push(copy, 'forced', 'master')
      await front.git(copy, ['commit', '--quiet', '--amend', '-m', 'Again'])
      t.equal((await front.push(copy, 'forced', 'master')).code, 1)
      t.equal((await front.push(copy, 'forced', '--force', 'master')).code, 0)
      t.not(await front.repos.readRef(appId, 'refs/heads/master'), first)
      const stale = await pushBody(front, copy, ['refs/heads/master'])
      t.match((await askToPush(front, 'forced', stale)).body, /master was moved by another push meanwhile/)
    })

    t.test('a shallow clone can be pushed, and a full one after it', async (t) => {
      const appId = await front.createApp('shallow')
      const copy = await front.createCopy()
      await front.commit(copy, { a: '1' })
      await front.git(front.dir, ['clone', '--quiet', '--depth=1', `file://${copy}`, 'shallow-copy'])
      const shallow = await front.push(path.join(front.dir, 'shallow-copy'), 'shallow', 'master')
      t.equal(shallow.code, 0, shallow.output)
      const next = await front.commit(copy, { a: '2' })
      const full = await front.push(copy, 'shallow', 'master')
      t.equal(full.code, 0, full.output)
      t.equal(await front.repos.readRef(appId, 'refs/heads/master'), next)
    })

    t.test('a shallow clone that is behind is told so by its git, and of no fault of ours', async (t) => {
      await front.createApp('behind')
      const copy = await front.createCopy()
      await front.commit(copy, { a: '1' })
      await front.git(front.dir, ['clone', '--quiet', '--depth=1', `file://${copy}`, 'behind-copy'])
      await front.commit(copy, { a: '2' })
      t.equal((await front.push(copy, 'behind', 'master')).code, 0)
      front.pushes.length = 0
      const shallow = path.join(front.dir, 'behind-copy')
      await front.commit(shallow, { b: '1' })
      const { code, output } = await front.push(shallow, 'behind', 'master')
      t.equal(code, 1)
      t.match(output, /! \[rejected\] +master -> master \(fetch first\)/)
      t.notMatch(output, /RPC failed|HTTP 400|hung up/)
      t.equal(front.pushes.length, 0)
    })

    t.test('git that offers HTTP/2 pushes and fetches over HTTP/1.1', async (t) => {
      await front.createApp('offers')
      const copy = await front.createCopy()
      const offer = ['-c', 'http.version=HTTP/2', '-c', 'http.postBuffer=70000']
      const head = await front.commit(copy, { 'large.bin': randomBytes(200_000) })
      const pushed = await front.git(copy, [...offer, 'push', front.url('offers'), 'master'])
      t.equal(pushed.code, 0, pushed.output)
      const listed = await front.git(copy, [...offer, 'ls-remote', front.url('offers')])
      t.match(listed.output, `${head}\trefs/heads/master`)
      const cloned = await front.git(front.dir, [...offer, 'clone', front.url('offers'), 'offers-clone'])
      t.equal(cloned.code, 0, cloned.output)
    })

    t.test('push options are off', async (t) => {
      await front.createApp('options')
      const copy = await front.createCopy()
      const { code, output } = await front.push(copy, 'options', '-o', 'a;b=1', 'master')
      t.not(code, 0)
      t.match(output, /does not support push options/)
    })

    t.test('a pack over the limit is refused in words, a large one under it is taken', async (t) => {
      await front.createApp('large')
      const { randomBytes } = await import('node:crypto')
      const copy = await front.createCopy({ blob: randomBytes(2 * 1024 ** 2) })
      const taken = await front.push(copy, 'large', 'master')
      t.equal(taken.code, 0, taken.output)
      t.equal(front.pushes.length, 1)
      await front.commit(copy, { blob: randomBytes(4 * 1024 ** 2) })
      const { code, output } = await front.push(copy, 'large', 'master')
      t.equal(code, 1)
      t.match(output, /pack exceeds maximum allowed size/)
      await until('git to be gone', async () => (await front.leftovers()).length === 0)
    })

    t.test('a clone gets what was pushed first, over protocol 2 and filtered too, and no hidden ref', async (t) => {
      const appId = await front.createApp('cloned')
      const copy = await front.createCopy()
      const oid = await front.commit(copy, { a: '1' })
      await front.push(copy, 'cloned', 'HEAD:main')
      t.equal(await front.repos.readHead(appId), 'refs/heads/main')
      for (const ref of ['refs/paas/keep', 'refs/foo/bar'])
        await front.git(front.repos.path(appId), ['update-ref', ref, oid])
      const clone = await front.git(front.dir, ['clone', '--quiet', front.url('cloned'), `clone-${name}`])
      t.equal(clone.code, 0, clone.output)
      t.equal((await front.git(path.join(front.dir, `clone-${name}`), ['rev-parse', 'main'])).output.trim(), oid)
      const filtered = ['clone', '--quiet', '--filter=blob:none', front.url('cloned'), `filtered-${name}`]
      const partial = await front.git(front.dir, filtered)
      t.equal(partial.code, 0, partial.output)
      t.notMatch(partial.output, /filtering not recognized/)
      for (const version of ['0', '1', '2']) {
        const listed = await front.git(copy, ['-c', `protocol.version=${version}`, 'ls-remote', front.url('cloned')])
        t.equal(listed.output, `${oid}\tHEAD\n${oid}\trefs/heads/main\n`, `version ${version}`)
      }
      const path2 = '/cloned.git/info/refs?service=git-upload-pack'
      const headers = { authorization: basic(token), 'git-protocol': 'version=2' }
      t.match((await ask(front, { path: path2, headers })).body, /^000eversion 2/)
      const pushRefs = await ask(front, { path: '/cloned.git/info/refs?service=git-receive-pack', headers })
      t.match(pushRefs.body, /refs\/heads\/main/)
      t.notMatch(pushRefs.body, /refs\/paas/)
      const foreign = await front.git(copy, ['ls-remote', front.url('cloned', otherToken)])
      t.match(foreign.output, /Couldn't find that app/)
      t.equal((await front.git(copy, ['ls-remote', front.url('cloned', 'no-token')])).code, 128)
    })

    t.test('a push whose hook is missing is not taken', async (t) => {
      const appId = await front.createApp('hookless')
      const hook = path.join(front.repos.hooksDir, 'pre-receive')
      const script = await readFile(hook)
      t.match(script.toString(), /^#!\/usr\/bin\/perl/)
      await rm(hook)
      const { code, output } = await front.push(await front.createCopy(), 'hookless', 'master')
      t.not(code, 0, output)
      t.equal(await front.repos.readRef(appId, 'refs/heads/master'), undefined)
      const { installHook } = await import('../../server/git/pre-receive-hook.js')
      await installHook(front.repos.hooksDir, path.join(front.dir, 'run', 'git.sock'))
      await access(hook)
    })

    t.test('a process that is no hook of ours gets no push decided', async (t) => {
      const answer = await new Promise<string>((resolve) => {
        const socket = net.connect(path.join(front.dir, 'run', 'git.sock')).on('error', () => {})
        let text = ''
        socket.on('data', (chunk) => {
          text += chunk.toString('latin1')
        })
        socket.once('close', () => resolve(text))
        const oid = 'a'.repeat(40)
        socket.end(`paas-push 1\0${process.pid}\0/objects\0${oid} ${oid} refs/heads/master\n`)
      })
      t.match(answer, /expects no such push[\s\S]*x\0\0\0\x01$/)
      t.equal(front.pushes.length, 0)
    })
  })
