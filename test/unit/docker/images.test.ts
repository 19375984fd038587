import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { extract } from 'tar-stream'
import { packEntries, readEntries } from '../../../docker/images/context.js'
import { findDebianMirror, parseSources } from '../../../docker/images/debian-mirror.js'
import { withLock } from '../../../docker/images/lock.js'
import { findProjectRoot, loadRecipes, type RecipeName, readCertificates } from '../../../docker/images/recipes.js'

const dockerfile = () => ({ Dockerfile: 'FROM scratch\n' })

function project(test: Pick<typeof t, 'testdir'>): string {
  return test.testdir({
    'package.json': '{}',
    buildpacks: { python: { bin: { detect: '#!/bin/bash\n' } } },
    dist: {
      'control-plane.mjs': '// bundle\n',
      server: { store: { migrations: { '0001-start.sql': 'select 1;\n' } } },
    },
    docker: {
      router: dockerfile(),
      postgres: dockerfile(),
      'control-plane': dockerfile(),
      stack: { base: dockerfile(), run: { ...dockerfile(), 'packages.txt': 'bash\n' }, build: dockerfile() },
    },
  })
}

async function reference(root: string, name: RecipeName, more: { mirror?: string; caCertificates?: string } = {}) {
  const inputs = { root, mirror: 'http://deb.debian.org/debian', caCertificates: '', ...more }
  return (await loadRecipes(name, inputs)).at(-1)?.reference ?? ''
}

const all: RecipeName[] = ['base', 'stack', 'stackBuild', 'router', 'postgres', 'controlPlane']

async function references(root: string): Promise<string[]> {
  return Promise.all(all.map((name) => reference(root, name)))
}

t.test('an image is named by its repository, its version and twelve digits', async (t) => {
  const names = await references(project(t))
  const patterns = [
    /^paas\/base:13-[0-9a-f]{12}$/,
    /^paas\/stack:13-[0-9a-f]{12}$/,
    /^paas\/stack-build:13-[0-9a-f]{12}$/,
    /^paas\/router:[0-9a-f]{12}$/,
    /^paas\/postgres:17-[0-9a-f]{12}$/,
    /^paas\/control-plane:[0-9a-f]{12}$/,
  ]
  for (const [index, pattern] of patterns.entries()) t.match(names[index], pattern)
})

t.test('the same files give the same key, in another folder and at another time', async (t) => {
  const one = project(t)
  const before = await references(one)
  await utimes(path.join(one, 'docker/stack/run/packages.txt'), new Date(0), new Date(0))
  t.same(await references(one), before)
  await t.test('elsewhere', async (t) => t.same(await references(project(t)), before))
})

t.test('a changed file changes its image and those that stand on it, and no other', async (t) => {
  const changes: { file: string; changes: RecipeName[] }[] = [
    { file: 'docker/stack/base/Dockerfile', changes: all },
    { file: 'docker/stack/run/packages.txt', changes: ['stack', 'stackBuild'] },
    { file: 'docker/stack/build/Dockerfile', changes: ['stackBuild'] },
    { file: 'buildpacks/python/bin/detect', changes: ['stackBuild'] },
    { file: 'docker/router/Dockerfile', changes: ['router'] },
    { file: 'dist/control-plane.mjs', changes: ['controlPlane'] },
    { file: 'dist/server/store/migrations/0001-start.sql', changes: ['controlPlane'] },
  ]
  for (const change of changes) {
    const root = project(t)
    const before = await references(root)
    await writeFile(path.join(root, change.file), 'changed\n')
    const after = await references(root)
    t.same(
      all.filter((_, index) => before[index] !== after[index]),
      change.changes,
      change.file,
    )
  }
})

t.test('a file that becomes executable or is added changes the key', async (t) => {
  const root = project(t)
  const detect = path.join(root, 'buildpacks/python/bin/detect')
  const seen = new Set([await reference(root, 'stackBuild')])
  await chmod(detect, 0o755)
  seen.add(await reference(root, 'stackBuild'))
  await writeFile(path.join(root, 'buildpacks/python/bin/compile'), '')
  seen.add(await reference(root, 'stackBuild'))
  t.equal(seen.size, 3)
})

