/**
 * What must hold of a platform whenever it has come to rest, whatever died before: rows, containers, their environment, the
 * route table, git's branches, images, folders and networks tell the same story, and nothing is under way.
 */
import type { Test as Tap } from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import { appLinkName, appNetworkName } from '../../server/addons/app-network.js'
import { type Database, throughOutages } from '../../server/store/database.js'
import type { World } from '../support/world.js'
import { type AppState, type PlatformState, readState, type ReleaseRow } from './platform-state.js'

export interface Checked {
  readonly world: World
  readonly rows: Database
}

/** The invariants of REL-1 are said to hold this long after a fault at the latest. */
const withinMs = 60_000
const pollMs = 150

/** Waits until everything holds; what doesn't in time fails the test, a line each. */
export async function holds(t: Tap, { world, rows }: Checked, what: string): Promise<PlatformState> {
  const deadline = Date.now() + withinMs
  for (;;) {
    // The database may still be on its way back.
    const state = await throughOutages(() => readState(world, rows))
    const broken = brokenIn(state, world, rows)
    if (broken.length === 0 || Date.now() > deadline) {
      t.same(broken, [], what)
      return state
    }
    await delay(pollMs)
  }
}

function brokenIn(state: PlatformState, world: World, rows: Database): string[] {
  const known = new Set(state.apps.map((app) => app.id))
  return [
    ...state.apps.flatMap((app) => [
      ...unfinished(app),
      ...wrongVersions(app),
      ...wrongDynos(app, state),
      ...wrongEnvironment(app, state, rows),
      ...wrongRoutes(app, state),
      ...wrongAnswer(app),
      ...wrongBranches(app),
      ...wrongImages(app, state),
      ...wrongNetworks(app, state, world),
    ]),
    ...state.addOns.flatMap((addOn) => wrongAddOn(addOn, state, world)),
    ...orphans(state, known),
  ]
}

const targetOf = (app: AppState) => app.releases.filter((r) => r.status !== 'failed').at(-1)
const currentOf = (app: AppState) => app.releases.filter((r) => r.status === 'succeeded').at(-1)

/** I2: nothing is under way. */
function unfinished(app: AppState): string[] {
  return [
    ...(app.isDestroyed ? [`${app.name} is half destroyed`] : []),
    ...app.builds.filter((b) => b.status === 'pending').map((b) => `${app.name}: build ${b.id} is pending`),
    ...app.releases.filter((r) => r.status === 'pending').map((r) => `${app.name}: v${r.version} is pending`),
    ...app.oneOffs
      .filter((o) => o.state !== 'ended' && o.state !== 'up')
      .map((o) => `${app.name}: run.${o.number} is ${o.state}`),
  ]
}

/** I3: versions without gaps; a build that succeeded has a live release, one that failed has none of its own. */
function wrongVersions(app: AppState): string[] {
  const versions = app.releases.map((r) => r.version)
  const isDense = versions.every((version, at) => version === at + 1)
  const outcomes = app.builds.flatMap((build) => {
    const release = app.releases.find((r) => r.id === build.release_id)
    const expected = build.status === 'succeeded' ? 'succeeded' : 'failed'
    return release === undefined
      ? build.status === 'succeeded'
        ? ['no release']
        : []
      : [`${release.status}/${expected}`]
  })
  return [
    ...(isDense ? [] : [`${app.name}: versions are ${versions.join(',')}`]),
    ...outcomes
      .filter((o) => o !== 'succeeded/succeeded' && o !== 'failed/failed')
      .map((o) => `${app.name}: a build and its release disagree: ${o}`),
  ]
}

interface Wanted {
  readonly dyno: string
  readonly release: ReleaseRow
  readonly generation: string
}

function wantedOf(app: AppState): Wanted[] {
  const release = currentOf(app)
  if (release?.slug_id == null || app.isDestroyed) return []
  return app.formation
    .filter(({ type }) => release.process_types[type] !== undefined && type !== 'release')
    .flatMap(({ type, quantity }) =>
      Array.from({ length: quantity }, (_, index) => {
        const dyno = `${type}.${index + 1}`
        const asked = app.restarts
          .filter((r) => ['', type, dyno].includes(r.name) && r.restarted_at > release.created_at)
          .map((r) => r.restarted_at.getTime())
        return { dyno, release, generation: asked.length === 0 ? '0' : String(Math.max(...asked)) }
      }),
    )
}

const ofApp = (state: PlatformState, app: AppState, kind: string) =>
  state.containers.filter((c) => c.labels['paas.app'] === app.id && c.labels['paas.kind'] === kind)

