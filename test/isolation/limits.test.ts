// Goal: whatever an app eats, it meets its own limit, the limit is named where its owner looks, and its neighbour serves on.
// Method: a platform with small limits; the probe app eats memory, processes, disk and log in a dyno, a one-off dyno and a
// build. What a neighbour's speed suffers is measured by `test/soak/noisy-neighbour.test.ts`.
import { readdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { startWorld, until, type World } from '../support/world.js'

t.setTimeout(500_000)

let world: World
let repo: string
const app = 'hungry-app'
const neighbour = 'quiet-app'

t.before(async () => {
  world = await startWorld({
    env: {
      PAAS_APP_DISK_BYTES: '48m',
      PAAS_USAGE_INTERVAL_MS: '500',
      PAAS_MEMORY_WARNING_PERCENT: '70',
      PAAS_LOG_LINES_PER_SECOND: '500',
      PAAS_BUILD_DISK: '600m',
      PAAS_BUILD_MEMORY: '600m',
      PAAS_BUILD_PIDS: '200',
      PAAS_BUILD_OUTPUT: '50k',
      PAAS_BUILD_FILES: '20000',
    },
  })
  const other = await world.checkout('procfile', neighbour)
  const [first] = await Promise.all([world.push(other), prepare()])
  if (first.code !== 0) throw new Error(first.output)
  const pushed = await world.push(repo)
  if (pushed.code !== 0) throw new Error(pushed.output)
})
t.teardown(() => world.stop())

async function prepare() {
  repo = await world.checkout('probe', app)
  await world.api('PATCH', `/apps/${app}/config-vars`, { PROBE_BUILD: 'status', PROBE_RELEASE: 'status' })
}

t.afterEach(async () => {
  const { status } = await world.get(neighbour)
  if (status !== 200) throw new Error(`the neighbour answers ${status}`)
})

const logs = async () => (await world.paas(['logs', '--num', '1500', '--app', app])).stdout

const logged = (pattern: RegExp, deadlineMs = 30_000) =>
  until(`a line like ${pattern}`, async () => pattern.exec(await logs()) ?? undefined, deadlineMs)

const answers = () => until('the app to serve again', async () => (await world.get(app)).status === 200, 60_000)

/** Asks the web dyno to do it; it may not live to answer. */
const ask = (what: string) => world.get(app, what).catch(() => undefined)

const runIn = (what: string) => world.paas(['run', '--app', app, '--no-tty', '--', `python3 probe.py ${what}`])

t.test('a dyno near its memory limit is warned: R14, with what it uses', async (t) => {
  const reply = await ask('/hold/400/3')
  t.match(reply?.body, /held 400 MB/)
  await logged(/heroku\[web\.1\]: Process running mem=\d+M\([789]\d\.\d%\)/)
  await logged(/heroku\[web\.1\]: Error R14 \(Memory quota exceeded\)/)
})

t.test('a process that eats all memory is stopped and named: R15', async (t) => {
  const reply = await ask('/memory')
  t.match(reply?.body, /exit -9/, 'the server outlived its child')
  await logged(/heroku\[web\.1\]: Error R15 \(Memory quota vastly exceeded\)/)
  await answers()
  const ran = await runIn('memory')
  t.equal(ran.code, 137, ran.output)
  await logged(/heroku\[run\.\d+\]: Error R15 \(Memory quota vastly exceeded\)/)
})

t.test('a fork bomb meets the dyno’s own process limit, and the machine doesn’t notice', async (t) => {
  const processes = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length
  const before = processes()
  const reply = await ask('/forks')
  const count = Number(/fork (\d+): Resource temporarily unavailable/.exec(reply?.body ?? '')?.[1])
  t.ok(count > 100 && count <= 256, `${count} processes`)
  t.ok(processes() < before + 600)
  await answers()
})

t.test('one file too large is refused where it is written', async (t) => {
  t.match((await ask('/file/64'))?.body, /one file: File too large/)
})

t.test('a dyno that fills the disk is stopped within 30 s, named, and started afresh', async (t) => {
  const began = Date.now()
  const asked = ask('/disk')
  await logged(
    /heroku\[web\.1\]: Error: its own files take \d+M of disk, more than the 48M that a dyno may have \(PAAS_APP_DISK_BYTES\)/,
  )
  await logged(/heroku\[web\.1\]: Stopping process with SIGKILL/)
  await logged(/heroku\[web\.1\]: State changed from up to crashed/)
  t.ok(Date.now() - began < 30_000, `${Date.now() - began} ms`)
  const ranOut = (await logs()).match(/heroku\[web\.1\]: Error R15/g) ?? []
  t.equal(ranOut.length, 1, 'what was told of a process before is not told of the dyno’s end')
  await asked
  await answers()
})

t.test('countless empty files in a hidden folder count too, in a one-off dyno as well', async (t) => {
  const ran = await runIn('files 20000')
  t.equal(ran.code, 137, ran.output)
  await logged(/heroku\[run\.\d+\]: Error: its own files take \d+M of disk/)
})

t.test('endless lines are dropped and counted: L10; what is printed once they have ended is there', async () => {
  await world.api('POST', `/apps/${app}/dynos`, {
    command: "sh -c 'python3 probe.py chatter 4; sleep 2; echo calm again; sleep 2; echo and at the end'",
    attach: false,
  })
  await logged(/Error L10 \(output buffer overflow\): \d{4,} messages dropped/)
  await logged(/app\[run\.\d+\]: calm again/)
  await logged(/app\[run\.\d+\]: and at the end/)
  await logged(/heroku\[run\.\d+\]: Process exited with status 0/, 60_000)
})

t.test('what a dyno prints last is in its log, however much came before it', async () => {
  await world.api('POST', `/apps/${app}/dynos`, { command: 'seq 1 100000; echo why it ended', attach: false })
  await logged(/app\[run\.\d+\]: why it ended/)
})

t.test('endless lines past what counts them are dropped all the same: L10, with how many at least', async () => {
  await world.api('POST', `/apps/${app}/dynos`, {
    command: "sh -c 'python3 probe.py chatter 4 >/proc/1/fd/1; sleep 2; echo calm once more'",
    attach: false,
  })
  await logged(/Error L10 \(output buffer overflow\): \d+ or more messages dropped/)
  await logged(/app\[run\.\d+\]: calm once more/)
})

const builds: readonly { what: string; says: readonly RegExp[]; isRefused: boolean }[] = [
  { what: 'memory', says: [/The build ran out of memory/, /PAAS_BUILD_MEMORY/], isRefused: true },
  {
    what: 'disk /tmp 1000 8',
    says: [/The build wrote more than 600 MB of files .*\(PAAS_BUILD_DISK\)/],
    isRefused: true,
  },
  {
    what: 'forks + chatter 3',
    says: [/fork \d+: Resource temporarily unavailable/, /Output is longer than 50 kB \(PAAS_BUILD_OUTPUT\)/],
    isRefused: false,
  },
  {
    what: 'clutter 21000',
    says: [/The build made more than 20000 files \(PAAS_BUILD_FILES\)/],
    isRefused: true,
  },
  {
    what: 'forge',
    says: [/The build made a path of 1000\d\d\d bytes, longer than the 4096 allowed/],
    isRefused: true,
  },
]

for (const { what, says, isRefused } of builds)
  t.test(`a build that does '${what}' meets its limit, and the push says which`, async (t) => {
    await world.api('PATCH', `/apps/${app}/config-vars`, { PROBE_BUILD: what })
    await world.commitAll(repo, what)
    const pushed = await world.push(repo)
    for (const pattern of says) t.match(pushed.output.slice(0, 1000) + pushed.output.slice(-3000), pattern)
    t.equal(pushed.code !== 0, isRefused, `exit code ${pushed.code}`)
    await answers()
  })

t.test('folders that a build nests deeper than a path may be long go with its room', async (t) => {
  await world.api('PATCH', `/apps/${app}/config-vars`, { PROBE_BUILD: 'nest' })
  await world.commitAll(repo, 'nest')
  const pushed = await world.push(repo)
  t.match(pushed.output, /nested/)
  t.equal(pushed.code, 0, pushed.output)
  const rooms = path.join(world.config.dataDir, 'builds', 'rooms')
  const isNested = (room: string) =>
    readdirSync(path.join(rooms, room, 'tmp')).some((name) => name.startsWith('nested'))
  await until('the room to be gone', async () => !readdirSync(rooms).some(isNested))
})
