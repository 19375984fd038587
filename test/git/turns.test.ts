/** Time and turns: who waits, who leaves, what is said meanwhile, and what happens when one side goes away. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { installHook } from '../../server/git/pre-receive-hook.js'
import type { PushRequest } from '../../server/git/push-request.js'
import { startFront, transports, until } from './front-world.js'
import { pushBody, rawRequest } from './raw-git.js'

// The machine may be busy with everything else that is tested.
t.setTimeout(180_000)

interface HeldPush {
  readonly push: PushRequest
  readonly answer: (accepted: boolean) => void
}

/** A front whose pushes are answered by the test. */
async function startHolding(name: keyof typeof transports, limits = {}) {
  const held: HeldPush[] = []
  const front = await startFront({
    transport: transports[name](),
    limits,
    onPush: (push) => new Promise((answer) => held.push({ push, answer })),
  })
  const holding = async (count: number) => {
    await until(`push ${count} to be decided on`, () => held.length >= count)
    const last = held[count - 1]
    if (!last) throw new Error('unreachable')
    return last
  }
  return { front, held, holding }
}

for (const name of ['node-git-server', 'spawn'] as const)
  t.test(`turns over ${name}`, async (t) => {
    t.test('a second push to an app waits, says for whom, and then sees what the first one did', async (t) => {
      const { front, held, holding } = await startHolding(name, { heartbeatMs: 100 })
      t.teardown(() => front.close())
      const appId = await front.createApp('hello')
      await front.createApp('other')
      const copies = [await front.createCopy(), await front.createCopy({ a: '2' }), await front.createCopy({ a: '3' })]
      const seen = ['', '', '']
      const pushed = [0, 1].map((at) =>
        front.git(copies[at] ?? '', ['push', front.url('hello'), 'master'], {
          onOutput: (text) => {
            seen[at] = text
          },
        }),
      )
      const first = await holding(1)
      const waiting = () => seen.findIndex((text) => text.includes('Waiting for another push to this app, running for'))
      await until('the second to wait', () => waiting() >= 0)
      await until('a sign of life to the waiting', () =>
        (seen[waiting()] ?? '').includes('Still waiting for another push'),
      )
      await until('a sign of life to the first', () => (seen[1 - waiting()] ?? '').includes('Still working ('))
      const other = front.push(copies[2] ?? '', 'other', 'master')
      const meanwhile = await holding(2)
      t.equal(meanwhile.push.appName, 'other', 'apps do not wait for each other')
      meanwhile.answer(true)
      t.equal((await other).code, 0)
      first.answer(true)
      const results = await Promise.all(pushed)
      t.strictSame(results.map(({ code }) => code).sort(), [0, 1])
      t.match(results.find(({ code }) => code === 1)?.output, /master was moved by another push meanwhile/)
      t.equal(held.length, 2)
      t.equal(await front.repos.readRef(appId, 'refs/heads/master'), first.push.deploy.newOid)
    })

    t.test('a pusher who leaves the queue is not decided on, and the next one is', async (t) => {
      const { front, held, holding } = await startHolding(name)
      t.teardown(() => front.close())
      await front.createApp('hello')
      const [first, second, third] = [
        await front.createCopy(),
        await front.createCopy({ a: '2' }),
        await front.createCopy({ a: '3' }),
      ]
      const firstPush = front.push(first, 'hello', 'master')
      const holder = await holding(1)
      const ctrlC = new AbortController()
      let seen = ''
      const secondPush = front.git(second, ['push', front.url('hello'), 'master'], {
        signal: ctrlC.signal,
        onOutput: (text) => {
          seen = text
        },
      })
      await until('the second to wait', () => seen.includes('Waiting for'))
      let thirdSeen = ''
      const thirdPush = front.git(third, ['push', front.url('hello'), 'master'], {
        onOutput: (text) => {
          thirdSeen = text
        },
      })
      await until('the third to wait', () => thirdSeen.includes('and 1 more wait before this one'))
      ctrlC.abort()
      await secondPush
      await until(
        'the second to be gone',
        () => front.logged.filter((line) => line.startsWith('push ended')).length === 1,
      )
      holder.answer(false)
      t.equal((await firstPush).code, 1)
      const next = await holding(2)
      next.answer(true)
      t.equal((await thirdPush).code, 0)
      t.equal(held.length, 2)
      t.strictSame(await front.leftovers(), [])
    })

    t.test('a pusher who leaves cancels the build, and the app is held until the build has ended', async (t) => {
      const { front, holding } = await startHolding(name)
      t.teardown(() => front.close())
      const appId = await front.createApp('hello')
      const copy = await front.createCopy()
      const ctrlC = new AbortController()
      const left = front.git(copy, ['push', front.url('hello'), 'master'], { signal: ctrlC.signal })
      const { push, answer } = await holding(1)
      t.notOk(push.aborted.aborted)
      ctrlC.abort()
      await left
      await until('the build to be told', () => push.aborted.aborted)
      push.write('said to nobody\n')
      let seen = ''
      const again = front.git(copy, ['push', front.url('hello'), 'master'], {
        onOutput: (text) => {
          seen = text
        },
      })
      await until('the next push to wait', () => seen.includes('Waiting for'))
      answer(false)
      const next = await holding(2)
      t.equal(await front.repos.readRef(appId, 'refs/heads/master'), undefined)
      next.answer(true)
      t.equal((await again).code, 0)
      t.strictSame(await front.leftovers(), [])
    })

    t.test('a release that came into being moves the ref although its pusher has left', async (t) => {
      const { front, holding } = await startHolding(name)
      t.teardown(() => front.close())
      const appId = await front.createApp('hello')
      const ctrlC = new AbortController()
      const copy = await front.createCopy()
      const left = front.git(copy, ['push', front.url('hello'), 'master'], { signal: ctrlC.signal })
      const { push, answer } = await holding(1)
      ctrlC.abort()
      await left
      await until('the build to be told', () => push.aborted.aborted)
      push.write(`${'x'.repeat(200_000)}\n`)
      answer(true)
      await until('the push to end', () => front.logged.some((line) => line.startsWith('push ended')))
      t.equal(await front.repos.readRef(appId, 'refs/heads/master'), push.deploy.newOid)
    })

    t.test('a push that takes too long is told so and ended', async (t) => {
      const { front, holding } = await startHolding(name, { timeoutMs: 1000 })
      t.teardown(() => front.close())
      await front.createApp('hello')
      const pushed = front.push(await front.createCopy(), 'hello', 'master')
      const { push, answer } = await holding(1)
      push.aborted.addEventListener('abort', () => answer(false))
      const { code, output } = await pushed
      t.equal(code, 1)
      t.match(output, /This took too long and was ended/)
    })

    t.test('one push too many of an account is refused in words', async (t) => {
      const { front, holding } = await startHolding(name, { pushesPerAccount: 2 })
      t.teardown(() => front.close())
      for (const app of ['first', 'second', 'third']) await front.createApp(app)
      const copy = await front.createCopy()
      const pushed = [front.push(copy, 'first', 'master'), front.push(copy, 'second', 'master')]
      await holding(2)
      const { code, output } = await front.push(copy, 'third', 'master')
      t.equal(code, 1)
      t.match(output, /You have 2 pushes under way already/)
      for (const at of [1, 2]) (await holding(at)).answer(true)
      t.strictSame(
        (await Promise.all(pushed)).map((each) => each.code),
        [0, 0],
      )
    })

    t.test('a platform that stops refuses what is under way in words', async (t) => {
      const { front, holding } = await startHolding(name)
      t.teardown(() => front.close())
      await front.createApp('hello')
      const pushed = front.push(await front.createCopy(), 'hello', 'master')
      const { push, answer } = await holding(1)
      push.aborted.addEventListener('abort', () => answer(false))
      const closed = front.server.close()
      const { code, output } = await pushed
      await closed
      t.equal(code, 1)
      t.match(output, /The platform is stopping/)
      t.strictSame(await front.leftovers(), [])
    })

    t.test('a platform that stops ends what is still coming in', async (t) => {
      const { front, held } = await startHolding(name)
      t.teardown(() => front.close())
      await front.createApp('hello')
      const request = rawRequest('hello', await pushBody(front, await front.createCopy(), ['refs/heads/master']))
      const socket = net.connect(front.port, '127.0.0.1').on('error', () => {})
      let answer = ''
      socket.on('data', (chunk) => {
        answer += chunk.toString('latin1')
      })
      socket.write(request.subarray(0, request.length - 30))
      await until('git to run', async () => (await front.leftovers()).length > 0)
      await front.server.close()
      await until('git to be gone', async () => (await front.leftovers()).length === 0)
      await until('the answer', () => answer.includes('The platform is stopping'))
      t.match(answer, /^HTTP\/1\.1 503 /)
      t.equal(held.length, 0)
      t.strictSame(
        front.logged.filter((line) => line.includes('fault of ours')),
        [],
      )
    })

    t.test('ten pushes to one app are decided on one after the other', async (t) => {
      let running = 0
      let most = 0
      const front = await startFront({
        transport: transports[name](),
        limits: { pushesPerAccount: 10 },
        onPush: async () => {
          most = Math.max(most, ++running)
          await new Promise((resolve) => setImmediate(resolve))
          running--
          return false
        },
      })
      t.teardown(() => front.close())
      await front.createApp('hello')
      const copy = await front.createCopy()
      const results = await Promise.all(Array.from({ length: 10 }, () => front.push(copy, 'hello', 'master')))
      t.equal(most, 1)
      t.equal(front.pushes.length, 10)
      t.ok(results.every(({ code }) => code === 1))
      t.strictSame(await front.leftovers(), [])
    })
  })

