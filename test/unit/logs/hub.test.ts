import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type LogHub, type LogHubOptions, openLogHub } from '../../../server/logs/hub.js'
import type { LogLine } from '../../../server/logs/log-line.js'

const appId = '3b1f2c60-9d5e-4c55-8f5c-0a8c1d7f9e01'
const otherAppId = '3b1f2c60-9d5e-4c55-8f5c-0a8c1d7f9e02'
const start = Date.parse('2024-05-06T07:08:09Z')

/** Line number n, each in a second of its own unless the test is about the limit. */
const line = (n: number, more: Partial<LogLine> = {}): LogLine => ({
  at: new Date(start + n * 1000).toISOString(),
  source: 'app',
  dyno: 'web.1',
  text: `line ${n}`,
  ...more,
})
const texts = (lines: readonly LogLine[]) => lines.map((each) => each.text)
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `line ${from + i}`)

async function tempDir(t: Test): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'paas-logs-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  return dir
}

function openHub(t: Test, dir: string, options: Partial<LogHubOptions> = {}): LogHub {
  const hub = openLogHub({ dir, appBytes: 20 * 1024 ** 2, linesPerSecond: 2000, ...options })
  t.teardown(() => hub.close())
  return hub
}

async function sizeOf(dir: string): Promise<number> {
  let total = 0
  for (const name of await readdir(dir)) total += (await stat(path.join(dir, name))).size
  return total
}

