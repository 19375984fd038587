// Goal: code that runs in a build or a dyno reaches nothing but its own, and gets no rights of the machine.
// Method: an app whose build, release command, one-off dyno and web dyno each try some 150 ways out and say how it went,
// while what they aim at is up: a neighbour with a database, listeners on every address of this machine, the control plane,
// and a stand-in for a cloud's metadata service. That the targets can be reached is shown from where they may be.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { subnetPlan } from '../../server/model/subnets.js'
import { type StandIn, standInForMetadata } from '../support/metadata-stand-in.js'
import { probeRights } from '../support/profile.js'
import { startWorld, until, type World } from '../support/world.js'
import { expectKeptIn, readReport } from './probe-report.js'

t.setTimeout(400_000)

let world: World
let repo: string
let standIn: StandIn
let targets: string[]
let pushed = ''
const app = 'probe-app'
const neighbour = 'neighbour-app'
// Whoever tries the port may leave as rudely as it likes.
const tcp = createServer((socket) => socket.on('error', () => {}).end('hello'))
const udp = createSocket('udp4', (_, from) => udp.send('hello', from.port, from.address))

/** As the probe calls them. */
const names = () => targets.map((target) => target.replaceAll(' ', '/').replaceAll(':', '_'))
const dynoWritable = ['/app', '/dev/mqueue', '/dev/shm', '/run/lock', '/tmp', '/var/tmp']

t.before(async () => {
  world = await startWorld()
  standIn = await standInForMetadata()
  tcp.listen(0, '::')
  udp.bind(0, '0.0.0.0')
  await Promise.all([once(tcp, 'listening'), once(udp, 'listening')])
  const other = await world.checkout('procfile', neighbour)
  await world.api('POST', `/apps/${neighbour}/addons`, { plan: 'heroku-postgresql:essential-0' })
  const first = await world.push(other)
  if (first.code !== 0) throw new Error(first.output)
  repo = await world.checkout('probe', app)
  targets = await listTargets()
  await world.api('PATCH', `/apps/${app}/config-vars`, {
    PROBE_BUILD: 'all',
    PROBE_RELEASE: 'all',
    PROBE_TARGETS: JSON.stringify(targets),
    PROBE_HOST_PIDS: JSON.stringify([process.pid, world.pid()]),
    PROBE_HOST_PATHS: JSON.stringify([
      '/var/run/docker.sock',
      '/run/docker.sock',
      '/run/containerd',
      '/var/lib/docker',
      world.config.dataDir,
      path.join(world.config.dataDir, 'secret.key'),
    ]),
  })
  const done = await world.push(repo)
  pushed = done.output
  if (done.code !== 0) throw new Error(pushed)
})
t.teardown(async () => {
  tcp.close()
  udp.close()
  await standIn?.remove()
  await world.stop()
})

function hostAddresses(): string[] {
  const plan = subnetPlan(world.config.subnets)
  const gateways = [plan.dynos, plan.builds].map((subnet) => subnet.replace(/\.0\/\d+$/, '.1'))
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const own = [
    ...all.filter((a) => !a.internal && a.family === 'IPv4').map((a) => a.address),
    // As many as there are bridges, and all alike: containers have no IPv6.
    ...all
      .filter((a) => !a.internal && a.family === 'IPv6')
      .map((a) => a.address)
      .slice(0, 4),
  ]
  return [...new Set([...own, ...gateways])]
}

/** By label; its address on every network it has joined. */
async function addressesOf(labels: Readonly<Record<string, string>>): Promise<{ address: string; port: string }[]> {
  const found = await world.engine.listContainers({ 'paas.instance': world.config.instance, ...labels })
  return found.flatMap((c) =>
    Object.values(c.addresses)
      .filter((address) => address !== '')
      .map((address) => ({ address, port: c.labels['paas.port'] ?? '5432' })),
  )
}

