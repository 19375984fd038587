/**
 * Attacks on git's door, each one a test; the same on every way that a push can reach git. The ids are those of the table
 * in docs/reliability.md.
 */
import { readdir, readFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import type { Test } from 'tap'
import { until } from '../support/world.js'
import { badNames } from './door-names.js'
import { type Door, gitUid, randomName } from './door-world.js'
import { talk } from './front-world.js'
import { basic, commandList, fetchType, pktLine, pushType } from './raw-git.js'

/** Clones that the door of these tests serves at once. */
export const fetches = 8

const services = ['git-upload-pack', 'git-receive-pack'] as const

/** What a process is allowed to be, and was given. */
async function statusOf(pid: string) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? ''
  return { uid: field('Uid'), gid: field('Gid'), groups: field('Groups'), capabilities: field('CapEff') }
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !file.includes('/objects/') && !file.includes('/refs/tags/'))
    .sort()
}

/** Runs every attack; the door must be unharmed after each. */
export function attack(t: Test, door: Door): void {
  const authorization = basic(door.token)
  const test = (name: string, body: (t: Test) => Promise<unknown>) =>
    t.test(name, async (t) => {
      await body(t)
      await door.isUnharmed(t)
    })

  test('GIT-1: no route and no method lets anybody in without a valid token', async (t) => {
    const before = await door.git('ls-remote', door.url())
    const body = await door.pushBody(['refs/tags/anonymous'])
    const route = fc.constantFrom('info/refs', 'git-upload-pack', 'git-receive-pack')
    const query = fc.constantFrom('', ...services.map((name) => `?service=${name}`), '?service=git-shell')
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS')
    const credentials = fc.oneof(
      fc.constantFrom(undefined, 'Basic', 'Basic ', 'Bearer', 'Bearer ', 'Negotiate x', basic('wrong'), 'Bearer wrong'),
      fc.constantFrom(`Basic ${door.token}`, `Digest ${door.token}`, basic(''), basic(`${door.token}x`), door.token),
      fc.base64String().map((text) => `Basic ${text}`),
    )
    await fc.assert(
      fc.asyncProperty(route, query, method, credentials, async (path, search, verb, given) => {
        const headers: Record<string, string> = { 'content-type': pushType }
        if (given !== undefined) headers.authorization = given
        const what = { method: verb, path: `/hello.git/${path}${search}`, headers }
        const { status } = await door.ask(/^P/.test(verb) ? { ...what, body } : what)
        return status === 401
      }),
      { numRuns: 150 },
    )
    t.equal((await door.git('ls-remote', door.url())).stdout, before.stdout, 'nothing was stored')
  })

  test('GIT-2: malformed headers, bodies and encodings are answered 4xx, and soon', async (t) => {
    const whole = await door.pushBody(['refs/tags/malformed'])
    const send = async (body: Buffer | string, headers: Record<string, string> = {}, app = 'hello') => {
      const { status } = await door.push(body, headers, app)
      t.ok(status >= 400 && status < 500, `${status} to ${JSON.stringify(body.toString('latin1', 0, 40))}`)
    }
    await send('not gzip', { 'content-encoding': 'gzip' })
    await send(gzipSync(whole).subarray(0, 60), { 'content-encoding': 'gzip' })
    for (const encoding of ['deflate', 'br', 'gzip, gzip', 'zstd']) await send(whole, { 'content-encoding': encoding })
    await send(Buffer.alloc(5 * 1024 ** 2), {}, 'unknown-app')
    await send(whole, { 'content-type': 'text/plain' })
    for (const body of ['', '0000x', '0004', '0001', 'zzzz', 'PACK', '0032want x', '000bpush-cert0000'])
      await send(body)
    for (let cut = 1; cut < 100; cut += 9) await send(whole.subarray(0, cut))
    await send(gzipSync(Buffer.alloc(200 * 1024 ** 2)), { 'content-encoding': 'gzip' })
    const bomb = Buffer.concat([whole, Buffer.alloc(100 * 1024 ** 2)])
    // What is packed less is still being sent when git has answered.
    for (const level of [9, 9, 1, 1, 0]) {
      const { status, body } = await door.push(gzipSync(bomb, { level }), { 'content-encoding': 'gzip' })
      t.ok(status === 413 || /unpack [\s\S]*0000$/.test(body), `${status} ${body}, level ${level}`)
    }
  })

  test('GIT-3: a client that leaves at any of 20 places leaves nothing behind', async () => {
    const body = await door.pushBody(['refs/tags/aborted'])
    const head = [
      'POST /hello.git/git-receive-pack HTTP/1.1',
      'Host: localhost',
      `Authorization: ${authorization}`,
      `Content-Type: ${pushType}`,
      `Content-Length: ${body.length}`,
    ]
    const request = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
    for (let cut = 1; cut <= 20; cut++) {
      const socket = net.connect(door.port, '127.0.0.1').on('error', () => {})
      const sent = request.subarray(0, Math.floor((request.length * cut) / 21))
      await new Promise((resolve) => socket.write(sent, resolve))
      if (cut % 2 === 0) socket.destroy()
      else socket.resetAndDestroy()
    }
  })

  test('GIT-4: a push that comes byte by byte is taken', async (t) => {
    const name = `refs/tags/bytes-${randomName()}`
    const body = await door.pushBody([name])
    const head = [
      'POST /hello.git/git-receive-pack HTTP/1.1',
      'Host: localhost',
      `Authorization: ${authorization}`,
      `Content-Type: ${pushType}`,
      `Content-Length: ${body.length}`,
      'Connection: close',
    ]
    const request = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
    const answer = await talk(
      door.port,
      [...request].map((byte) => Buffer.from([byte])),
    )
    t.match(answer, `ok ${name}`)
  })

  test('GIT-12: two hundred names lead nowhere, and all answer like an app that is not there', async (t) => {
    t.equal(badNames.length, 200)
    const answerTo = async (name: string, service: string) => {
      const request = `GET /${name}.git/info/refs?service=${service} HTTP/1.1\r\nHost: localhost\r\n`
      const answer = await talk(door.port, `${request}Authorization: ${authorization}\r\nConnection: close\r\n\r\n`)
      const [head = '', body = ''] = answer.split('\r\n\r\n')
      return `${head.split('\r\n')[0]} ${body.trim()}`
    }
    const wanted = "HTTP/1.1 404 Not Found !     Couldn't find that app."
    for (const service of services) {
      for (const name of ['unknown-app', 'foreign']) t.equal(await answerTo(name, service), wanted, name)
      const answers = await Promise.all(badNames.map((name) => answerTo(name, service)))
      // What is no address, or as long as none is, the server itself refuses before it looks for an app.
      t.strictSame(
        answers.filter((answer) => answer !== wanted && !/^HTTP\/1\.1 (?:400|404|414) [^!]*$/.test(answer)),
        [],
      )
      t.ok(answers.filter((answer) => answer === wanted).length >= 150)
    }
  })

  test('GIT-13: nothing that a client sends reaches hooks, settings or other files of the repository', async (t) => {
    const before = await filesOf(door.repositoryPath)
    const config = await readFile(path.join(door.repositoryPath, 'config'), 'utf8')
    for (const method of ['PUT', 'POST', 'PROPFIND', 'MKCOL', 'GET'])
      for (const file of ['hooks/pre-receive', 'config', 'objects/info/alternates', 'info/grafts', 'HEAD', 'shallow']) {
        const what = { method, path: `/hello.git/${file}`, headers: { authorization } }
        const { status } = await door.ask(/^P[UO]/.test(method) ? { ...what, body: 'x' } : what)
        t.ok([404, 405, 415].includes(status), `${method} ${file}: ${status}`)
      }
    const refs = ['refs/heads/../../config', 'HEAD', 'config', 'hooks/pre-receive', 'refs/heads/../../hooks/x']
    refs.push(
      `refs/replace/${door.oid}`,
      'refs/heads/a.lock',
      'refs/heads/',
      'refs//x',
      '/etc/passwd',
      'refs/heads/a b',
    )
    for (const ref of refs) {
      const { status, body } = await door.push(await door.pushBody([ref]))
      t.ok(status === 400 || /ng |unpack |declined|protocol error|refusing/.test(body), `${ref}: ${status} ${body}`)
    }
    t.strictSame(await filesOf(door.repositoryPath), before)
    t.equal(await readFile(path.join(door.repositoryPath, 'config'), 'utf8'), config)
  })

  test('GIT-13: git is a user of its own with an environment of its own', async (t) => {
    const body = await door.pushBody(['refs/tags/held'])
    for (const [service, type, part] of [
      ['git-receive-pack', pushType, body.subarray(0, body.length - 9)],
      ['git-upload-pack', fetchType, Buffer.from(pktLine(`want ${door.oid} side-band-64k\n`))],
    ] as const) {
      const socket = net.connect(door.port, '127.0.0.1')
      socket.on('error', () => {})
      const head = [`POST /hello.git/${service} HTTP/1.1`, 'Host: localhost', `Authorization: ${authorization}`]
      head.push(
        `Content-Type: ${type}`,
        'Git-Protocol: version=2:GIT_TRACE=/canary',
        `Content-Length: ${part.length + 9}`,
      )
      socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), part]))
      const find = async () => (await door.leftovers()).find((line) => line.includes(service.slice(4)))
      const [pid = ''] = (await until(`${service} to run`, find)).split(' ')
      const ids = Array.from({ length: 4 }, () => gitUid).join('\t')
      const { uid, gid, groups, capabilities } = await statusOf(pid)
      t.strictSame({ uid, gid, capabilities }, { uid: ids, gid: ids, capabilities: '0'.repeat(16) }, service)
      t.ok(groups === '' || groups === String(gitUid), groups)
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
      t.match(environment, /HOME=\/nonexistent/)
      t.notMatch(environment, /canary|GIT_TRACE|GIT_CONFIG_COUNT|PAAS_/i)
      t.match(await readFile(`/proc/${pid}/cmdline`, 'utf8'), /protocol\.allow=never/)
      socket.destroy()
    }
  })

  test('GIT-14: push options are not taken, however they come', async (t) => {
    const list = commandList([{ ref: 'refs/tags/options', newOid: door.oid }], 'report-status push-options')
    for (const option of ['a;b=1', 'a\nb', 'x'.repeat(60_000)]) {
      const { status, body } = await door.push(`${list}${pktLine(option)}0000`)
      t.ok(status === 400 || /unpack [^o]|ng refs/.test(body), `${status} ${body.slice(0, 200)}`)
    }
    const pushed = await door.git('push', '-o', 'a;b=1', door.url(), 'HEAD:refs/tags/options')
    t.match(pushed.output, /does not support push options/)
  })

  test('GIT-15: a stalled and a dripping client are ended, both sides of their request', async () => {
    const body = await door.pushBody(['refs/tags/slow'])
    const head = ['POST /hello.git/git-receive-pack HTTP/1.1', 'Host: localhost', `Authorization: ${authorization}`]
    head.push(`Content-Type: ${pushType}`, `Content-Length: ${body.length}`)
    const request = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
    const closed = [request.indexOf('PACK'), request.length - 5].map(
      (sent) =>
        new Promise((resolve) => {
          const socket = net.connect(door.port, '127.0.0.1')
          socket.on('error', () => {})
          socket.once('close', resolve)
          socket.resume()
          socket.write(request.subarray(0, sent))
        }),
    )
    await Promise.all(closed)
  })

  test('GIT-16: who may not see an app sees no ref of it, by either service and method', async (t) => {
    await door.push(await door.pushBody(['refs/tags/seen']))
    const roles = {
      nobody: [undefined, 401],
      stranger: [basic(door.strangerToken), 404],
      owner: [authorization, 200],
      administrator: [basic(door.administratorToken), 200],
    } as const
    for (const [role, [given, expected]] of Object.entries(roles))
      for (const service of services) {
        const headers: Record<string, string> = given === undefined ? {} : { authorization: given }
        const listed = await door.ask({ path: `/hello.git/info/refs?service=${service}`, headers })
        const type = { 'content-type': `application/x-${service}-request` }
        const path = `/hello.git/${service}`
        const posted = await door.ask({ method: 'POST', path, headers: { ...headers, ...type }, body: '0000' })
        t.strictSame([listed.status, posted.status], [expected, expected], `${role}, ${service}`)
        t.equal(listed.body.includes(door.oid), expected === 200, `${role}, ${service}`)
      }
    const hide = ['--git-dir', door.repositoryPath, 'update-ref', 'refs/paas/hidden', door.oid]
    t.equal((await door.git(...hide)).code, 0)
    for (const service of services) {
      const path = `/hello.git/info/refs?service=${service}`
      t.notMatch((await door.ask({ path, headers: { authorization } })).body, /refs\/paas/)
    }
  })

  test('two hundred clones at once are bounded in processes and memory', async (t) => {
    const pid = door.pid()
    const memory = async () => Number(/VmRSS:\s*(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])
    const before = await memory()
    const body = `${pktLine(`want ${door.oid} side-band-64k\n`)}0000${pktLine('done\n')}`
    let most = 0
    let isOver = false
    const watch = (async () => {
      while (!isOver) most = Math.max(most, (await door.leftovers()).filter((line) => /upload-pack/.test(line)).length)
    })()
    const tokens = [door.token, door.administratorToken]
    const clone = async (at: number) => {
      const headers = { authorization: basic(tokens[at % 2] ?? ''), 'content-type': fetchType }
      return door.ask({ method: 'POST', path: '/hello.git/git-upload-pack', headers, body, timeoutMs: 60_000 })
    }
    const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => clone(at)))
    isOver = true
    await watch
    const served = answers.filter(({ status, body: text }) => status === 200 && text.includes('PACK')).length
    t.ok(served >= 60, `${served} were served`)
    t.ok(answers.every(({ status, body: text }) => status === 200 || (status === 429 && /Try again/.test(text))))
    // A look at all processes takes a moment, in which some end and others begin: both are counted.
    t.ok(most <= 2 * fetches, `${most} seen at once`)
    t.ok((await memory()) - before < 100_000, `${before} kB became ${await memory()} kB`)
  })
}