async function waitFor(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited too long for ${what}`)
    await nextTurn()
  }
}

t.test('the newest lines are read in order, in memory or on disk, by dyno and source', async (t) => {
  const dir = await tempDir(t)
  const hub = openHub(t, dir)
  hub.append(appId, line(0))
  hub.append(appId, line(1, { dyno: 'worker.1' }))
  hub.append(appId, line(2, { source: 'heroku', dyno: 'router' }))
  hub.append(appId, line(3, { dyno: 'web.2', container: '0123456789ab' }))
  hub.append(otherAppId, line(9))
  for (const where of ['in memory', 'on disk']) {
    t.same(texts(await hub.read(appId, { lines: 100 })), numbers(0, 4), where)
    t.same(texts(await hub.read(appId, { lines: 2 })), numbers(2, 4), where)
    t.same(texts(await hub.read(appId, { lines: 1, dyno: 'web' })), ['line 3'], where)
    t.same(texts(await hub.read(appId, { lines: 9, dyno: 'web.1' })), ['line 0'], where)
    t.same(texts(await hub.read(appId, { lines: 9, source: 'heroku' })), ['line 2'], where)
    t.same(texts(await hub.read(appId, { lines: 0 })), [], where)
    t.same((await hub.read(appId, { lines: 1 }))[0], line(3, { dyno: 'web.2', container: '0123456789ab' }), where)
    await hub.flush()
  }
  t.same(texts(await hub.read(otherAppId, { lines: 100 })), ['line 9'], 'each app has its own')
})

t.test('lines reach the disk by themselves, and another process finds them with the cursors', async (t) => {
  const dir = await tempDir(t)
  const hub = openHub(t, dir)
  hub.append(appId, line(1, { container: 'aaaaaaaaaaaa' }))
  hub.append(appId, line(3, { container: 'bbbbbbbbbbbb' }))
  hub.append(appId, line(2, { container: 'aaaaaaaaaaaa' }))
  t.equal(await hub.cursor(appId, 'aaaaaaaaaaaa'), line(2).at)
  await waitFor('a file', async () => (await sizeOf(path.join(dir, appId)).catch(() => 0)) > 0)
  const next = openHub(t, dir)
  t.same(texts(await next.read(appId, { lines: 10 })), ['line 1', 'line 3', 'line 2'])
  t.equal(await next.cursor(appId, 'aaaaaaaaaaaa'), line(2).at)
  t.equal(await next.cursor(appId, 'bbbbbbbbbbbb'), line(3).at)
  t.equal(await next.cursor(appId, 'cccccccccccc'), undefined)
})

t.test('files stay within the size, keep the newest lines, and a silent container keeps its cursor', async (t) => {
  const dir = await tempDir(t)
  const appBytes = 100_000
  let hub = openHub(t, dir, { appBytes })
  hub.append(appId, line(0, { container: 'aaaaaaaaaaaa' }))
  const padding = 'x'.repeat(100)
  for (let n = 1; n <= 5000; n++) {
    hub.append(appId, line(n, { container: 'bbbbbbbbbbbb', text: `${padding} ${n}` }))
    if (n % 250 !== 0) continue
    await hub.flush()
    t.ok((await sizeOf(path.join(dir, appId))) <= appBytes)
    if (n % 1000 !== 0) continue
    await hub.close()
    hub = openHub(t, dir, { appBytes })
  }
  const kept = await hub.read(appId, { lines: 10_000 })
  t.ok(kept.length > 400 && kept.length < 800, `${kept.length} lines are kept`)
  t.same(
    texts(kept),
    kept.map((_, i) => `${padding} ${5001 - kept.length + i}`),
  )
  t.equal(await hub.cursor(appId, 'aaaaaaaaaaaa'), line(0).at)
})

t.test('whatever a crash leaves at the end of the file, whole lines are kept and new ones are added', async (t) => {
  const dir = await tempDir(t)
  const first = openHub(t, dir)
  for (let n = 0; n < 20; n++) first.append(appId, line(n, { text: `line ${n}`, container: 'aaaaaaaaaaaa' }))
  await first.close()
  const [name = ''] = await readdir(path.join(dir, appId))
  const whole = await readFile(path.join(dir, appId, name))
  for (let cut = whole.length; cut > 0; cut -= 7) {
    await writeFile(path.join(dir, appId, name), whole)
    await truncate(path.join(dir, appId, name), cut)
    if (cut % 2 === 0) await appendFile(path.join(dir, appId, name), Buffer.alloc(100))
    const hub = openHub(t, dir)
    hub.append(appId, line(99))
    await hub.close()
    const again = openHub(t, dir)
    const kept = texts(await again.read(appId, { lines: 100 }))
    t.same(kept, [...numbers(0, kept.length - 1), 'line 99'], `cut at ${cut}`)
    t.ok(kept.length - 1 >= Math.floor(cut / 70) - 2, 'only the torn line is gone')
    await again.close()
  }
})

t.test('a killed process leaves every line but the last moments, each whole', async (t) => {
  const dir = await tempDir(t)
  const program = `
    import { openLogHub } from ${JSON.stringify(new URL('../../../server/logs/hub.js', import.meta.url).href)}
    const hub = openLogHub({ dir: ${JSON.stringify(dir)}, appBytes: 20e6, linesPerSecond: 1e9 })
    let n = 0
    setInterval(() => {
      for (let i = 0; i < 500; i++, n++)
        hub.append('${appId}', { at: new Date().toISOString(), source: 'app', dyno: 'web.1', text: 'line ' + n })
      if (n > 20000) process.kill(process.pid, 'SIGKILL')
    }, 5)`
  const file = path.join(dir, 'writer.mts')
  await writeFile(file, program)
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), file], { stdio: 'inherit' })
  const [, signal] = await once(child, 'exit')
  t.equal(signal, 'SIGKILL')
  const hub = openHub(t, dir)
  const kept = texts(await hub.read(appId, { lines: 10_000 }))
  const last = Number(kept.at(-1)?.slice(5))
  t.ok(last > 5000, `line ${last} is the last`)
  t.same(kept, numbers(last + 1 - kept.length, last + 1))
})

t.test('beyond the limit lines are dropped and counted, and the platform is still heard', async (t) => {
  const hub = openHub(t, await tempDir(t), { linesPerSecond: 100, clock: () => start + 2000 })
  for (let n = 0; n < 350; n++) hub.append(appId, line(0, { text: `line ${n}`, at: '2024-05-06T07:08:09.5Z' }))
  hub.append(appId, line(1, { at: '2024-05-06T07:08:09.9Z', source: 'heroku', text: 'Process exited with status 1' }))
  hub.append(appId, line(2, { at: '2024-05-06T07:08:10.1Z', text: 'next second' }))
  await hub.flush()
  const kept = texts(await hub.read(appId, { lines: 1000 }))
  t.same(kept, [
    ...numbers(0, 100),
    'Process exited with status 1',
    'next second',
    'Error L10 (output buffer overflow): 250 messages dropped since 2024-05-06T07:08:09+00:00',
  ])
  const [marker] = await hub.read(appId, { lines: 1, source: 'heroku', dyno: 'logplex' })
  t.equal(marker?.at, '2024-05-06T07:08:11.000Z')
  for (let n = 0; n < 101; n++) hub.append(appId, line(0, { at: '2024-05-06T07:08:15Z' }))
  let isMarked = false
  hub.tail(appId, { dyno: 'logplex' }, (each) => {
    isMarked = each.text.includes(': 1 messages dropped since')
  })
  await waitFor('the marker to come by itself', () => isMarked)
})

t.test('a backlog of many minutes is kept whole', async (t) => {
  const hub = openHub(t, await tempDir(t), { linesPerSecond: 100 })
  for (let n = 0; n < 6000; n++)
    for (const dyno of ['web.1', 'web.2'])
      hub.append(appId, line(0, { dyno, at: new Date(start + n * 50).toISOString(), text: `line ${n}` }))
  t.same(texts(await hub.read(appId, { lines: 10_000, dyno: 'web.2' })), numbers(0, 6000))
})

t.test('following begins where reading ends, at any moment and at any speed', async (t) => {
  const hub = openHub(t, await tempDir(t))
  const padding = ' '.repeat(500)
  let n = 0
  let isWriting = true
  const writing = (async () => {
    while (isWriting) {
      for (let i = 0; i < 20; i++, n++) hub.append(appId, line(n, { text: `line ${n}${padding}` }))
      await delay(1)
    }
  })()
  const followers: { got: string[]; stop: () => void }[] = []
  for (let i = 0; i < 60; i++) {
    const got: string[] = []
    const lines = 1 + ((i * 370) % 5000)
    const stop = await hub.follow(appId, { lines, dyno: 'web' }, (each) => got.push(each.text.trimEnd()))
    followers.push({ got, stop })
    await nextTurn()
  }
  isWriting = false
  await writing
  for (const { got, stop } of followers) {
    stop()
    const first = Number(got[0]?.slice(5))
    t.same(got.filter((text, i) => text !== `line ${first + i}`).slice(0, 3), [])
    t.equal(got.length, n - first)
  }
  const lengths = followers.map(({ got }) => got.length)
  hub.append(appId, line(n))
  t.same(
    followers.map(({ got }) => got.length),
    lengths,
    'a stopped one hears nothing more',
  )
})

t.test('a read sees every line once while they are being written', async (t) => {
  const hub = openHub(t, await tempDir(t))
  const count = 6000
  for (let n = 0; n < count; n++) hub.append(appId, line(n, { text: `line ${n} ${'x'.repeat(500)}` }))
  let isWriting = true
  const flushed = hub.flush().then(() => {
    isWriting = false
  })
  let reads = 0
  for (; isWriting || reads === 0; reads++) {
    const got = texts(await hub.read(appId, { lines: 10_000 }))
    t.equal(got.length, count)
    t.same(
      got.filter((text, i) => !text.startsWith(`line ${i} `)),
      [],
    )
    await nextTurn()
  }
  t.ok(reads > 1)
  await flushed
})

t.test('a tail hears matching lines at once, and one that throws harms nobody', async (t) => {
  const hub = openHub(t, await tempDir(t))
  const got: string[] = []
  hub.tail(appId, {}, () => {
    throw new Error('broken tail')
  })
  const stop = hub.tail(appId, { dyno: 'web' }, (each) => got.push(each.text))
  hub.append(appId, line(1))
  hub.append(appId, line(2, { dyno: 'worker.1' }))
  hub.append(appId, line(3, { text: 'two\nlines' }))
  t.same(got, ['line 1', 'two', 'lines'])
  stop()
  hub.append(appId, line(4))
  t.equal(got.length, 3)
})

t.test('a folder that cannot be written costs lines, not the platform, and they are counted', async (t) => {
  const dir = await tempDir(t)
  const blocked = path.join(dir, 'logs')
  await writeFile(blocked, 'a file where the folder should be')
  const warnings: string[] = []
  const hub = openHub(t, blocked, { log: { warn: (_, message) => warnings.push(message) } })
  for (let n = 0; n < 50; n++) hub.append(appId, line(n))
  await hub.flush()
  hub.append(appId, line(50))
  await hub.flush()
  t.same(warnings, ['log lines are dropped: the log folder cannot be written'], 'said once')
  await rm(blocked)
  await mkdir(blocked)
  hub.append(appId, line(51))
  await hub.flush()
  await hub.flush()
  t.same(texts(await hub.read(appId, { lines: 100 })), [
    'line 51',
    'Error L10 (output buffer overflow): 51 messages dropped since 2024-05-06T07:08:09+00:00',
  ])
  await rm(path.join(blocked, appId), { recursive: true })
  hub.append(appId, line(52))
  await hub.close()
  t.same(texts(await openHub(t, blocked).read(appId, { lines: 100 })), [], 'a folder taken away is no error')
})

t.test('a removed log is gone with all that comes late, and the others stay', async (t) => {
  const dir = await tempDir(t)
  const hub = openHub(t, dir)
  hub.append(appId, line(1))
  hub.append(otherAppId, line(1))
  await hub.flush()
  hub.append(appId, line(2))
  await hub.remove(appId)
  hub.append(appId, line(3))
  t.same(await hub.read(appId, { lines: 10 }), [])
  hub.append(appId, line(4))
  await hub.flush()
  t.same(await readdir(dir), [otherAppId])
  await hub.remove('3b1f2c60-9d5e-4c55-8f5c-0a8c1d7f9e99')
})

t.test('only a UUID names an app, and an app nobody wrote for leaves no trace', async (t) => {
  const dir = await tempDir(t)
  const hub = openHub(t, path.join(dir, 'logs'))
  for (const bad of ['', '..', '../etc', `${appId}/..`, appId.toUpperCase(), `${appId}\n`, 'constructor']) {
    hub.append(bad, line(1))
    await t.rejects(hub.read(bad, { lines: 1 }), RangeError)
    await t.rejects(hub.remove(bad), RangeError)
    t.throws(() => hub.tail(bad, {}, () => undefined), RangeError)
  }
  t.same(await hub.read(appId, { lines: 10 }), [])
  hub.tail(appId, {}, () => undefined)()
  await hub.close()
  hub.append(appId, line(1))
  t.same(await readdir(dir), [])
})