t.test('the build driver is part of the build image', async (t) => {
  const root = project(t)
  const before = await reference(root, 'stackBuild')
  await mkdir(path.join(root, 'docker/stack/build-driver'))
  await writeFile(path.join(root, 'docker/stack/build-driver/build'), '')
  t.not(await reference(root, 'stackBuild'), before)
})

t.test('another mirror and other certificates change all keys', async (t) => {
  const root = project(t)
  const plain = await reference(root, 'router')
  t.not(await reference(root, 'router', { mirror: 'http://mirror.example/debian' }), plain)
  t.not(await reference(root, 'router', { caCertificates: 'certificate' }), plain)
})

t.test("editors' and tools' leftovers do not change the key", async (t) => {
  const root = project(t)
  const before = await reference(root, 'stackBuild')
  await writeFile(path.join(root, 'buildpacks/python/bin/detect~'), 'old')
  await writeFile(path.join(root, 'buildpacks/python/bin/.detect.swp'), 'open')
  t.equal(await reference(root, 'stackBuild'), before)
})

t.test('a missing bundle and a missing Dockerfile are named', async (t) => {
  const root = t.testdir({ docker: { stack: { base: dockerfile() }, 'control-plane': dockerfile() } })
  await t.rejects(reference(root, 'controlPlane'), { message: /^dist\/control-plane\.mjs is missing; .*npm run build/ })
  await t.rejects(reference(root, 'router'), { message: 'docker/router/Dockerfile is missing' })
})

t.test("a context carries nothing of the checkout's owner, time or odd modes", async (t) => {
  const root = t.testdir({ run: 'x', plain: 'y', folder: { file: 'z' }, link: t.fixture('symlink', 'plain') })
  await chmod(path.join(root, 'run'), 0o711)
  await chmod(path.join(root, 'plain'), 0o600)
  const seen: string[] = []
  const tar = extract()
  tar.on('entry', (header, stream, next) => {
    const { name, type, mode, uid, gid, mtime } = header
    seen.push(`${name} ${type} ${mode?.toString(8)} ${uid}:${gid} ${mtime?.getTime()} ${header.linkname ?? ''}`.trim())
    stream.on('end', next)
    stream.resume()
  })
  await pipeline(packEntries(await readEntries(root, 'at')), tar)
  t.same(seen, [
    'at/ directory 755 0:0 0',
    'at/folder/ directory 755 0:0 0',
    'at/folder/file file 644 0:0 0',
    'at/link symlink 777 0:0 0 plain',
    'at/plain file 644 0:0 0',
    'at/run file 755 0:0 0',
  ])
})

t.test('only the certificates of a bundle count, and a file without any is refused', async (t) => {
  const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'
  const root = t.testdir({
    plain: `${pem}\n`,
    told: `# Some CA\r\n${pem.replaceAll('\n', '\r\n')}\r\n\r\n`,
    none: 'hello',
  })
  t.equal(await readCertificates(path.join(root, 'plain')), await readCertificates(path.join(root, 'told')))
  await t.rejects(readCertificates(path.join(root, 'none')), { message: /no PEM certificate/ })
  await t.rejects(readCertificates(path.join(root, 'absent')), { message: /absent.*PAAS_CA_BUNDLE/ })
})

t.test('the Debian mirror is the wanted one, else the machine’s, else Debian’s own', async (t) => {
  const apt = t.testdir({
    'sources.list': '# deb http://old.example/debian bookworm-updates main\n',
    'sources.list.d': {
      'a.list': 'deb [arch=amd64 signed-by=/x] https://vendor.example/linux/debian bookworm stable\n',
      'debian.sources':
        'Types: deb deb-src\n# a comment\nURIs: http://ftp.example/debian/\nSuites: bookworm bookworm-updates\nComponents: main\n',
    },
  })
  t.equal(await findDebianMirror('', apt), 'http://ftp.example/debian')
  t.equal(await findDebianMirror('http://wanted.example/debian/', apt), 'http://wanted.example/debian')
  t.equal(await findDebianMirror('', path.join(apt, 'nowhere')), 'http://deb.debian.org/debian')
  await t.rejects(findDebianMirror('ftp://x', apt), { message: /PAAS_DEBIAN_MIRROR/ })
})

