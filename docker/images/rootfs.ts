/**
 * The root file system below all our images: `debian:trixie-slim` where an image registry answers, else the same made
 * from Debian's packages with mmdebstrap. What differs between the two is levelled out by stack/base/Dockerfile.
 */
import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Engine } from '../../server/engine/engine.js'
import { suite } from './debian-mirror.js'

const slimImage = `debian:${suite}-slim`
const registryProbe = 'https://registry-1.docker.io/v2/'
const answerDeadlineMs = 10_000
const pullDeadlineMs = 300_000
const bootstrapDeadlineMs = 900_000

export interface RootfsOptions {
  /** Tag for a bootstrapped file system. */
  readonly tag: string
  /** Lines of a sources.list. */
  readonly sources: readonly string[]
  /** Extra environment: proxies. */
  readonly env: Readonly<Record<string, string>>
  readonly onLine: (line: string) => void
}

/** Returns the reference to build `FROM`; `bootstrapped` tells whether it is `tag`, made here. */
export async function ensureRootfs(
  engine: Engine,
  options: RootfsOptions,
): Promise<{ reference: string; bootstrapped: boolean }> {
  // The slim image has no certificates, so its apt could not speak to an https mirror.
  const pullable = options.sources.every((line) => !line.includes(' https:'))
  if (pullable && (await pulled(engine))) {
    options.onLine(`base: ${slimImage} pulled`)
    return { reference: slimImage, bootstrapped: false }
  }
  options.onLine(`base: no image registry in reach; bootstrapping Debian ${suite} from ${options.sources[0] ?? ''}`)
  await bootstrap(engine, options)
  return { reference: options.tag, bootstrapped: true }
}

/** Pulls; gives up after 10 s if nothing tells by then that a registry is there. */
async function pulled(engine: Engine): Promise<boolean> {
  const pull = engine.pullImage(slimImage).then(
    () => true,
    () => false,
  )
  const probe = fetch(registryProbe, { signal: AbortSignal.timeout(answerDeadlineMs) }).then(
    async (response) => {
      await response.body?.cancel()
      return response.status < 500
    },
    () => false,
  )
  if (await Promise.race([pull, after(answerDeadlineMs)])) return true
  if (!(await probe)) return false
  return (await Promise.race([pull, after(pullDeadlineMs)])) ?? false
}

function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref())
}

async function bootstrap(engine: Engine, options: RootfsOptions): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'paas-rootfs-'))
  try {
    // By way of a file: of a stream that mmdebstrap breaks off, the engine would make half an image.
    const archive = path.join(folder, 'rootfs.tar')
    await runMmdebstrap(archive, options)
    await engine.importImage(createReadStream(archive), options.tag)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What of the result depends on our arguments, for the key of the image. */
export const bootstrapArguments: readonly string[] = [
  '--quiet',
  '--variant=minbase',
  '--include=ca-certificates',
  '--dpkgopt=path-exclude=/usr/share/man/*',
  '--dpkgopt=path-exclude=/usr/share/info/*',
  '--dpkgopt=path-exclude=/usr/share/locale/*',
  '--dpkgopt=path-exclude=/usr/share/doc/*',
  '--dpkgopt=path-include=/usr/share/doc/*/copyright',
  '--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf"',
]

function runMmdebstrap(archive: string, options: RootfsOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('mmdebstrap', [...bootstrapArguments, suite, archive, ...options.sources], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...options.env },
      timeout: bootstrapDeadlineMs,
    })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-4_000)
    })
    child.once('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT'
      reject(absent ? new Error('mmdebstrap is not installed; docker/engine installs it', { cause: error }) : error)
    })
    child.once('close', (code, signal) => {
      if (code === 0) return resolve()
      const how = signal === null ? `with ${code}` : `by ${signal}`
      const hint = 'set PAAS_DEBIAN_MIRROR to a Debian mirror that this machine reaches'
      reject(new Error(`mmdebstrap ended ${how}; ${hint}\n${said.trimEnd()}`))
    })
  })
}
