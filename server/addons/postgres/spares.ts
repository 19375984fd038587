/**
 * Clusters made ahead: initdb and a database take seconds, handing a finished cluster out is one rename.
 *
 * A spare is a folder `spares/<name>/` in which a throw-away container makes `data`. It gets that name when all of it is
 * on disk, so a folder without it is unfinished (or was just handed out) and is finished by making it again. There is no
 * other record: whatever a crash leaves, the next call goes on from the folders it finds.
 */
import { randomBytes } from 'node:crypto'
import { chown, mkdir, readdir, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import type { Container, Engine } from '../../engine/engine.js'
import { failpoint } from '../../lib/failpoint.js'
import { labelNames } from '../../model/labels.js'
import { exists, makeFolder, moveDurably, syncFolder } from './durable-files.js'
import { isCluster, serverUid } from './folders.js'
import { spareTenant } from './tenant.js'
import { lastLines, withinTime } from './waits.js'

export interface Spares {
  /** Moves a cluster to `target`, which must not exist: a spare if there is one, else one made for this call. */
  handOut(target: string): Promise<void>
  /** Makes spares until there are `count`, finishing unfinished ones first; removes what made them. */
  keep(count: number): Promise<void>
}

export interface SparesOptions {
  readonly engine: Engine
  readonly instance: string
  /** Image that servers and their clusters are made with. */
  readonly image: string
  readonly folder: string
  readonly timeoutMs: number
}

/**
 * Makes a cluster with a role and a database that only wait for their names (see tenant.ts). Without them the cluster
 * would do too, so what the server says to these statements isn't looked at.
 */
const makeScript = `set -eu
rm -rf "$PGDATA"
paas-postgres-init
postgres --single -D "$PGDATA" -c log_min_messages=panic postgres >/dev/null <<'END'
CREATE ROLE ${spareTenant} NOLOGIN
CREATE DATABASE ${spareTenant} OWNER ${spareTenant}
REVOKE ALL ON DATABASE ${spareTenant}, postgres, template1 FROM PUBLIC
END
sync -f "$PGDATA"
mv -T "$PGDATA" /spare/data
sync /spare`

const spareKind = 'add-on-spare'
const spareLabel = 'paas.spare'
const namePattern = /^[0-9a-f]{8}$/

export function createSpares(options: SparesOptions): Spares {
  const { engine, folder } = options
  const labels = { [labelNames.instance]: options.instance, [labelNames.kind]: spareKind }
  /** Spares that a call of this process is making or handing out. */
  const inHand = new Set<string>()

  const holding = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    inHand.add(name)
    try {
      return await work()
    } finally {
      inHand.delete(name)
    }
  }
  const dataOf = (name: string) => path.join(folder, name, 'data')
  const names = async () =>
    (await exists(folder)) ? (await readdir(folder)).filter((n) => namePattern.test(n)).sort() : []

  const makeData = async (name: string, background: boolean) => {
    const containerName = `${options.instance}-pg-spare-${name}`
    // One that an earlier process started would be at work in the same folder.
    await engine.removeContainer(containerName, { force: true })
    const home = path.join(folder, name)
    await makeFolder(folder, 0o700)
    await mkdir(home, { recursive: true })
    await chown(home, serverUid, serverUid)
    failpoint('add-on.before-spare')
    const id = await engine.createContainer(initContainer(options, labels, name, background))
    try {
      await engine.startContainer(id)
      failpoint('add-on.spare-started')
      const exitCode = await withinTime(options.timeoutMs, 'making a database cluster', engine.waitContainer(id))
      if (exitCode !== 0) throw new Error(`A database cluster couldn't be made: ${await lastLines(engine, id)}`)
      failpoint('add-on.after-spare')
    } finally {
      await engine.removeContainer(id, { force: true })
    }
    await syncFolder(folder)
  }

  const take = async (name: string, target: string): Promise<boolean> => {
    if (!(await isCluster(dataOf(name)))) return false
    failpoint('add-on.before-data')
    if (!(await moveDurably(dataOf(name), target))) return false
    failpoint('add-on.after-data')
    // An empty folder that stays would only be filled again.
    await rmdir(path.join(folder, name)).catch(() => {})
    return true
  }

  return {
    async handOut(target) {
      for (const name of await names()) if (!inHand.has(name) && (await holding(name, () => take(name, target)))) return
      const name = randomBytes(4).toString('hex')
      await holding(name, async () => {
        await makeData(name, false)
        if (!(await take(name, target))) throw new Error('a database cluster vanished right after it was made')
      })
    },
    async keep(count) {
      await sweepContainers(engine, labels, inHand)
      const found = await names()
      const complete: string[] = []
      for (const name of found) if (!inHand.has(name) && (await isCluster(dataOf(name)))) complete.push(name)
      const unfinished = found.filter((name) => !inHand.has(name) && !complete.includes(name))
      for (let missing = count - complete.length; missing > 0; missing--) {
        const name = unfinished.pop() ?? randomBytes(4).toString('hex')
        await holding(name, () => makeData(name, true))
      }
      for (const name of unfinished)
        await holding(name, () => rm(path.join(folder, name), { recursive: true, force: true }))
    },
  }
}

async function sweepContainers(
  engine: Engine,
  labels: Readonly<Record<string, string>>,
  inHand: ReadonlySet<string>,
): Promise<void> {
  const left = (await engine.listContainers(labels)).filter((c: Container) => !inHand.has(c.labels[spareLabel] ?? ''))
  for (const container of left) await engine.removeContainer(container.id, { force: true })
}

function initContainer(
  options: SparesOptions,
  labels: Readonly<Record<string, string>>,
  name: string,
  background: boolean,
) {
  return {
    name: `${options.instance}-pg-spare-${name}`,
    image: options.image,
    command: ['bash', '-c', makeScript],
    env: { PGDATA: '/spare/making' },
    user: `${serverUid}:${serverUid}`,
    labels: { ...labels, [spareLabel]: name },
    network: 'none' as const,
    mounts: [{ source: path.join(options.folder, name), target: '/spare' }],
    readOnlyRoot: true,
    tmpfs: { '/tmp': 'size=64m,mode=1777', '/run': 'size=1m,mode=1777' },
    // What nobody waits for yields to everything that somebody waits for.
    limits: { memoryBytes: 512 * 1024 ** 2, cpus: 2, pids: 64, openFiles: 4096, cpuShares: background ? 256 : 1024 },
  }
}
