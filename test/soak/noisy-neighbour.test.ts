// Goal: an app that eats all it can get leaves its neighbour at 95 % of its throughput, its p99 at most doubled.
// Method: the neighbour gets requests at a steady rate, that of an app at work and not of one at its limit. Rounds with the
// noisy app idle and at its worst alternate, three of each for each kind of noise, so that what else goes on falls on both;
// the medians are compared. The client of the neighbour stands for another machine: it has a real-time priority here, since
// the noise would otherwise be in its own clock. Run it alone on the machine.
import http from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { runCommand, startWorld, until, type World } from '../support/world.js'

t.setTimeout(600_000)

const perSecond = 100
const roundMs = 5_000
const rounds = 3
const quiet = 'quiet-app'
const noisy = 'noisy-app'

let world: World

t.before(async () => {
  world = await startWorld({ env: { PAAS_APP_DISK_BYTES: '512m', PAAS_LOG_LEVEL: 'info' } })
  const [first, second] = [await world.checkout('node', quiet), await world.checkout('probe', noisy)]
  await world.api('PATCH', `/apps/${noisy}/config-vars`, { PROBE_BUILD: 'status', PROBE_RELEASE: 'status' })
  for (const repo of [first, second]) {
    const pushed = await world.push(repo)
    if (pushed.code !== 0) throw new Error(pushed.output)
  }
  const priority = await runCommand('chrt', ['--reset-on-fork', '--rr', '--pid', '1', `${process.pid}`], '/', {
    PATH: process.env.PATH ?? '',
  })
  if (priority.code !== 0) throw new Error(priority.output)
  await measure()
})
t.teardown(() => world.stop())

interface Measured {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

/** Requests leave when it is their time, whatever became of those before; a failed one counts as none. */
async function measure(): Promise<Measured> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 })
  const latencies: number[] = []
  const options = { host: '127.0.0.1', port: world.config.httpPort, agent, headers: { host: `${quiet}.localhost` } }
  const one = (due: number) =>
    new Promise<void>((resolve) => {
      const call = http.get(options, (response) => {
        response.resume()
        response.once('end', () => {
          if (response.statusCode === 200) latencies.push(performance.now() - due)
          resolve()
        })
      })
      call.once('error', () => resolve())
    })
  const began = performance.now()
  const calls: Promise<void>[] = []
  for (let n = 0; n < (perSecond * roundMs) / 1000; n++) {
    const due = began + (n * 1000) / perSecond
    await delay(Math.max(0, due - performance.now()))
    calls.push(one(due))
  }
  await Promise.all(calls)
  const seconds = (performance.now() - began) / 1000
  agent.destroy()
  const sorted = latencies.sort((a, b) => a - b)
  const at = (part: number) => sorted[Math.floor(sorted.length * part)] ?? Number.POSITIVE_INFINITY
  return { perSecond: latencies.length / seconds, p50: at(0.5), p99: at(0.99) }
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

const kinds: readonly (readonly [name: string, command: string])[] = [
  ['spins on all processors', 'spin 7'],
  ['eats memory', 'again 7 memory'],
  ['forks', 'again 7 forks'],
  ['fills the disk', 'again 7 disk /tmp 50 8'],
  ['floods its log', 'chatter 7'],
]

for (const [name, command] of kinds)
  t.test(`while an app ${name}, its neighbour is served as before`, async (t) => {
    const still: Measured[] = []
    const loud: Measured[] = []
    for (let round = 0; round < rounds; round++) {
      still.push(await measure())
      const { id } = await world.api<{ id: string }>('POST', `/apps/${noisy}/dynos`, {
        command: `python3 probe.py ${command}`,
        attach: false,
      })
      await until('the noise to begin', async () =>
        (await world.engine.listContainers({ 'paas.one-off': id })).some((c) => c.state === 'running'),
      )
      loud.push(await measure())
      await until(
        'the noise to end',
        async () => (await world.engine.listContainers({ 'paas.one-off': id })).length === 0,
        60_000,
      )
    }
    const [before, during] = [still, loud].map((all) => ({
      perSecond: median(all.map((m) => m.perSecond)),
      p50: median(all.map((m) => m.p50)),
      p99: median(all.map((m) => m.p99)),
    })) as [Measured, Measured]
    const say = (m: Measured) =>
      `${m.perSecond.toFixed(1)} requests/s, p50 ${m.p50.toFixed(1)} ms, p99 ${m.p99.toFixed(1)} ms`
    t.comment(`idle: ${say(before)}; noisy: ${say(during)}`)
    t.ok(during.perSecond >= 0.95 * before.perSecond, `throughput ${during.perSecond} of ${before.perSecond}`)
    t.ok(during.p99 <= 2 * before.p99, `p99 ${during.p99} of ${before.p99}`)
  })
