/** The text HAProxy starts from, and the text it answers. */
import t from 'tap'
import { layoutOf } from '../../../server/router/layout.js'
import {
  parseCertList,
  parseInfo,
  parseMap,
  parseProcesses,
  parseServers,
  parseSessions,
} from '../../../server/router/observe.js'
import { withDefaults } from '../../../server/router/options.js'
import { renderPage, statePages } from '../../../server/router/pages.js'
import { routerPaths } from '../../../server/router/paths.js'
import { emptyPlacement, place } from '../../../server/router/placement.js'
import { configMark, renderConfig, renderMap, renderPages } from '../../../server/router/render.js'
import { createRouter, routerCapabilities } from '../../../server/router/router.js'

const settings = withDefaults({
  dir: '/r',
  caDir: '/ca',
  instance: 'paas',
  domain: 'localhost',
  bind: '0.0.0.0',
  httpPort: 80,
  httpsPort: 443,
  apiPort: 5000,
  slots: 3,
  connectTimeoutMs: 5000,
  firstByteTimeoutMs: 30_000,
  idleTimeoutMs: 55_000,
})
const paths = routerPaths('/r')
const table = {
  version: 7,
  apps: [
    {
      appId: 'id-1',
      appName: 'hello',
      hosts: ['hello.localhost', '*.example.com'],
      state: 'up' as const,
      backends: [
        { name: 'web.2_b', dyno: 'web.2', address: '10.0.0.3', port: 5001 },
        { name: 'web.1_a', dyno: 'web.1', address: '10.0.0.2', port: 5000 },
      ],
    },
    { appId: 'id-2', appName: 'off', hosts: ['off.localhost'], state: 'no-web' as const, backends: [] },
  ],
}
const placement = place(emptyPlacement(3), table, { now: 0, restMs: 0, occupied: new Set() })
const layout = layoutOf(placement, 'localhost')
const config = renderConfig(placement, settings, paths)

t.test('the slots hold the table', (t) => {
  const name = ' pool-conn-name var(txn.own),add(txn.number),set-var(txn.own),sub(txn.number)'
  t.equal(
    config.slice(config.indexOf('backend slot_0')),
    `backend slot_0 from dyno
  server web.1_a 10.0.0.2:5000${name}
  server web.2_b 10.0.0.3:5001${name}
backend slot_1 from dyno
backend slot_2 from dyno
`,
  )
  t.equal(
    renderMap(layout.hosts),
    `api.localhost platform
git.localhost platform
*.example.com slot_0
hello.localhost slot_0
off.localhost slot_1
`,
  )
  t.equal(renderMap(layout.slots), 'platform up:-:-\nslot_0 up:id-1:hello\nslot_1 no-web:id-2:off\n')
  t.end()
})

t.test('the rest of the configuration says what was decided', (t) => {
  const has = (line: string) => t.ok(config.includes(`\n  ${line}\n`), line)
  has('bind ipv4@0.0.0.0:80')
  has('bind ipv4@0.0.0.0:443 ssl crt /r/certs/default.pem crt-list /r/certs/crt-list alpn h2,http/1.1')
  has('ssl-default-bind-options ssl-min-ver TLSv1.2')
  has('chroot /r/run/jail')
  has('stats socket /r/run/admin.sock mode 600 level admin')
  has('server control_plane unix@/log.sock log-proto octet-count')
  has('server control_plane 127.0.0.1:5000')
  has('timeout connect 5000')
  has('timeout server 30000')
  has('timeout tunnel 55000')
  has('http-response set-timeout server 55000')
  has('timeout http-request 10000')
  has('timeout http-keep-alive 75000')
  has('timeout server 1800000')
  has('retry-on conn-failure empty-response')
  has('http-reuse safe')
  has('default_backend no_app')
  for (const state of Object.keys(statePages)) t.match(config, new RegExp(`\nbackend state_${state} from answers\n`))
  const order = [
    'del-header connection',
    'del-header x-forwarded- ',
    'add-header x-forwarded-for',
    'set-header connection close',
  ]
  const places = order.map((part) => config.indexOf(part))
  t.notOk(places.includes(-1))
  t.strictSame(
    places,
    [...places].sort((a, b) => a - b),
    'hop-by-hop headers go before ours are set',
  )
  t.equal(renderConfig(placement, settings, paths), config, 'the same bytes each time')
  t.end()
})

