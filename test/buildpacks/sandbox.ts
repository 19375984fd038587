/**
 * A scratch for building apps in the real stack-build image, the way the control plane does: a container of its own per
 * build, the dynos' user, no capabilities, the source as tars on stdin, the result on stdout.
 *
 * The buildpacks and the driver of the checkout are mounted over the image's, so a test tests what is in the tree.
 * `PAAS_TEST_STACK_BUILD` and `PAAS_TEST_STACK` name the images; `PAAS_CA_BUNDLE`, or the host's own bundle, is what
 * builds trust.
 */
import { spawn } from 'node:child_process'
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Docker from 'dockerode'
import { dynoUid, userOf } from '../../server/model/dyno-user.js'
import { Dyno, demux } from './dyno.js'
import { type Header, parseResult } from './result.js'
import { checkout } from './shell.js'

export const stackBuildImage = process.env.PAAS_TEST_STACK_BUILD ?? 'paas/stack-build:dev'
export const stackImage = process.env.PAAS_TEST_STACK ?? 'paas/stack:dev'
export const fixtures = path.join(checkout, 'test', 'fixtures', 'apps')
const caBundle = process.env.PAAS_CA_BUNDLE ?? '/etc/ssl/certs/ca-certificates.crt'
const caInside = '/etc/ssl/certs/ca-certificates.crt'

export interface Built {
  readonly exitCode: number
  /** Everything the pusher sees. */
  readonly log: string
  readonly header: Header | undefined
  /** New layers by name, and `app`: their tars. */
  readonly tars: ReadonlyMap<string, Buffer>
  readonly ms: number
}

export interface BuildOptions {
  readonly config?: Readonly<Record<string, string | Buffer>>
  readonly env?: Readonly<Record<string, string>>
  /** Host folders mounted read-only, by their place in the container. */
  readonly mounts?: Readonly<Record<string, string>>
  readonly memoryBytes?: number
}

export type Source = string | Readonly<Record<string, string>>

const docker = new Docker()

