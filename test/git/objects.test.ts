/** Repositories and what is read out of them: archives, single files, commits. */
import { randomUUID } from 'node:crypto'
import { access, chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { extract } from 'tar-stream'
import { checkObjects, commitInfo, type GitObjects, readBlobs } from '../../server/git/git-objects.js'
import { repositories } from '../../server/git/repositories.js'
import { archiveSource } from '../../server/git/source-archive.js'
import { type GitResult, run, startFront, transports } from './front-world.js'
import { gitWithInput } from './raw-git.js'

// The machine may be busy with everything else that is tested.
t.setTimeout(180_000)

const plenty = { maxBytes: 100 * 1024 ** 2, maxFiles: 10_000 }
const repositoryOf = (copy: string): GitObjects => ({ GIT_DIR: path.join(copy, '.git') })

interface Unpacked {
  readonly name: string
  readonly type: string | null | undefined
  readonly mode: number | undefined
  readonly content: string
}

async function unpack(objects: GitObjects, oid: string): Promise<Unpacked[]> {
  const source = archiveSource(objects, oid, plenty)
  const entries: Unpacked[] = []
  const reader = source.stream.pipe(extract())
  for await (const entry of reader) {
    const { name, type, mode } = entry.header
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    entries.push({ name, type, mode, content: Buffer.concat(chunks).toString('utf8') })
  }
  await source.done
  return entries
}

async function failureOf(objects: GitObjects, oid: string, limits: typeof plenty): Promise<string> {
  const source = archiveSource(objects, oid, limits)
  let streamError: Error | undefined
  source.stream.on('error', (error) => {
    streamError = error
  })
  source.stream.resume()
  const message = await source.done.then(
    () => 'no failure',
    (error: Error) => error.message,
  )
  return message === streamError?.message ? message : `'${message}', but the stream had '${streamError?.message}'`
}

t.test('reading a tree', async (t) => {
  const front = await startFront({ transport: transports.spawn() })
  t.teardown(() => front.close())
  const copy = await front.createCopy({
    Procfile: 'web: run\n',
    empty: '',
    'a/b/ü.txt': 'ü',
    'large.json': 'x'.repeat(5000),
  })
  await writeFile(path.join(copy, 'run.sh'), '#!/bin/sh\n')
  await chmod(path.join(copy, 'run.sh'), 0o4755)
  await symlink('/etc/passwd', path.join(copy, 'app.json'))
  await writeFile(
    path.join(copy, '.gitattributes'),
    '*.md export-ignore\nversion.txt export-subst\n/docs export-ignore\n',
  )
  await mkdir(path.join(copy, 'docs'))
  const files = { 'README.md': 'read\n', 'version.txt': '$Format:%H$\n', 'docs/index.html': 'docs\n' }
  const oid = await front.commit(copy, { ...files, [`${'long/'.repeat(60)}name`]: 'deep\n' }, 'Grüße: ✓\n\nbody')
  const objects = repositoryOf(copy)

  t.test('an archive holds every file as it was committed, under build/', async (t) => {
    const appId = await front.createApp('archived')
    t.equal((await front.push(copy, 'archived', 'master')).code, 0)
    const entries = await unpack({ GIT_DIR: front.repos.path(appId) }, oid)
    const found = (name: string) => entries.find((entry) => entry.name === `build/${name}`)
    t.ok(entries.every(({ name }) => name.startsWith('build/')))
    t.equal(found('README.md')?.content, 'read\n')
    t.equal(found('docs/index.html')?.content, 'docs\n')
    t.equal(found('version.txt')?.content, '$Format:%H$\n')
    t.equal(found('a/b/ü.txt')?.content, 'ü')
    t.equal(found(`${'long/'.repeat(60)}name`)?.content, 'deep\n')
    t.equal(found('Procfile')?.mode, 0o644)
    t.equal(found('run.sh')?.mode, 0o755)
    t.equal(found('app.json')?.type, 'symlink')
  })

  t.test('single files are read from the object store, regular ones only', async (t) => {
    const names = ['Procfile', 'run.sh', 'empty', 'app.json', 'large.json', 'a', 'missing', '.gitattributes']
    const { files: read, ignored } = await readBlobs(objects, oid, names, { maxBytes: 1000 })
    t.strictSame([...read.keys()].sort(), ['.gitattributes', 'Procfile', 'empty', 'run.sh'])
    t.equal(read.get('Procfile')?.toString(), 'web: run\n')
    t.equal(read.get('empty')?.length, 0)
    t.strictSame(Object.fromEntries(ignored), {
      'app.json': 'app.json is a symbolic link; it must be a regular file.',
      'large.json': 'large.json has 5000 bytes; it may have 1000.',
      a: 'a is a folder; it must be a regular file.',
    })
    t.equal((await readBlobs(objects, oid, ['missing'], { maxBytes: 1 })).files.size, 0)
    await t.rejects(readBlobs(objects, oid, ['../x'], { maxBytes: 1 }), /plain names/)
    await t.rejects(readBlobs(objects, 'HEAD', ['Procfile'], { maxBytes: 1 }), /isn't an object id/)
  })

  t.test('a commit tells its subject, author and time', async (t) => {
    const info = await commitInfo(objects, oid)
    const seconds = (await front.git(copy, ['log', '-1', '--format=%ct', oid])).output.trim()
    t.strictSame(info, {
      subject: 'Grüße: ✓',
      authorName: 'Ada',
      authorEmail: 'ada@example.com',
      committedAt: new Date(Number(seconds) * 1_000),
    })
    await t.rejects(commitInfo(objects, '--output=/tmp/x'), /isn't an object id/)
  })

  t.test('one look tells a ref, an object and whether HEAD is born', async (t) => {
    t.strictSame(await checkObjects(objects, 'refs/heads/master', oid), {
      refOid: oid,
      type: 'commit',
      isHeadBorn: true,
    })
    const nothing = 'a'.repeat(40)
    const missing = await checkObjects(objects, 'refs/heads/none', nothing)
    t.strictSame(missing, { refOid: undefined, type: undefined, isHeadBorn: true })
  })

  t.test('a push in quarantine can be read before it is accepted', async (t) => {
    let read = ''
    const quarantined = await startFront({
      transport: transports.spawn(),
      onPush: async ({ quarantine, deploy }) => {
        const { files: blobs } = await readBlobs(quarantine, deploy.newOid, ['Procfile'], { maxBytes: 1000 })
        const { subject } = await commitInfo(quarantine, deploy.newOid)
        const entries = await unpack(quarantine, deploy.newOid)
        read = `${blobs.get('Procfile')} ${subject} ${entries.length}`
        return false
      },
    })
    t.teardown(() => quarantined.close())
    await quarantined.createApp('hello')
    const pushed = await quarantined.push(await quarantined.createCopy(), 'hello', 'master')
    t.equal(read, 'web: run\n Change 3', pushed.output)
  })

  t.test('an archive can be stopped, and fails for what is no commit', async (t) => {
    const source = archiveSource(objects, oid, plenty)
    source.stream.on('error', () => {})
    source.kill()
    await t.rejects(source.done, /stopped/)
    t.match(await failureOf(objects, 'a'.repeat(40), plenty), /git archive ended with/)
    t.throws(() => archiveSource(objects, '--remote=x', plenty), /isn't an object id/)
  })
})

t.test('trees that hurt', async (t) => {
  const front = await startFront({ transport: transports['node-git-server']() })
  t.teardown(() => front.close())
  const copy = await front.createCopy({ zeros: Buffer.alloc(30 * 1024 ** 2) })
  const objects = repositoryOf(copy)
  const head = (await front.git(copy, ['rev-parse', 'HEAD'])).output.trim()
  const blob = (await gitWithInput(copy, ['hash-object', '-w', '--stdin'], 'x')).trim()
  const makeTree = async (entries: readonly [mode: string, name: string, oid: string][]) => {
    const parts = entries.flatMap(([mode, name, oid]) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')])
    return (
      await gitWithInput(copy, ['hash-object', '-t', 'tree', '-w', '--literally', '--stdin'], Buffer.concat(parts))
    ).trim()
  }
  const commitOf = async (tree: string) => (await front.git(copy, ['commit-tree', '-m', 'Hurt', tree])).output.trim()

  t.test('a small pack that expands beyond the limit is stopped there', async (t) => {
    const limits = { maxBytes: 1024 ** 2, maxFiles: 10 }
    t.match(await failureOf(objects, head, limits), /The source is larger than 1048576 bytes\. Keep/)
  })

  t.test('a tree of ten million paths is stopped at the limit', async (t) => {
    let tree = await makeTree([...'0123456789'].map((name) => ['100644', name, blob]))
    for (let depth = 0; depth < 6; depth++) {
      const below = tree
      tree = await makeTree([...'0123456789'].map((name) => ['40000', name, below]))
    }
    t.match(await failureOf(objects, await commitOf(tree), plenty), /The source has more than 10000 files\. Keep/)
  })

  t.test('names that must not be unpacked are refused in a push, and in an archive too', async (t) => {
    const below = await makeTree([['100644', 'x', blob]])
    await front.createApp('hello')
    for (const name of ['..', '.', '.git', '.GIT', 'git~1', '.g\u200cit']) {
      const oid = await commitOf(await makeTree([['40000', name, below]]))
      const { code, output } = await front.push(copy, 'hello', `${oid}:refs/heads/master`)
      t.equal(code, 1, name)
      t.match(output, /hasDot|unpack/)
      if (/^\.+(git)?$/i.test(name)) t.match(await failureOf(objects, oid, plenty), /can't be unpacked/, name)
    }
    const slash = await commitOf(await makeTree([['100644', '../../escape', blob]]))
    t.equal((await front.push(copy, 'hello', `${slash}:refs/heads/master`)).code, 1)
    t.match(await failureOf(objects, slash, plenty), /can't be unpacked/)
    const deep = `${'d'.repeat(300)}/../x`
    const long = await commitOf(await makeTree([['100644', deep, blob]]))
    t.match(await failureOf(objects, long, plenty), /can't be unpacked/)
    t.equal(front.pushes.length, 0)
  })

  t.test('submodules that name commands or places outside are refused', async (t) => {
    const submodule = (text: string) => gitWithInput(copy, ['hash-object', '-w', '--stdin'], text)
    const texts = [
      '[submodule "a"]\n\tpath = a\n\turl = --upload-pack=touch /tmp/x\n',
      '[submodule "../../x"]\n\tpath = a\n\turl = https://example.com/x\n',
    ]
    for (const text of texts) {
      const oid = await commitOf(await makeTree([['100644', '.gitmodules', (await submodule(text)).trim()]]))
      t.equal((await front.push(copy, 'hello', `${oid}:refs/heads/master`)).code, 1)
    }
    const link = (await submodule('/etc/passwd')).trim()
    const oid = await commitOf(await makeTree([['120000', '.gitmodules', link]]))
    t.equal((await front.push(copy, 'hello', `${oid}:refs/heads/master`)).code, 1)
    t.equal(front.pushes.length, 0)
  })

  t.test('dents of old history are no reason to refuse', async (t) => {
    const tree = await makeTree([['100644', 'x', blob]])
    const text = `tree ${tree}\nauthor Ada <ada@example.com> 1 +051800\ncommitter Ada<ada@example.com> 1 +0000\n\nOld\n`
    const args = ['hash-object', '-t', 'commit', '-w', '--literally', '--stdin']
    const oid = (await gitWithInput(copy, args, text)).trim()
    const { code, output } = await front.push(copy, 'hello', `${oid}:refs/heads/master`)
    t.equal(code, 0, output)
  })
})

t.test('repositories', async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'paas-git-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const repos = repositories(path.join(dir, 'repositories'), { packBytes: 1234 })
  const appId = randomUUID()
  const git = (...args: string[]): Promise<GitResult> =>
    run(['git', `--git-dir=${repos.path(appId)}`, ...args], { env: { HOME: dir, GIT_CONFIG_NOSYSTEM: '1' } })

  t.test('one is made whole, once, with the settings that pushes rely on', async (t) => {
    t.notOk(await repos.exists(appId))
    await Promise.all([repos.create(appId), repos.create(appId), repos.create(appId)])
    await repos.create(appId)
    t.ok(await repos.exists(appId))
    const settings: Record<string, string> = {
      'core.hookspath': repos.hooksDir,
      'core.bare': 'true',
      'receive.unpacklimit': '1',
      'receive.maxinputsize': '1234',
      'receive.fsckobjects': 'true',
      'receive.denydeletes': 'true',
      'receive.denynonfastforwards': 'false',
      'receive.autogc': 'false',
      'receive.advertisepushoptions': 'false',
      'uploadpack.allowfilter': 'true',
    }
    for (const [key, value] of Object.entries(settings))
      t.equal((await git('config', '--includes', '--get', key)).output.trim(), value, key)
    t.equal(await repos.readHead(appId), 'refs/heads/master')
    t.equal(await repos.readRef(appId, 'refs/heads/master'), undefined)
  })

  t.test('changed settings reach repositories made before', async (t) => {
    await repositories(path.join(dir, 'repositories'), { packBytes: 99 }).prepare()
    t.equal((await git('config', '--includes', '--get', 'receive.maxinputsize')).output.trim(), '99')
  })

  t.test('only an id becomes a path, and only a branch that deploys becomes HEAD', async (t) => {
    for (const name of ['..', 'hello', `${appId}/..`, `../${appId}`, appId.toUpperCase(), '', `${appId}\0`])
      t.throws(() => repos.path(name), /isn't an app's id/)
    await t.rejects(repos.setHead(appId, 'refs/heads/other'), /HEAD names a branch that deploys/)
    await repos.setHead(appId, 'refs/heads/main')
    t.equal(await repos.readHead(appId), 'refs/heads/main')
  })

  t.test('a ref is read by its full name only', async (t) => {
    const blob = (await gitWithInput(repos.path(appId), ['hash-object', '-w', '--stdin'], 'x')).trim()
    await git('update-ref', 'refs/tags/refs/heads/master', blob)
    await git('update-ref', 'refs/tags/a/b', blob)
    t.equal(await repos.readRef(appId, 'refs/heads/master'), undefined)
    t.equal(await repos.readRef(appId, 'refs/tags/a'), undefined)
    t.equal(await repos.readRef(appId, 'refs/tags/a/b'), blob)
    await repos.compact(appId)
  })

  t.test('what killed processes left is swept, the rest stays', async (t) => {
    const left = ['.making-1', '.gone-1', `${appId}.git/objects/tmp_objdir-incoming-abc`]
    for (const name of left) await mkdir(path.join(dir, 'repositories', name), { recursive: true })
    await repos.sweep((error) => t.fail(String(error)))
    for (const name of left) await t.rejects(access(path.join(dir, 'repositories', name)))
    t.ok(await repos.exists(appId))
  })

  t.test('one is removed, once or twice', async (t) => {
    await repos.remove(appId)
    await repos.remove(appId)
    t.notOk(await repos.exists(appId))
  })
})