t.test('git starts with nothing of the environment of the control plane', async (t) => {
  process.env.PAAS_CANARY = 'canary'
  process.env.GIT_CONFIG_COUNT = '1'
  process.env.GIT_CONFIG_KEY_0 = 'core.hooksPath'
  process.env.GIT_CONFIG_VALUE_0 = '/nonexistent'
  t.teardown(() => {
    for (const each of ['PAAS_CANARY', 'GIT_CONFIG_COUNT', 'GIT_CONFIG_KEY_0', 'GIT_CONFIG_VALUE_0'])
      delete process.env[each]
  })
  const { front, holding } = await startHolding('spawn')
  t.teardown(() => front.close())
  await front.createApp('hello')
  const pushed = front.push(await front.createCopy(), 'hello', 'master')
  const { answer } = await holding(1)
  const children = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')
  const environments = await Promise.all(
    children
      .split(' ')
      .filter(Boolean)
      .map(async (pid) => {
        const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
        return command.includes('receive-pack') ? readFile(`/proc/${pid}/environ`, 'utf8') : ''
      }),
  )
  const ofGit = environments.find((each) => each !== '') ?? ''
  t.match(ofGit, /HOME=\/nonexistent/)
  t.notMatch(ofGit, /canary|core\.hooksPath/)
  answer(true)
  t.equal((await pushed).code, 0)
})

