/** From a route table to slots, and from one layout to the next in commands. */
import fc from 'fast-check'
import t from 'tap'
import type { AppRoutes, RouteState } from '../../../server/model/route-table.js'
import { changes } from '../../../server/router/changes.js'
import { checkTable } from '../../../server/router/check-table.js'
import { type Layout, layoutOf, nextLayout } from '../../../server/router/layout.js'
import { routerPaths } from '../../../server/router/paths.js'
import { emptyPlacement, type Placement, place } from '../../../server/router/placement.js'

const paths = routerPaths('/r')
const hosts = paths.hostsMap
const slots = paths.slotsMap

function app(name: string, servers: string[] = [], state: RouteState = 'up', names?: string[]): AppRoutes {
  return {
    appId: `id-${name}`,
    appName: name,
    hosts: names ?? [`${name}.localhost`],
    state,
    backends: servers.map((server, i) => ({
      name: server,
      dyno: server.split('_')[0] ?? '',
      address: '10.0.0.1',
      port: 5000 + i,
    })),
  }
}

function seated(...apps: AppRoutes[]): Placement {
  return place(emptyPlacement(4), { version: 1, apps }, { now: 0, restMs: 0, occupied: new Set() })
}

function laidOut(...apps: AppRoutes[]): Layout {
  return layoutOf(seated(...apps), 'localhost')
}

/** One by one also where several share a line. */
function commandsOf(from: Layout, to: Layout, parked: ReadonlySet<string>): string[] {
  return changes(from, to, parked, paths).flatMap((line) => line.split('; '))
}

/** Commands without the long tail of options and with short names for the files. */
function commands(from: Layout, to: Layout, parked: string[] = []): string[] {
  return commandsOf(from, to, new Set(parked)).map((command) =>
    command
      .replace(/ check inter .*/, ' …')
      .replace(hosts, 'hosts')
      .replace(slots, 'slots'),
  )
}

function sorted(layout: Layout): unknown {
  return [layout.hosts, layout.slots, layout.servers].map((map) => [...map].sort())
}

/** As much of HAProxy as the commands touch. */
class ModelRouter implements Layout {
  readonly hosts: Map<string, string>
  readonly slots: Map<string, string>
  readonly servers = new Map<string, string>()
  readonly parked = new Set<string>()
  readonly #addresses = new Map<string, string>()

  constructor(from: Layout) {
    this.hosts = new Map(from.hosts)
    this.slots = new Map(from.slots)
  }