async function listTargets(): Promise<string[]> {
  const { id } = await world.api<{ id: string }>('GET', `/apps/${neighbour}`)
  const dynos = await addressesOf({ 'paas.kind': 'dyno', 'paas.app': id })
  const databases = await addressesOf({ 'paas.kind': 'add-on' })
  if (dynos.length < 2 || databases.length === 0) throw new Error('the neighbour is not as expected')
  const { apiPort, rendezvous, httpPort, httpsPort } = world.config
  const ports = [(tcp.address() as AddressInfo).port, apiPort, rendezvous.port, httpPort, httpsPort, 2375, 2376]
  const list = [
    ...hostAddresses().flatMap((address) => [
      ...ports.map((port) => `tcp ${address} ${port}`),
      ...(address.includes(':') ? [] : [`udp ${address} ${udp.address().port}`]),
    ]),
    ...dynos.map(({ address, port }) => `tcp ${address} ${port}`),
    ...databases.flatMap(({ address, port }) => [`tcp ${address} ${port}`]),
    `tcp ${standIn.address} 80`,
    `tcp 127.0.0.1 ${apiPort}`,
    `tcp 127.0.0.1 ${rendezvous.port}`,
  ]
  return list
}

t.test('what the probe aims at is there', async (t) => {
  const network = `${world.config.instance}-open`
  const labels = { 'paas.instance': world.config.instance, 'paas.kind': 'probe' }
  const plan = subnetPlan(world.config.subnets)
  // A bridge without our rules: what is reached from it is up, and kept from dynos by the rules alone.
  await world.engine.ensureNetwork({ name: network, labels, subnet: plan.appNetwork(plan.appNetworkCount - 1) })
  const dyno = (await world.engine.listContainers({ 'paas.instance': world.config.instance, 'paas.kind': 'dyno' }))[0]
  const id = await world.engine.createContainer({
    name: `${world.config.instance}-open-probe`,
    image: dyno?.image ?? '',
    command: ['sleep', '120'],
    init: true,
    labels,
    network: [{ network }],
    ...probeRights,
  })
  await world.engine.startContainer(id)
  const gateway = plan.dynos.replace(/\.0\/\d+$/, '.1')
  const aims = [
    `tcp ${gateway} ${(tcp.address() as AddressInfo).port}`,
    `udp ${gateway} ${udp.address().port}`,
    `tcp ${standIn.address} 80`,
  ]
  const { stdout } = await world.engine.run(id, {
    command: ['python3', '/app/probe.py', 'network'],
    env: { PROBE_TARGETS: JSON.stringify(aims) },
  })
  t.equal(readReport(stdout).gotThrough.length, 3, stdout)
  const [database] = await addressesOf({ 'paas.kind': 'add-on' })
  const own = await world.paas([
    'run',
    '--app',
    neighbour,
    '--no-tty',
    '--',
    `exec 3<>/dev/tcp/${database?.address}/5432 && echo reached`,
  ])
  t.match(own.stdout, /reached/, own.output)
})

t.test('a build is kept in', async (t) => {
  const [build = ''] = pushed.split(/Release command/)
  expectKeptIn(t, build, { writable: [...dynoWritable, '/layers'], targets: names() })
})

t.test('a release command is kept in', async (t) => {
  const [, command = ''] = pushed.split(/Release command/)
  expectKeptIn(t, command, { writable: dynoWritable, targets: names() })
})

t.test('a one-off dyno is kept in', async (t) => {
  const ran = await world.paas(['run', '--app', app, '--no-tty', '--', 'python3 probe.py all'])
  t.equal(ran.code, 0, ran.output)
  expectKeptIn(t, ran.stdout, { writable: dynoWritable, targets: names() })
})

t.test('a web dyno is kept in', async (t) => {
  const reply = await until('the probe to answer', async () => {
    const found = await world.get(app, '/all')
    return found.status === 200 && found
  })
  expectKeptIn(t, reply.body, { writable: dynoWritable, targets: names() })
})

t.test('API, git, rendezvous and database of the platform listen on this machine’s own addresses only', async (t) => {
  const { readFile } = await import('node:fs/promises')
  const listening = (await Promise.all(['tcp', 'tcp6'].map((f) => readFile(`/proc/net/${f}`, 'utf8'))))
    .join('\n')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === '0A')
    .map((fields) => fields[1] ?? '')
  for (const port of [world.config.apiPort, world.config.rendezvous.port]) {
    const at = listening.filter((where) => Number.parseInt(where.split(':')[1] ?? '', 16) === port)
    t.strictSame(at, [`0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`])
  }
})