t.test('the mark changes with everything but the table', (t) => {
  const mark = configMark(3, settings, paths)
  t.match(config, new RegExp(`\n  description ${mark}\n`))
  t.equal(mark, configMark(3, { ...settings }, paths))
  t.not(mark, configMark(6, settings, paths))
  t.not(mark, configMark(3, { ...settings, idleTimeoutMs: 1 }, paths))
  t.end()
})

t.test('pages are whole, small, and print nothing that a client sent', (t) => {
  const pages = [...renderPages(paths)]
  t.equal(pages.length, 8)
  for (const [name, text] of pages) {
    t.match(text, /^<!DOCTYPE html>[\s\S]*<\/html>\n$/, name)
    t.ok(text.length < 2000, name)
    const filled = [...text.matchAll(/%\[([^\]]*)\]/g)].map(([, expression]) => expression)
    const allowed = ['unique-id', 'txn.sess_term_state,map_str(/r/maps/codes.map,H99)']
    t.strictSame(
      filled.filter((expression) => !allowed.includes(expression ?? '')),
      [],
      name,
    )
    t.notMatch(text.replace(/%\[[^\]]*\]/g, ''), /%/, `${name} has no stray per cent sign`)
  }
  t.match(renderPage(statePages.maintenance), /Code H80/)
  t.notMatch(renderPage(statePages['no-release']), /Code/)
  t.end()
})

t.test('what the container needs is said', (t) => {
  const router = createRouter(settings)
  t.strictSame(router.command, [
    'haproxy',
    '-W',
    '-db',
    '-S',
    '/r/run/master.sock,mode,600,level,admin',
    '-f',
    '/r/haproxy.cfg',
  ])
  t.strictSame(routerCapabilities, ['NET_BIND_SERVICE', 'SETUID', 'SETGID', 'SYS_CHROOT', 'KILL'])
  t.throws(() => createRouter({ ...settings, dir: `/${'deep/'.repeat(30)}` }), /too deep/)
  t.throws(() => createRouter({ ...settings, dir: '/with space' }), /may only have/)
  t.end()
})

t.test('replies are read', (t) => {
  t.strictSame(parseInfo('Name: HAProxy\nPid: 9\nStart_time_sec: 1795417286\ndescription: abc\n'), {
    pid: 9,
    identity: '9@1795417286',
    mark: 'abc',
  })
  t.throws(() => parseInfo('Unknown command'))
  t.strictSame(
    [...parseMap('0x7f7e80 api.localhost platform\n0x7f4000 slot_0 up:a:b\n\n')],
    [
      ['api.localhost', 'platform'],
      ['slot_0', 'up:a:b'],
    ],
  )
  const servers = `1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_port
9 platform 1 control_plane 127.0.0.1 2 0 5000
9 successor 1 relay - 2 0 0
10 slot_0 1 web.1_a 10.0.0.2 2 0 5000
10 slot_0 2 web.1_b 10.0.0.3 0 1 5001
10 slot_0 3 web.1_c 10.0.0.4 2 8 5002

`
  t.strictSame(parseServers(servers), {
    servers: new Map([['slot_0/web.1_a', '10.0.0.2:5000']]),
    parked: new Set(['slot_0/web.1_b', 'slot_0/web.1_c']),
  })
  t.strictSame(
    parseCertList('# /r/certs/crt-list\n/r/certs/a.pem a.localhost\n/r/certs/b.pem b.localhost\n'),
    new Set(['/r/certs/a.pem', '/r/certs/b.pem']),
  )
  const stat = '# pxname,svname,qcur,qmax,scur,smax\nslot_0,web.1_a,1,0,2,9\nslot_0,web.1_b,0,0,,9\n'
  t.equal(parseSessions(stat, 'web.1_a'), 3)
  t.equal(parseSessions(stat, 'web.1_b'), 0)
  t.equal(parseSessions('No such proxy.\n', 'web.1_a'), 0)
  const proc = `#<PID>          <type>          <reloads>       <uptime>        <version>
1               master          1 [failed: 0]   0d00h00m01s     3.0.11
# workers
12              worker          0               0d00h00m00s     3.0.11
# old workers
8               worker          1               0d00h00m01s     3.0.11
# programs
`
  t.strictSame(parseProcesses(proc), { current: [12], leaving: [8] })
  t.end()
})