  run(command: string): void {
    const [verb = '', what, name = '', a = '', b = ''] = command.split(' ')
    const map = name === hosts ? this.hosts : this.slots
    if (what === 'map' && verb === 'del') map.delete(a)
    else if (what === 'map') map.set(a, b)
    else if (command.startsWith('add server')) this.#addresses.set(name, a)
    else if (command.startsWith('enable server')) this.servers.set(name, this.#addresses.get(name) ?? '')
    else if (a === 'addr') this.#move(name, `${b}:${command.split(' ')[6]}`)
    else if (a === 'state' && b === 'ready') {
      this.parked.delete(name)
      this.servers.set(name, this.#addresses.get(name) ?? '')
    } else if (a === 'state') {
      this.parked.add(name)
      this.servers.delete(name)
    } else if (verb !== 'enable') throw new Error(`unexpected ${command}`)
  }

  #move(server: string, address: string): void {
    this.#addresses.set(server, address)
    if (this.servers.has(server)) this.servers.set(server, address)
  }
}

t.test('a table that could not be written down safely is refused', (t) => {
  const fine = app('one', ['web.1_a'])
  const backend = { name: 'web.1_a', dyno: 'web.1', address: '10.0.0.1', port: 5000 }
  const bad: [string, AppRoutes[]][] = [
    ['is not an app id', [{ ...fine, appId: 'a b' }]],
    ['is not an app id', [{ ...fine, appId: '' }]],
    ['is not an app name', [{ ...fine, appName: 'One:x' }]],
    ['is not a state', [{ ...fine, state: 'up:x' as RouteState }]],
    ['is listed twice', [fine, { ...fine, hosts: [] }]],
    ['is not a host name', [{ ...fine, hosts: ['One.localhost'] }]],
    ['is not a host name', [{ ...fine, hosts: ['one.localhost\nx slot_1'] }]],
    ['is not a host name', [{ ...fine, hosts: ['one localhost'] }]],
    ['is not a host name', [{ ...fine, hosts: ['a.*.com'] }]],
    ['is not a host name', [{ ...fine, hosts: ['../../etc'] }]],
    ['is not a host name', [{ ...fine, hosts: [`${'a.'.repeat(130)}com`] }]],
    ['belongs to app one', [fine, app('two', [], 'up', ['one.localhost'])]],
    ['belongs to the platform', [app('two', [], 'up', ['api.localhost'])]],
    ['is not an IPv4 address', [{ ...fine, backends: [{ ...backend, address: 'evil.example' }] }]],
    ['is not an IPv4 address', [{ ...fine, backends: [{ ...backend, address: '10.0.0.1:80 backup' }] }]],
    ['is not a port', [{ ...fine, backends: [{ ...backend, port: 0 }] }]],
    ['is not a port', [{ ...fine, backends: [{ ...backend, port: 80.5 }] }]],
    ['is not a dyno', [{ ...fine, backends: [{ ...backend, dyno: 'web' }] }]],
    ['must be named', [{ ...fine, backends: [{ ...backend, name: 'web.1_a b' }] }]],
    ['must be named', [{ ...fine, backends: [{ ...backend, name: 'web.2_a' }] }]],
    ['is listed twice', [{ ...fine, backends: [backend, { ...backend, port: 1 }] }]],
  ]
  for (const [message, apps] of bad)
    t.throws(
      () => checkTable({ version: 1, apps }, 'localhost'),
      { kind: 'invalid', message: new RegExp(message) },
      message,
    )
  t.doesNotThrow(() =>
    checkTable(
      { version: 0, apps: [app('one', ['web.1', 'web.2_3f2a9c'], 'up', ['*.example.com', 'xn--bcher-kva.example'])] },
      'localhost',
    ),
  )
  t.end()
})

t.test('an app keeps its slot; a slot that was left rests until it is empty and some time has gone by', (t) => {
  const rules = { now: 1000, restMs: 500, occupied: new Set<number>() }
  const slotsOf = (placement: Placement) => placement.apps.map((placed) => `${placed.appName}:${placed.slot}`).join(' ')
  const first = place(emptyPlacement(2), { version: 1, apps: [app('a'), app('b')] }, rules)
  t.equal(slotsOf(first), 'a:0 b:1')
  const second = place(first, { version: 2, apps: [app('c'), app('b')] }, rules)
  t.equal(slotsOf(second), 'b:1 c:2', "c doesn't get a's slot yet")
  t.equal(second.slotCount, 4, 'so the row doubles')
  t.strictSame(second.resting, [{ slot: 0, appId: 'id-a', since: 1000 }])
  const back = place(second, { version: 3, apps: [app('a'), app('b'), app('c')] }, { ...rules, now: 1100 })
  t.equal(slotsOf(back), 'a:0 b:1 c:2', 'a comes back to its own')
  const busy = place(
    second,
    { version: 3, apps: [app('b'), app('c'), app('d')] },
    { now: 9000, restMs: 500, occupied: new Set([0]) },
  )
  t.equal(slotsOf(busy), 'b:1 c:2 d:3', 'a server is still draining in slot 0')
  const free = place(
    second,
    { version: 3, apps: [app('b'), app('c'), app('d')] },
    { now: 9000, restMs: 500, occupied: new Set() },
  )
  t.equal(slotsOf(free), 'd:0 b:1 c:2')
  t.strictSame(free.resting, [])
  const many = place(first, { version: 2, apps: Array.from({ length: 9 }, (_, i) => app(`x${i}`)) }, rules)
  t.equal(many.slotCount, 16)
  t.end()
})

t.test('changes come in the order that keeps every request whole', (t) => {
  const none = laidOut()
  const booting = laidOut(app('one', [], 'booting'))
  const one = laidOut(app('one', ['web.1_a']))
  const next = laidOut(app('one', ['web.1_b']))
  t.strictSame(commands(none, one), [
    'add server slot_0/web.1_a 10.0.0.1:5000 …',
    'enable health slot_0/web.1_a',
    'enable server slot_0/web.1_a',
    'add map slots slot_0 up:id-one:one',
    'add map hosts one.localhost slot_0',
  ])
  t.strictSame(commands(booting, one).slice(3), ['set map slots slot_0 up:id-one:one'])
  t.strictSame(
    commands(one, next).slice(-2),
    ['enable server slot_0/web.1_b', 'set server slot_0/web.1_a state maint'],
    'new before old',
  )
  t.strictSame(commands(one, none), [
    'del map hosts one.localhost',
    'del map slots slot_0',
    'set server slot_0/web.1_a state maint',
  ])
  t.strictSame(commands(one, laidOut(app('one', ['web.1_a'], 'maintenance'))), [
    'set map slots slot_0 maintenance:id-one:one',
  ])
  t.strictSame(
    commands(next, one, ['slot_0/web.1_a']),
    [
      'set server slot_0/web.1_a addr 10.0.0.1 port 5000',
      'enable health slot_0/web.1_a',
      'enable server slot_0/web.1_a',
      'set server slot_0/web.1_b state maint',
    ],
    'a parked server is taken back',
  )
  const renamed = laidOut({ ...app('one', ['web.1_a']), appName: 'uno' })
  t.strictSame(commands(one, renamed), ['set map slots slot_0 up:id-one:uno'])
  t.strictSame(commands(one, one), [])
  t.match(changes(none, one, new Set(), paths)[0], / pool-max-conn 128 pool-purge-delay 100ms pool-conn-name /)
  t.end()
})

t.test('at no step does a host lead to another app, or an up app to no server it should have', (t) => {
  const names = ['a', 'b', 'c', 'd']
  const table = fc.array(
    fc.record({
      name: fc.constantFrom(...names),
      up: fc.boolean(),
      servers: fc.uniqueArray(fc.constantFrom('web.1_x', 'web.1_y', 'web.2_x'), { maxLength: 3 }),
      host: fc.constantFrom('h1.example', 'h2.example', 'h3.example'),
    }),
    { maxLength: 4 },
  )
  // As the control plane's: what has not changed is the same object.
  const made = new Map<string, AppRoutes>()
  const theSame = (one: AppRoutes): AppRoutes => {
    const key = JSON.stringify(one)
    const kept = made.get(key) ?? one
    made.set(key, kept)
    return kept
  }
  const toApps = (rows: { name: string; up: boolean; servers: string[]; host: string }[]): AppRoutes[] => {
    const owned = new Set<string>()
    const known = new Set<string>()
    return rows.flatMap(({ name, up, servers, host }) => {
      if (known.has(name)) return []
      known.add(name)
      const extra = owned.has(host) ? [] : [host]
      owned.add(host)
      const state = up && servers.length > 0 ? 'up' : 'booting'
      return [theSame(app(name, servers, state, [`${name}.localhost`, ...extra]))]
    })
  }
  fc.assert(
    fc.property(fc.array(table, { minLength: 2, maxLength: 6 }), (tables) => {
      let placement = emptyPlacement(2)
      let layout = layoutOf(placement, 'localhost')
      const model = new ModelRouter(layout)
      tables.map(toApps).forEach((apps, i) => {
        const before = placement
        placement = place(placement, { version: i + 1, apps }, { now: i, restMs: 1, occupied: new Set() })
        const from = layout
        const to = nextLayout(placement, 'localhost', before, from)
        layout = to
        if (JSON.stringify(sorted(to)) !== JSON.stringify(sorted(layoutOf(placement, 'localhost'))))
          throw new Error('laid out in another way than afresh')
        for (const command of commandsOf(from, to, model.parked)) {
          model.run(command)
          for (const [host, slot] of model.hosts) {
            const owners = [from, to].map((l) =>
              l.hosts.get(host) === slot ? (l.slots.get(slot) ?? '').split(':')[1] : undefined,
            )
            const answering = model.slots.get(slot)?.split(':')[1]
            if (answering !== undefined && !owners.includes(answering)) throw new Error(`${host} led to ${answering}`)
            const canServe = [...model.servers.keys()].some((server) => server.startsWith(`${slot}/`))
            if (model.slots.get(slot)?.startsWith('up:') && slot !== 'platform' && !canServe)
              throw new Error(`${host} had no server`)
          }
        }
        if (JSON.stringify(sorted(model)) !== JSON.stringify(sorted(to)))
          throw new Error('the commands did not lead there')
      })
    }),
  )
  t.end()
})
