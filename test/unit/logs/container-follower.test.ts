/**
 * The follower against the real engine, reached through a relay that can be cut: an engine that restarts looks the same
 * from here. Each test's container prints numbered lines, so a line missing or doubled shows.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createDockerEngine } from '../../../server/engine/docker-engine.js'
import { createLogFollower, type FollowedContainer, type LogFollower } from '../../../server/logs/container-follower.js'
import { type LogHub, openLogHub } from '../../../server/logs/hub.js'

const engineSocket = '/var/run/docker.sock'
const appId = '3b1f2c60-9d5e-4c55-8f5c-0a8c1d7f9e01'
const engine = createDockerEngine({ socketPath: engineSocket })

async function tempDir(t: Test): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'paas-logs-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  return dir
}

async function startContainer(t: Test, script: string): Promise<FollowedContainer> {
  const id = await engine.createContainer({
    name: `logs-test-${process.pid}-${Math.random().toString(36).slice(2, 8)}`,
    image: 'paas/stack:dev',
    entrypoint: ['bash', '-c', script],
    labels: {},
    network: 'none',
    init: true,
    logs: { maxSizeBytes: 300_000, maxFiles: 3 },
  })
  t.teardown(() => engine.removeContainer(id, { force: true }))
  await engine.startContainer(id)
  return { id, appId, dyno: 'web.1', source: 'app' }
}

/** A socket that passes everything to the engine until it is cut. */
async function openRelay(t: Test, dir: string) {
  const sockets = new Set<net.Socket>()
  const relay = {
    socketPath: path.join(dir, 'engine.sock'),
    isUp: true,
    connections: 0,
    cut() {
      for (const socket of sockets) socket.destroy()
    },
  }
  const server = net.createServer((inside) => {
    if (!relay.isUp) return inside.destroy()
    relay.connections += 1
    const outside = net.connect(engineSocket)
    for (const [from, to] of [[inside, outside] as const, [outside, inside] as const]) {
      sockets.add(from)
      from.pipe(to)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(relay.socketPath, resolve))
  t.teardown(() => {
    relay.cut()
    server.close()
  })
  return relay
}

interface World {
  readonly hub: LogHub
  readonly follower: LogFollower
  readonly warnings: string[]
  stop(): Promise<void>
}

interface WorldOptions {
  readonly socketPath?: string
  readonly drainDeadlineMs?: number
  readonly linesPerSecond?: number
}

function openWorld(
  dir: string,
  { socketPath = engineSocket, drainDeadlineMs = 10_000, linesPerSecond = 100_000 }: WorldOptions = {},
): World {
  const hub = openLogHub({ dir: path.join(dir, 'logs'), appBytes: 20 * 1024 ** 2, linesPerSecond })
  const warnings: string[] = []
  const follower = createLogFollower({
    engine: createDockerEngine({ socketPath }),
    hub,
    drainDeadlineMs,
    linesPerSecond,
    log: { warn: (_, message) => warnings.push(message) },
  })
  return {
    hub,
    follower,
    warnings,
    async stop() {
      await follower.stopAll()
      await hub.close()
    },
  }
}

async function textsOf(hub: LogHub): Promise<string[]> {
  return (await hub.read(appId, { lines: 10_000 })).map((line) => line.text)
}

async function waitForText(hub: LogHub, text: string): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await textsOf(hub)).includes(text)) {
    if (Date.now() > deadline) throw new Error(`waited too long for '${text}'`)
    await delay(10)
  }
}

const numbered = (word: string, count: number) => Array.from({ length: count }, (_, i) => `${word} ${i}`)

t.test('everything a dyno prints is there once it is drained, long and unfinished lines too', async (t) => {
  const world = openWorld(await tempDir(t))
  t.teardown(world.stop)
  const container = await startContainer(
    t,
    `for ((i = 0; i < 500; i++)); do echo "out $i"; echo "err $i" >&2; done
     printf '%030000d\\n' 7; printf 'unfinished'; exit 3`,
  )
  world.follower.follow(container)
  world.follower.follow(container)
  await world.follower.drained(container.id)
  const lines = await world.hub.read(appId, { lines: 10_000 })
  const texts = lines.map((line) => line.text)
  for (const word of ['out', 'err'])
    t.same(
      texts.filter((text) => text.startsWith(word)),
      numbered(word, 500),
    )
  t.same(texts.filter((text) => text.startsWith('0')).join(''), '7'.padStart(30_000, '0'))
  t.equal(texts.at(-1), 'unfinished')
  t.equal(texts.length, 1000 + 3 + 1)
  t.match(lines[0], { source: 'app', dyno: 'web.1', container: container.id.slice(0, 12), at: /\.\d{9}Z$/ })
  t.same(world.warnings, [])
})

t.test('no line is doubled when the engine begins a new log file', async (t) => {
  const world = openWorld(await tempDir(t))
  t.teardown(world.stop)
  const container = await startContainer(
    t,
    'for ((i = 0; i < 9000; i++)); do echo "line $i"; ((i % 50)) || sleep 0.005; done',
  )
  world.follower.follow(container)
  await waitForText(world.hub, 'line 8999')
  await world.follower.drained(container.id)
  t.same(await textsOf(world.hub), numbered('line', 9000))
})

