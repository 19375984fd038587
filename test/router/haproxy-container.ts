/**
 * A router in a temporary folder with a real HAProxy in the router's image on the host's network, on free ports. What it
 * makes, it removes, also when the test fails.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { RouterOptions } from '../../server/router/options.js'
import { type Router, createRouter, routerCapabilities } from '../../server/router/router.js'

const run = promisify(execFile)
const image = process.env.PAAS_TEST_ROUTER_IMAGE ?? 'paas/router:dev'

export interface RouterUnderTest {
  readonly router: Router
  readonly options: RouterOptions
  readonly httpPort: number
  readonly httpsPort: number
  /** A new control plane on the same folder. */
  another(): Router
  /** Starts HAProxy and waits until it answers. */
  start(): Promise<void>
  kill(): Promise<void>
  logs(): Promise<string>
}

interface Teardown {
  teardown(fn: () => unknown): void
}

let serial = 0

/** Prepares the router; HAProxy isn't running yet. */
export async function routerUnderTest(t: Teardown, options: Partial<RouterOptions> = {}): Promise<RouterUnderTest> {
  const root = await mkdtemp(path.join(tmpdir(), 'router-test-'))
  const name = `router-test-${process.pid}-${++serial}`
  t.teardown(async () => {
    await run('docker', ['rm', '-f', name]).catch(() => {})
    await rm(root, { recursive: true, force: true })
  })
  const [httpPort = 0, httpsPort = 0, apiPort = 0] = await freePorts(3)
  const all: RouterOptions = {
    dir: path.join(root, 'router'),
    caDir: path.join(root, 'ca'),
    instance: 'router-test',
    domain: 'localhost',
    bind: '127.0.0.1',
    httpPort,
    httpsPort,
    apiPort,
    slots: 8,
    connectTimeoutMs: 1000,
    firstByteTimeoutMs: 1500,
    idleTimeoutMs: 2000,
    ...options,
  }
  const router = createRouter(all)
  await router.prepare()
  return {
    router,
    options: all,
    httpPort,
    httpsPort,
    another: () => createRouter(all),
    async start() {
      await run('docker', ['rm', '-f', name]).catch(() => {})
      const capabilities = routerCapabilities.flatMap((c) => ['--cap-add', c])
      const safety = ['--cap-drop', 'ALL', ...capabilities, '--security-opt', 'no-new-privileges', '--read-only']
      const mount = ['-v', `${all.dir}:${all.dir}`]
      await run('docker', [
        'run',
        '-d',
        '--name',
        name,
        '--network',
        'host',
        ...safety,
        ...mount,
        image,
        ...router.command,
      ])
      await until('HAProxy answers', async () => (await router.health()).up, 15_000).catch(async (error: unknown) => {
        const { stdout, stderr } = await run('docker', ['logs', name])
        throw new Error(`HAProxy didn't start: ${stdout}${stderr}`, { cause: error })
      })
    },
    async kill() {
      await run('docker', ['kill', name])
    },
    async logs() {
      const { stdout, stderr } = await run('docker', ['logs', name])
      return stdout + stderr
    },
  }
}

/** Waits until something holds; fails naming it after the deadline. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, deadlineMs = 10_000): Promise<void> {
  const deadline = Date.now() + deadlineMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${deadlineMs} ms in vain until ${what}`)
    await delay(10)
  }
}

/** Ports nobody has right now, from below the range that the kernel gives to outgoing connections. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if (!ports.includes(port) && (await isFree(port))) ports.push(port)
  }
  return ports
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
