import t from 'tap'
import { parseManifest } from '../../../server/model/app-manifest.js'

function checksOf(healthchecks: unknown) {
  const result = parseManifest(JSON.stringify({ healthchecks }))
  return result.ok ? result.manifest.healthChecks : result.reason
}

const path = {
  kind: 'path',
  path: '/',
  content: undefined,
  headers: {},
  attempts: 3,
  timeout: 5,
  wait: 5,
  initialDelay: 0,
}

t.test('startup checks of web are taken with the defaults they have with Dokku', async (t) => {
  const cases: readonly (readonly [object, object | undefined])[] = [
    [{ path: '/health' }, { ...path, path: '/health' }],
    [
      { type: 'startup', path: '/a?b=c', attempts: 0, timeout: 0, wait: 0 },
      { ...path, path: '/a?b=c' },
    ],
    [{ content: 'ready' }, { ...path, content: 'ready' }],
    [
      { path: '/', attempts: 7, timeout: 2, wait: 1, initialDelay: 4, scheme: 'HTTP', port: 5000 },
      { ...path, attempts: 7, timeout: 2, wait: 1, initialDelay: 4 },
    ],
    [
      { path: '/', httpHeaders: [{ name: 'X-Probe', value: 'a b' }] },
      { ...path, headers: { 'x-probe': 'a b' } },
    ],
    [
      { uptime: 10, name: 'ten', description: 'seconds' },
      { kind: 'uptime', uptime: 10 },
    ],
    [{ listening: true }, undefined],
    [{ name: 'nothing asked' }, undefined],
  ]
  for (const [check, want] of cases)
    t.same(checksOf({ web: [check] }), { web: want ? [want] : [], notes: [] }, JSON.stringify(check))
  t.same(checksOf({}), { web: [], notes: [] })
  t.same(checksOf(null), { web: [], notes: [] })
})

t.test('what has no effect here is said', async (t) => {
  t.same(
    checksOf({
      web: [
        { type: 'liveness', path: '/live' },
        { type: 'readiness', path: '/ready' },
        { path: '/', warn: true },
      ],
      worker: [{ type: 'startup', uptime: 10 }],
    }),
    {
      web: [],
      notes: [
        'healthchecks.web[0] has no effect: its type is liveness, not startup.',
        'healthchecks.web[1] has no effect: its type is readiness, not startup.',
        'healthchecks.web[2] has no effect: it would only warn.',
        'healthchecks.worker[0] has no effect: only web dynos are checked.',
      ],
    },
  )
})

t.test('a check of another shape is refused by the name of its field', async (t) => {
  const cases: readonly (readonly [unknown, string])[] = [
    [[], 'healthchecks must be an object of process types.'],
    [{ web: { path: '/' } }, 'healthchecks.web must be a list of checks.'],
    [
      { web: Array.from({ length: 11 }, () => ({ path: '/' })) },
      'healthchecks.web has 11 checks; at most 10 are run. Leave some out.',
    ],
    [{ web: ['/health'] }, 'healthchecks.web[0] must be an object.'],
    [{ web: [{ path: '/' }, { path: 3 }] }, 'healthchecks.web[1].path must be a text.'],
    [{ web: [{ path: 'health' }] }, 'healthchecks.web[0].path must begin with / and have no spaces'],
    [{ web: [{ path: '/a\r\nHost: b' }] }, 'healthchecks.web[0].path must begin with / and have no spaces'],
    [{ web: [{ path: '/', attempts: '3' }] }, 'healthchecks.web[0].attempts must be a whole number from 0 to 1000.'],
    [{ web: [{ path: '/', timeout: -1 }] }, 'healthchecks.web[0].timeout must be a whole number from 0 to 3600.'],
    [{ web: [{ path: '/', wait: 1.5 }] }, 'healthchecks.web[0].wait must be a whole number from 0 to 3600.'],
    [{ web: [{ uptime: 10_000 }] }, 'healthchecks.web[0].uptime must be a whole number from 0 to 3600.'],
    [{ web: [{ type: 'start', path: '/' }] }, 'healthchecks.web[0].type must be one of startup, liveness, readiness.'],
    [{ web: [{ path: '/', uptime: 3 }] }, 'healthchecks.web[0] has both path and uptime; make two checks of it.'],
    [{ web: [{ path: '/', content: ['a'] }] }, 'healthchecks.web[0].content must be a text.'],
    [{ web: [{ command: ['true'] }] }, 'healthchecks.web[0].command is not supported'],
    [{ web: [{ path: '/', scheme: 'https' }] }, 'healthchecks.web[0].scheme must be http'],
    [{ web: [{ path: '/', warn: 'yes' }] }, 'healthchecks.web[0].warn must be true or false.'],
    [{ web: [{ path: '/', httpHeaders: { a: 'b' } }] }, 'healthchecks.web[0].httpHeaders must be a list of objects'],
    [
      { web: [{ path: '/', httpHeaders: [{ name: 'a b', value: '' }] }] },
      'healthchecks.web[0].httpHeaders[0].name must be the name of a header.',
    ],
    [
      { web: [{ path: '/', httpHeaders: [{ name: 'a', value: 'b\r\nc: d' }] }] },
      'healthchecks.web[0].httpHeaders[0].value must be a text of one line.',
    ],
  ]
  for (const [healthchecks, reason] of cases) {
    const said = checksOf(healthchecks)
    t.ok(typeof said === 'string' && said.startsWith(`app.json: ${reason}`), `${reason} – ${JSON.stringify(said)}`)
  }
})