/** I6 and I7: exactly one running container for each dyno that rows want, and none besides. */
function wrongDynos(app: AppState, state: PlatformState): string[] {
  const line = (dyno: string, release: string, generation: string) => `${dyno} of ${release} (${generation})`
  const wanted = wantedOf(app).map((w) => line(w.dyno, w.release.id, w.generation))
  const found = ofApp(state, app, 'dyno').map((c) =>
    c.state === 'running'
      ? line(c.labels['paas.dyno'] ?? '', c.labels['paas.release'] ?? '', c.labels['paas.generation'] ?? '')
      : `${c.name} is ${c.state}`,
  )
  const upOnes = app.oneOffs.filter((o) => o.state === 'up').map((o) => o.id)
  const oneOffs = ofApp(state, app, 'one-off').map((c) => c.labels['paas.one-off'] ?? '')
  return [
    ...differences(wanted, found, `${app.name}: dyno`),
    ...differences(upOnes, oneOffs, `${app.name}: one-off dyno`),
    ...ofApp(state, app, 'sandbox').map((c) => `${app.name}: a sandbox is left: ${c.name}`),
    ...ofApp(state, app, 'release').map((c) => `${app.name}: a release command's container is left: ${c.name}`),
  ]
}

function differences(wanted: readonly string[], found: readonly string[], what: string): string[] {
  const counts = new Map<string, number>()
  for (const one of wanted) counts.set(one, (counts.get(one) ?? 0) + 1)
  for (const one of found) counts.set(one, (counts.get(one) ?? 0) - 1)
  return [...counts].flatMap(([one, n]) =>
    n === 0 ? [] : [`${what} ${one} is ${n > 0 ? 'missing' : 'there for no row'}`],
  )
}

/** What a dyno finds in its environment besides its config vars. */
const givenByPlatform =
  /^(?:PATH|LANG|LC_ALL|HOME|PORT|DYNO|STACK|HEROKU_\w+|PG\w+|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|REQUESTS_CA_BUNDLE|PYTHON\w+|DEBIAN_\w+|TZ|PAAS_STACK)$/

/** I8: what runs has the config vars of its release, all of them and no others. */
function wrongEnvironment(app: AppState, state: PlatformState, rows: Database): string[] {
  return ofApp(state, app, 'dyno').flatMap((c) => {
    const release = app.releases.find((r) => r.id === c.labels['paas.release'])
    if (release === undefined || c.detail === undefined) return []
    const expected = Object.entries(release.config_vars).map(
      ([name, sealed]) => `${name}=${rows.sealer.unseal(sealed, `config:${app.id}:${name}`)}`,
    )
    const names = new Set(Object.keys(release.config_vars))
    const has = c.detail.env.filter((pair) => {
      const name = pair.slice(0, pair.indexOf('='))
      return names.has(name) || !givenByPlatform.test(name)
    })
    return differences(expected, has, `${app.name} ${c.labels['paas.dyno']}: config var`)
  })
}

/** The published table is what rows and containers call for. */
function wrongRoutes(app: AppState, state: PlatformState): string[] {
  const routed = state.table.find((one) => one.appId === app.id)
  if (app.isDestroyed) return routed === undefined ? [] : [`${app.name} is destroyed and routed`]
  if (routed === undefined) return [`${app.name} is not in the route table`]
  const backends = routed.backends.map((b) => `${b.name} ${b.address}:${b.port}`)
  const web = ofApp(state, app, 'dyno').filter((c) => c.state === 'running' && c.labels['paas.type'] === 'web')
  const expected = web.map(
    (c) => `${c.labels['paas.dyno']}_${c.id.slice(0, 12)} ${c.labels['paas.address']}:${c.labels['paas.port']}`,
  )
  return [
    ...(routed.appName === app.name ? [] : [`${app.name} is routed as ${routed.appName}`]),
    ...differences(app.hosts, routed.hosts, `${app.name}: host`),
    ...differences(expected, backends, `${app.name}: backend`),
    ...((routed.state === 'maintenance') === app.maintenance ? [] : [`${app.name} is routed as ${routed.state}`]),
  ]
}

/** I1 and I5: the current release answers, and for no other app. */
function wrongAnswer(app: AppState): string[] {
  if (app.isDestroyed) return []
  const current = currentOf(app)
  const web = wantedOf(app).some((w) => w.dyno.startsWith('web.'))
  // A page of the router's own, which says so: nothing has been deployed yet, nothing answers, or nothing is to.
  const page = app.maintenance || current?.slug_id != null ? 503 : 404
  if (app.maintenance || !web || current === undefined)
    return app.reply?.status === page ? [] : [`${app.name} answers ${app.reply?.status} and has nothing to answer with`]
  if (app.reply?.status !== 200) return [`${app.name} answers ${app.reply?.status ?? 'nothing'}`]
  const who = JSON.parse(app.reply.body) as { app: string; version: string; commit: string }
  const commit = app.slugs.find((s) => s.id === current.slug_id)?.commit
  // A rename reaches the environment with the next release.
  return who.version === `v${current.version}` && who.commit === commit
    ? []
    : [`${app.name} is answered by ${who.version} at ${who.commit}, not v${current.version} at ${commit}`]
}