t.test("both of apt's formats are read; disabled and source entries are not", async (t) => {
  t.same(
    parseSources([
      'deb-src http://a/debian x main\n#deb http://b/debian x main\ndeb http://c/debian trixie main contrib # note\n',
      'Enabled: no\nTypes: deb\nURIs: http://d/debian\nSuites: trixie\n\nTypes: deb\nURIs: http://e/debian\n http://f/debian\nSuites: trixie\n trixie-updates\n',
    ]),
    [
      { uri: 'http://c/debian', suites: ['trixie'] },
      { uri: 'http://e/debian', suites: ['trixie', 'trixie-updates'] },
      { uri: 'http://f/debian', suites: ['trixie', 'trixie-updates'] },
    ],
  )
})

t.test('one holds the lock at a time, and it is let go however the work ends', async (t) => {
  const file = path.join(t.testdir(), 'lock')
  let inside = 0
  let most = 0
  const work = async () => {
    inside += 1
    most = Math.max(most, inside)
    await readdir(path.dirname(file))
    inside -= 1
  }
  await t.rejects(
    withLock({ file, waitMs: 5_000 }, async () => {
      throw new Error('no')
    }),
    { message: 'no' },
  )
  await Promise.all([1, 2, 3].map(() => withLock({ file, waitMs: 5_000 }, work)))
  t.equal(most, 1)
  t.same(await readdir(path.dirname(file)), [])
})

t.test('a lock whose holder is dead is taken over; one whose holder lives is waited for', async (t) => {
  const file = path.join(t.testdir(), 'lock')
  const mine = await withLock({ file, waitMs: 1_000 }, async () => JSON.parse(await readFile(file, 'utf8')))
  for (const dead of [
    { ...mine, pid: 2 ** 22 + 1 },
    { ...mine, started: '1' },
  ]) {
    await writeFile(file, JSON.stringify(dead))
    t.equal(await withLock({ file, waitMs: 1_000 }, async () => 'done'), 'done')
  }
  await writeFile(file, JSON.stringify({ ...mine, id: 'another in this very process' }))
  const told: number[] = []
  const waiting = withLock({ file, waitMs: 300, onWait: (pid) => told.push(pid) }, async () => 'never')
  await t.rejects(waiting, { message: /has held .* for too long/ })
  t.same(told, [process.pid])
  await writeFile(file, JSON.stringify({ ...mine, namespace: 'pid:[1]' }))
  await utimes(file, new Date(), new Date(Date.now() - 120_000))
  t.equal(await withLock({ file, waitMs: 1_000 }, async () => 'done'), 'done')
})

t.test('docker/engine reads the pinned Node.js and knows which versions are enough', async (t) => {
  const root = await findProjectRoot(import.meta.dirname)
  const call = async (script: string) => {
    const args = ['-euo', 'pipefail', '-c', `. "$0"; ${script}`, path.join(root, 'docker/engine')]
    return (await promisify(execFile)('bash', args)).stdout.trim()
  }
  const pins = JSON.parse(await readFile(path.join(root, 'docker/stack/build/runtimes.json'), 'utf8'))
  const [node] = pins.node
  for (const architecture of ['x64', 'arm64']) {
    t.equal(
      await call(`engine_node_pin ${architecture}`),
      [node.version, node.integrity[architecture], node.npm.version, node.npm.integrity].join(' '),
    )
  }
  const versions = '18.20.4 20.18.3 20.19.0 v20.19.2 22.1.0 x 22'
  const enough = await call(`for v in ${versions}; do if engine_node_is_enough "$v"; then echo "$v"; fi; done`)
  t.same(enough.split('\n'), ['20.19.0', 'v20.19.2', '22.1.0'])
})