t.test('the hook refuses a push whose control plane is away or dies', async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'paas-git-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const socketPath = path.join(dir, 'git.sock')
  await installHook(path.join(dir, 'hooks'), socketPath)
  const hook = () =>
    new Promise<{ code: number | null; output: string }>((resolve) => {
      const child = spawn(path.join(dir, 'hooks', 'pre-receive'), [], { env: {} })
      let output = ''
      child.stderr.on('data', (chunk: Buffer) => {
        output += chunk.toString('utf8')
      })
      child.stdin.on('error', () => {})
      child.stdin.end(`${'0'.repeat(40)} ${'a'.repeat(40)} refs/heads/master\n`.repeat(5000))
      child.once('close', (code) => resolve({ code, output }))
    })
  t.strictSame(await hook(), { code: 1, output: " !     The platform doesn't answer. Push again in a moment.\n" })

  let answer = Buffer.alloc(0)
  const server = net.createServer((socket) => {
    socket.resume()
    socket.on('error', () => {})
    if (answer.length === 0) socket.destroy()
    else socket.once('end', () => socket.end(answer))
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  const died = ' !     The platform stopped before it had decided on this push. Push again in a moment.\n'
  t.strictSame(await hook(), { code: 1, output: died })
  answer = Buffer.from('o\0\0\0\x06half\n\n')
  t.strictSame(await hook(), { code: 1, output: `half\n\n${died}` })
  answer = Buffer.from('o\0\0\0\x03ok\nx\0\0\0\x00')
  t.strictSame(await hook(), { code: 0, output: 'ok\n' })
  await t.rejects(installHook(path.join(dir, 'hooks'), `/${'x'.repeat(120)}`), /100 characters at most/)
  await t.rejects(installHook(path.join(dir, 'hooks'), "/a'b"), /must be absolute, plain/)
})