/** I9: a branch names the commit of the last deploy that went live, and the repository is whole. */
function wrongBranches(app: AppState): string[] {
  const deploys = app.releases.filter((r) => r.status === 'succeeded' && r.description.startsWith('Deploy '))
  const commit = app.slugs.find((s) => s.id === deploys.at(-1)?.slug_id)?.commit
  const found = app.branches.master
  return [
    ...(found === commit ? [] : [`${app.name}: master is ${found}, the last deploy was ${commit}`]),
    ...(app.fsck === '' ? [] : [`${app.name}: git fsck says ${app.fsck}`]),
  ]
}

function wrongImages(app: AppState, state: PlatformState): string[] {
  const wanted = app.slugs.filter((s) => s.pruned_at === null).map((s) => s.image_reference)
  const found = state.tags.filter((tag) => tag.includes(`/app-${app.id}:`))
  return differences(wanted, found, `${app.name}: image`)
}

/** The app's own, and the link it lies on, where this machine has links. */
function networksOf({ config }: World, { networkIndex }: AppState): string[] {
  return [appNetworkName, appLinkName].map((nameOf) => nameOf(config, networkIndex ?? -1))
}

function wrongNetworks(app: AppState, state: PlatformState, world: World): string[] {
  const own = state.networks.filter((n) => n.labels['paas.app'] === app.id).map((n) => n.name)
  const needed = app.attached.length > 0 && !app.isDestroyed ? networksOf(world, app) : []
  return needed.length > 0 ? differences(needed, own, `${app.name}: network`) : []
}

function wrongAddOn(addOn: PlatformState['addOns'][number], state: PlatformState, world: World): string[] {
  if (addOn.state !== 'provisioned') return [`the add-on ${addOn.name} is ${addOn.state}`]
  const server = state.containers.find((c) => c.name === `${world.config.instance}-pg-${addOn.id}`)
  const wanted = state.apps.filter((app) => app.attached.includes(addOn.id)).flatMap((app) => networksOf(world, app))
  return [
    ...(server?.state === 'running' ? [] : [`the server of ${addOn.name} is ${server?.state ?? 'missing'}`]),
    ...differences(wanted, Object.keys(server?.addresses ?? {}), `${addOn.name}: network`),
    ...(state.files.addOns.includes(addOn.id) ? [] : [`the data of ${addOn.name} is gone`]),
  ]
}

/** I6: nothing is there that no row knows. */
function orphans(state: PlatformState, known: ReadonlySet<string>): string[] {
  const addOns = new Set(state.addOns.map((a) => a.id))
  const isForeign = (id: string) => !known.has(id)
  const rooms = state.containers.filter((c) => c.labels['paas.kind'] === 'build').map((c) => c.name)
  const { files } = state
  return [
    ...state.containers
      .filter((c) => isForeign(c.labels['paas.app'] ?? [...known][0] ?? '') && c.labels['paas.app'] !== undefined)
      .map((c) => `container ${c.name} is of no app`),
    ...state.networks
      .filter((n) => n.labels['paas.app'] !== undefined && isForeign(n.labels['paas.app']))
      .map((n) => `network ${n.name} is of no app`),
    ...state.table.filter((app) => isForeign(app.appId)).map((app) => `${app.appName} is routed and has no row`),
    ...state.tags
      .filter((tag) => isForeign(/app-([0-9a-f-]{36}):/.exec(tag)?.[1] ?? ''))
      .map((tag) => `image ${tag} is of no app`),
    ...files.caches.filter(isForeign).map((id) => `build cache ${id} is of no app`),
    ...files.logs.filter(isForeign).map((id) => `log ${id} is of no app`),
    ...files.repositories
      .filter((name) => isForeign(name.replace(/\.git$/, '')))
      .map((name) => `repository ${name} is of no app`),
    ...files.addOns.filter((id) => !addOns.has(id)).map((id) => `database folder ${id} is of no add-on`),
    ...files.rooms.map((room) => `build room ${room} is left`),
    ...rooms.map((name) => `build container ${name} is left`),
    ...files.quarantines.map((name) => `quarantine ${name} is left`),
    ...files.drafts.map((name) => `draft ${name} is left`),
    ...state.gitProcesses.map((line) => `still running: ${line}`),
  ]
}

export { currentOf, targetOf }
