/** When a web dyno counts as up, by an app on loopback: with and without health checks. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import t, { type Test } from 'tap'
import { type BootState, createBootChecks } from '../../../server/dynos/boot-check.js'
import type { HealthCheck, PathCheck } from '../../../server/model/health-check.js'

const path: PathCheck = {
  kind: 'path',
  path: '/health',
  content: undefined,
  headers: {},
  attempts: 2,
  timeout: 1,
  wait: 0,
  initialDelay: 0,
}

interface Checked {
  readonly states: readonly string[]
  readonly last: BootState
  readonly attempts: readonly string[]
  readonly heard: readonly string[]
  readonly asked: readonly http.IncomingMessage[]
}

/** Looks at an app until it is up or unhealthy. */
async function check(
  t: Test,
  healthChecks: readonly HealthCheck[],
  answer: http.RequestListener,
  healthChecksTimeoutMs = 10_000,
): Promise<Checked> {
  const asked: http.IncomingMessage[] = []
  const server = http.createServer((request, response) => {
    asked.push(request)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const target = {
    containerId: 'c1',
    address: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    host: 'hello.localhost',
    startedAt: new Date(),
    healthChecks,
  }
  const attempts: string[] = []
  const heard: string[] = []
  const states: string[] = []
  const last = await new Promise<BootState>((resolve) => {
    const checks = createBootChecks({
      healthChecksTimeoutMs,
      onChange: () => {
        const state = checks.look(target)
        states.push(state.kind)
        if (state.kind !== 'checking') resolve(state)
      },
      onFailedAttempt: (_, text) => attempts.push(text),
      onAnswer: (id, status, host) => void heard.push(`${id} ${status} ${host}`),
    })
    t.teardown(() => checks.close())
    t.equal(checks.look(target).kind, 'starting')
  })
  return { states, last, attempts, heard, asked }
}

t.test('without health checks any answer will do', async (t) => {
  const { states, heard, asked } = await check(t, [], (_, response) => response.writeHead(500).end())
  t.strictSame(states, ['up'])
  t.strictSame(heard, ['c1 500 hello.localhost'])
  t.match(asked[0]?.headers, { host: 'hello.localhost', 'x-forwarded-proto': 'https', 'user-agent': 'paas-boot-check' })
})

t.test('a path that answers as it should makes the dyno up, and no other path is asked', async (t) => {
  const checks = [{ ...path, content: 'ready', headers: { 'x-probe': 'yes', host: 'www.example.test' } }]
  const { states, asked } = await check(t, checks, (_, response) => response.end('all is ready'))
  t.strictSame(states, ['checking', 'up'])
  t.strictSame(
    asked.map(({ url }) => url),
    ['/health'],
  )
  t.match(asked[0]?.headers, { host: 'www.example.test', 'x-probe': 'yes', 'x-forwarded-proto': 'https' })
})

t.test('a redirect is an answer', async (t) => {
  const { last } = await check(t, [path], (_, response) => response.writeHead(302, { location: '/login' }).end())
  t.equal(last.kind, 'up')
})

t.test('an app that becomes healthy within its attempts is up', async (t) => {
  let left = 2
  const { states, attempts } = await check(t, [{ ...path, attempts: 3 }], (_, response) =>
    response.writeHead(left-- > 0 ? 503 : 200).end('not yet'),
  )
  t.strictSame(states, ['checking', 'up'])
  t.strictSame(attempts, [
    'GET /health answered 503 Service Unavailable: "not yet" (attempt 1 of 3)',
    'GET /health answered 503 Service Unavailable: "not yet" (attempt 2 of 3)',
  ])
})

t.test('one that never does is unhealthy, and what came back is told', async (t) => {
  const cases: readonly (readonly [Partial<PathCheck>, http.RequestListener, string])[] = [
    [
      {},
      (_, response) => response.writeHead(500).end('no database\n'),
      'GET /health answered 500 Internal Server Error: "no database" (2 attempts)',
    ],
    [
      { content: 'ready', attempts: 1 },
      (_, response) => response.end('hello'),
      'GET /health answered 200 OK without "ready" in it: "hello" (1 attempt)',
    ],
    [{}, (request) => request.socket.destroy(), 'GET /health was not answered (ECONNRESET) (2 attempts)'],
    [{ attempts: 1 }, () => {}, 'GET /health did not answer within 1 seconds (1 attempt)'],
    [
      { attempts: 1, content: 'end' },
      (_, response) => response.write('for ever'),
      'GET /health did not answer within 1 seconds (1 attempt)',
    ],
  ]
  for (const [change, answer, failure] of cases) {
    const { last } = await check(t, [{ ...path, ...change }], answer)
    t.strictSame(last, { kind: 'unhealthy', failure })
  }
})

t.test('an answer that is dear to look through keeps nobody else waiting', async (t) => {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const { last } = await check(t, [{ ...path, attempts: 1 }], (_, response) =>
    response.writeHead(500).end('<'.repeat(1024 ** 2)),
  )
  delay.disable()
  const failure = `GET /health answered 500 Internal Server Error: "${'<'.repeat(200)}" (1 attempt)`
  t.strictSame(last, { kind: 'unhealthy', failure })
  t.ok(delay.max < 1e9, `the longest stretch took ${Math.round(delay.max / 1e6)} ms`)
})

t.test('all checks must pass; the first that fails ends the others', async (t) => {
  const checks: HealthCheck[] = [
    { kind: 'uptime', uptime: 600 },
    { ...path, path: '/good' },
    { ...path, path: '/bad', attempts: 1 },
  ]
  const { last } = await check(t, checks, (request, response) =>
    response.writeHead(request.url === '/bad' ? 404 : 200).end(),
  )
  t.strictSame(last, { kind: 'unhealthy', failure: 'GET /bad answered 404 Not Found (1 attempt)' })
})

t.test('an uptime is waited for', async (t) => {
  const started = Date.now()
  const { states, asked } = await check(t, [{ kind: 'uptime', uptime: 1 }], (_, response) => response.end())
  t.strictSame(states, ['checking', 'up'])
  t.ok(Date.now() - started >= 990)
  t.equal(asked[0]?.url, '/', 'and it has answered')
})

t.test('checks that take too long together end unhealthy', async (t) => {
  const { last } = await check(t, [{ ...path, attempts: 1000 }], (_, response) => response.writeHead(500).end(), 300)
  t.strictSame(last, { kind: 'unhealthy', failure: 'the checks were not over within 0.3 seconds' })
})
