/** A push, cut short at every step from its first row to its tidying. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Test as Tap } from 'tap'
import { type Ran, until } from '../support/world.js'
import { type CrashWorld, type Scenario, subject } from './crash-world.js'
import { commanded, pushCommanded } from './loop.js'
import type { points } from './points.js'
import type { PlatformState } from './platform-state.js'

let before = ''
let commit = ''
let pushed: Ran | undefined
let newcomer = ''
let count = 0

async function pushSubject(c: CrashWorld): Promise<void> {
  const found = await c.world.git(['ls-remote', 'paas', 'refs/heads/master'], c.repo)
  before = found.stdout.split(/\s/)[0] ?? ''
  commit = await c.change(c.repo, 'Something new')
  pushed = undefined
  pushed = await c.world.push(c.repo)
}

const branchOf = (state: PlatformState, app: string) => state.apps.find((one) => one.name === app)?.branches.master

/** The pusher heard no yes, and nothing has changed. */
async function isRefused(t: Tap, _: CrashWorld, __: string, state: PlatformState): Promise<void> {
  t.not(pushed?.code, 0, 'git told its user that it failed')
  t.equal(branchOf(state, subject), before, 'and the branch is where it was')
}

/** The release was live, so the branch follows, and who pushes again hears that nothing is left to push. */
async function isAccepted(t: Tap, c: CrashWorld, _: string, state: PlatformState): Promise<void> {
  t.equal(branchOf(state, subject), commit, 'the branch names what is live')
  const again = await c.world.push(c.repo)
  t.equal(again.code, 0)
  t.match(again.output, /Everything up-to-date/)
}

async function readLayers(c: CrashWorld): Promise<void> {
  const record = path.join(c.world.config.dataDir, 'builds', 'apps', await c.idOf(subject), 'layers.json')
  await until('the layers to be kept', async () => (await readFile(record, 'utf8')) !== '')
}

const commandedRepo = (c: CrashWorld) => path.join(c.world.dir, 'repos', commanded)

const procfileOf = (c: CrashWorld) => path.join(c.repo, 'Procfile')
let procfile = ''

/** At `cache.taking-back` a build has failed, and what it had borrowed goes back. */
async function breakBuild(c: CrashWorld): Promise<void> {
  procfile = await readFile(procfileOf(c), 'utf8')
  await rm(procfileOf(c))
  await writeFile(path.join(c.repo, 'app.json'), '{}')
}

export const pushScenarios: Readonly<Record<keyof (typeof points)['push'], Scenario>> = {
  refused: { act: pushSubject, after: isRefused },
  borrowing: {
    // There is something to borrow only after a build that ended well.
    prepare: async (c) => {
      await pushSubject(c)
      await readLayers(c)
    },
    act: pushSubject,
    after: isRefused,
  },
  accepted: { act: pushSubject, after: isAccepted },
  tidying: { act: pushSubject },
  failing: {
    prepare: breakBuild,
    act: pushSubject,
    after: async (t, c, point, state) => {
      await isRefused(t, c, point, state)
      await writeFile(procfileOf(c), procfile)
    },
  },
  commanded: {
    prepare: async (c) => {
      const apps = await c.world.api<{ name: string }[]>('GET', '/apps')
      if (!apps.some((app) => app.name === commanded)) await pushCommanded(c)
      before = await c.head(commandedRepo(c))
    },
    act: async (c) => {
      await c.change(commandedRepo(c), 'Something new')
      pushed = undefined
      pushed = await c.world.push(commandedRepo(c))
    },
    after: async (t, c, _, state) => {
      t.not(pushed?.code, 0, 'git told its user that it failed')
      t.equal(branchOf(state, commanded), before, 'and the branch is where it was')
      await c.world.git(['reset', '-q', '--hard', before], commandedRepo(c))
    },
  },
  first: {
    prepare: async (c) => {
      newcomer = `newcomer-${++count}`
      await c.world.checkout('whoami', newcomer)
      c.prober.watch(newcomer)
    },
    act: async (c) => {
      pushed = await c.world.push(path.join(c.world.dir, 'repos', newcomer))
    },
    after: async (t, c) => {
      t.not(pushed?.code, 0)
      const again = await c.world.push(path.join(c.world.dir, 'repos', newcomer))
      t.equal(again.code, 0, `and the first push works after all:\n${again.output}`)
      await c.world.api('DELETE', `/apps/${newcomer}`)
    },
  },
  branch: {
    // The control plane that dies is one that finds a branch left behind, at its start.
    prepare: async (c) => {
      await c.world.endControlPlane('SIGKILL')
      await c.world.startControlPlane({ PAAS_FAILPOINT: 'push.before-build-finished' })
      await pushSubject(c)
      await c.world.controlPlaneEnded()
    },
    act: async () => {},
    after: isAccepted,
  },
}