/** One app: what its last successful build left is what the next one finds. */
export class ScratchApp {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'buildpacks-app-'))
  private readonly kept = path.join(this.folder, 'previous')
  private readonly containers = new Set<Docker.Container>()
  /** Every layer the app's image is made of, by name, with its tar. */
  readonly image = new Map<string, Buffer>()

  constructor() {
    mkdirSync(path.join(this.kept, 'layers'), { recursive: true })
  }

  /** Builds a folder, or files given as texts. A failed build changes nothing that the next one sees. */
  async build(source: Source, options: BuildOptions = {}): Promise<Built> {
    const work = mkdtempSync(path.join(this.folder, 'build-'))
    for (const name of ['tmp', 'layers', 'source']) mkdirSync(path.join(work, name))
    for (const name of ['tmp', 'layers']) chownSync(path.join(work, name), dynoUid, dynoUid)
    writeSource(path.join(work, 'source'), source, options.config ?? {})
    const container = await this.startBuildContainer(work, options)
    try {
      const started = performance.now()
      const { exitCode, stdout, stderr } = await execDriver(container, path.join(work, 'source'), options.env ?? {})
      const ms = Math.round(performance.now() - started)
      const { header, tars } = parseResult(stdout)
      if (exitCode === 0 && header !== undefined) this.keep(work, header, tars)
      return { exitCode, log: stderr.toString(), header, tars, ms }
    } finally {
      await container.remove({ force: true })
      this.containers.delete(container)
      rmSync(work, { recursive: true, force: true })
    }
  }

  private async startBuildContainer(work: string, options: BuildOptions): Promise<Docker.Container> {
    const binds = [
      `${work}/tmp:/tmp`,
      `${work}/layers:/layers`,
      `${this.kept}:/previous:ro`,
      `${checkout}/buildpacks:/opt/paas/buildpacks:ro`,
      `${checkout}/docker/stack/build-driver:/opt/paas/build-driver:ro`,
      `${caBundle}:${caInside}:ro`,
      ...Object.entries(options.mounts ?? {}).map(([inside, folder]) => `${folder}:${inside}:ro`),
    ]
    const container = await docker.createContainer({
      Image: stackBuildImage,
      Cmd: ['sleep', '3600'],
      User: userOf(dynoUid),
      Labels: { 'buildpacks-test': 'yes' },
      Env: Object.entries({ ...buildEnv(), ...options.env }).map(([name, value]) => `${name}=${value}`),
      HostConfig: {
        Binds: binds,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        PidsLimit: 512,
        Memory: options.memoryBytes ?? 2 * 1024 ** 3,
        Tmpfs: { '/tmp/env': `size=16m,mode=0700,uid=${dynoUid},gid=${dynoUid}` },
        Init: true,
      },
    })
    this.containers.add(container)
    await container.start()
    return container
  }

  private keep(work: string, header: Header, tars: ReadonlyMap<string, Buffer>): void {
    const next = path.join(work, 'next')
    mkdirSync(path.join(next, 'layers'), { recursive: true })
    for (const file of readdirSync(path.join(work, 'layers')).filter((name) => name.endsWith('.json'))) {
      const name = file.slice(0, -'.json'.length)
      cpSync(path.join(work, 'layers', file), path.join(next, 'layers', file))
      const made = path.join(work, 'layers', name)
      const kept = path.join(this.kept, 'layers', name)
      const tree = existsSync(made) ? made : kept
      if (existsSync(tree)) renameSync(tree, path.join(next, 'layers', name))
      const list = [made, kept].map((one) => `${one}.list`).find((one) => existsSync(one))
      if (list !== undefined) renameSync(list, path.join(next, 'layers', `${name}.list`))
    }
    const record = header.layers.map(({ name, key, launch }) => ({ name, key, isLaunch: launch }))
    writeFileSync(path.join(next, 'record.json'), JSON.stringify(record))
    const cache = header.cache.changed ? path.join(work, 'tmp', 'cache') : path.join(this.kept, 'cache')
    if (existsSync(cache)) renameSync(cache, path.join(next, 'cache'))
    rmSync(this.kept, { recursive: true, force: true })
    renameSync(next, this.kept)
    const names = new Set(['app', ...header.layers.filter((layer) => layer.launch).map((layer) => layer.name)])
    for (const name of this.image.keys()) if (!names.has(name)) this.image.delete(name)
    for (const [name, tar] of tars) this.image.set(name, tar)
  }

  /** Starts a dyno of the last built image and returns its address; it is gone with `close`. */
  async run(command: string, env: Readonly<Record<string, string>> = {}, memoryBytes = 512 * 1024 ** 2): Promise<Dyno> {
    const launcher =
      'shopt -s nullglob; for f in /app/.profile.d/*.sh; do . "$f"; done; [ ! -f .profile ] || . ./.profile; eval "exec $0"'
    const container = await docker.createContainer({
      Image: stackImage,
      Cmd: ['bash', '-c', launcher, command],
      User: userOf(dynoUid),
      WorkingDir: '/app',
      Labels: { 'buildpacks-test': 'yes' },
      Env: Object.entries({ HOME: '/app', PORT: '5000', DYNO: 'web.1', ...env }).map(
        ([name, value]) => `${name}=${value}`,
      ),
      HostConfig: { CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'], Memory: memoryBytes, Init: true },
    })
    this.containers.add(container)
    for (const tar of this.image.values()) await container.putArchive(tar, { path: '/' })
    await container.start()
    return new Dyno(container)
  }

  async close(): Promise<void> {
    for (const container of this.containers) await container.remove({ force: true })
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Runs a command in the build image, in a folder that it may write to: how tests make lockfiles. */
export async function inBuildImage(command: readonly string[], folder: string): Promise<void> {
  const container = await docker.createContainer({
    Image: stackBuildImage,
    Cmd: [...command],
    User: '0:0',
    WorkingDir: '/work',
    Labels: { 'buildpacks-test': 'yes' },
    Env: Object.entries(buildEnv()).map(([name, value]) => `${name}=${value}`),
    HostConfig: { Binds: [`${folder}:/work`, `${caBundle}:${caInside}:ro`] },
  })
  try {
    await container.start()
    const { StatusCode } = await container.wait()
    if (StatusCode !== 0)
      throw new Error(`${command.join(' ')} ended with ${StatusCode}: ${await container.logs({ stderr: true })}`)
  } finally {
    await container.remove({ force: true })
  }
}

function buildEnv(): Record<string, string> {
  return {
    HOME: '/app',
    STACK: 'heroku-24',
    PAAS_STACK: 'paas-13',
    PAAS_STACK_ID: 'test',
    SOURCE_VERSION: '0123456789abcdef0123456789abcdef01234567',
    PAAS_RUNTIME_PROVIDERS: 'bundled,mirror,npm',
    SSL_CERT_FILE: caInside,
    PIP_CERT: caInside,
    REQUESTS_CA_BUNDLE: caInside,
    NODE_EXTRA_CA_CERTS: caInside,
    GIT_SSL_CAINFO: caInside,
    CURL_CA_BUNDLE: caInside,
  }
}

function writeSource(folder: string, source: Source, config: Readonly<Record<string, string | Buffer>>): void {
  mkdirSync(path.join(folder, 'env'))
  for (const [name, value] of Object.entries(config))
    writeFileSync(path.join(folder, 'env', name), value, { mode: 0o400 })
  const build = path.join(folder, 'build')
  if (typeof source === 'string') {
    cpSync(source, build, { recursive: true })
    return
  }
  mkdirSync(build)
  for (const [name, text] of Object.entries(source)) {
    mkdirSync(path.dirname(path.join(build, name)), { recursive: true })
    writeFileSync(path.join(build, name), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 })
  }
}

async function execDriver(container: Docker.Container, source: string, env: Readonly<Record<string, string>>) {
  const exec = await container.exec({
    Cmd: ['/opt/paas/build-driver/build'],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
  })
  const stream = await exec.start({ hijack: true, stdin: true })
  const output = demux(stream)
  // Two tars, one after the other, as the control plane sends them.
  for (const part of ['env', 'build']) await sendTar(source, part, stream)
  stream.end()
  const { stdout, stderr } = await output
  const { ExitCode } = await exec.inspect()
  return { exitCode: ExitCode ?? -1, stdout, stderr }
}

async function sendTar(folder: string, part: string, to: NodeJS.WritableStream): Promise<void> {
  const tar = spawn('tar', ['--create', '--owner=0', '--group=0', `--directory=${folder}`, part], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const chunk of tar.stdout) if (!to.write(chunk)) await new Promise((resolve) => to.once('drain', resolve))
}

/** Makes apps that are closed when the file's tests have ended. */
export function scratchApps(t: { teardown(end: () => Promise<void>): unknown }): () => ScratchApp {
  const apps: ScratchApp[] = []
  t.teardown(async () => {
    for (const app of apps) await app.close()
  })
  return () => {
    const app = new ScratchApp()
    apps.push(app)
    return app
  }
}