t.test('no line is lost or doubled when the connection breaks again and again, or the engine is away', async (t) => {
  const dir = await tempDir(t)
  const relay = await openRelay(t, dir)
  const world = openWorld(dir, { socketPath: relay.socketPath })
  t.teardown(world.stop)
  const container = await startContainer(
    t,
    'for ((i = 0; i < 3000; i++)); do echo "line $i"; ((i % 20)) || sleep 0.005; done; sleep 60',
  )
  world.follower.follow(container)
  for (let cut = 1; cut <= 5; cut++) {
    await waitForText(world.hub, `line ${cut * 400}`)
    relay.isUp = cut !== 3
    relay.cut()
    if (cut === 3) await delay(300)
    relay.isUp = true
  }
  await waitForText(world.hub, 'line 2999')
  t.same(await textsOf(world.hub), numbered('line', 3000))
  t.ok(relay.connections > 5, 'the relay was used')
})

t.test('the next control plane reads on where the last one stopped, or was killed', async (t) => {
  const dir = await tempDir(t)
  const container = await startContainer(
    t,
    'for ((i = 0; i < 4000; i++)); do echo "line $i"; ((i % 20)) || sleep 0.005; done',
  )
  const first = openWorld(dir)
  first.follower.follow(container)
  await waitForText(first.hub, 'line 500')
  await first.stop()
  const second = openWorld(dir)
  t.teardown(second.stop)
  second.follower.follow(container)
  await waitForText(second.hub, 'line 1500')
  // What a process killed in this moment would leave; the real one goes on beside it.
  const remains = await tempDir(t)
  await cp(dir, remains, { recursive: true })
  const third = openWorld(remains)
  t.teardown(third.stop)
  third.follower.follow(container)
  await waitForText(third.hub, 'line 3999')
  await third.follower.drained(container.id)
  t.same(await textsOf(third.hub), numbered('line', 4000))
})

t.test('of a flood the newest lines are read now and then, and what comes after it in full', async (t) => {
  const world = openWorld(await tempDir(t), { linesPerSecond: 500 })
  t.teardown(world.stop)
  const container = await startContainer(
    t,
    `for second in 1 2 3; do seq -f 'flood %.0f' $((second * 100000)) $((second * 100000 + 30000)); sleep 1; done
     sleep 1; for ((i = 0; i < 300; i++)); do echo "calm $i"; ((i % 20)) || sleep 0.1; done`,
  )
  world.follower.follow(container)
  await waitForText(world.hub, 'calm 299')
  await world.follower.drained(container.id)
  const texts = await textsOf(world.hub)
  t.same(
    texts.filter((text) => text.startsWith('calm')),
    numbered('calm', 300),
  )
  const flood = texts.filter((text) => text.startsWith('flood')).map((text) => Number(text.slice(6)))
  t.ok(flood.length >= 500 && flood.length < 10_000, `${flood.length} lines of it were kept`)
  t.same(
    flood,
    [...new Set(flood)].sort((a, b) => a - b),
    'none twice, and in order',
  )
  t.match(texts.join('\n'), /Error L10 \(output buffer overflow\): \d+ or more messages dropped since/)
})

t.test('after a flood an app is heard in full again, also one that goes on printing as fast as it may', async (t) => {
  const world = openWorld(await tempDir(t), { linesPerSecond: 500 })
  t.teardown(world.stop)
  const container = await startContainer(
    t,
    `seq -f 'flood %.0f' 1 60000
     for ((i = 0; i < 2000; i++)); do echo "steady $i"; ((i % 10)) || sleep 0.03; done`,
  )
  world.follower.follow(container)
  await waitForText(world.hub, 'steady 1999')
  await world.follower.drained(container.id)
  const newest = (await textsOf(world.hub)).filter((text) => text.startsWith('steady')).slice(-500)
  t.same(newest, numbered('steady', 2000).slice(-500))
})

t.test('a container that runs again is read on, and one that is gone is let go', async (t) => {
  const world = openWorld(await tempDir(t))
  t.teardown(world.stop)
  const container = await startContainer(t, 'echo one; echo two')
  world.follower.follow(container)
  await world.follower.drained(container.id)
  world.follower.follow(container)
  await world.follower.drained(container.id)
  t.same(await textsOf(world.hub), ['one', 'two'], 'an ended one is read once')
  await engine.startContainer(container.id)
  await engine.waitContainer(container.id)
  world.follower.follow(container)
  await world.follower.drained(container.id)
  t.same(await textsOf(world.hub), ['one', 'two', 'one', 'two'])
  await engine.removeContainer(container.id, { force: true })
  world.follower.follow(container)
  await world.follower.drained(container.id)
  world.follower.forget(container.id)
  await world.follower.drained('never heard of')
  t.same(world.warnings, [])
})

t.test('draining a container that never ends, or an engine that never answers, has a deadline', async (t) => {
  const dir = await tempDir(t)
  const relay = await openRelay(t, dir)
  relay.isUp = false
  const world = openWorld(dir, { socketPath: relay.socketPath, drainDeadlineMs: 500 })
  const container = await startContainer(t, 'echo hello; sleep 60')
  world.follower.follow(container)
  const begun = Date.now()
  await world.follower.drained(container.id)
  t.ok(Date.now() - begun >= 490 && Date.now() - begun < 5000)
  t.same(world.warnings, ['a dyno log cannot be read yet'], 'said once')
  relay.isUp = true
  await waitForText(world.hub, 'hello')
  await world.stop()
})
