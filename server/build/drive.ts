/**
 * One run of the build driver inside a room: config vars and source go in on its standard input, what a person should see
 * comes out on standard error, the result on standard output. Ends with the result or throws `BuildRefused`.
 */
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import type { Config } from '../config.js'
import type { Engine, ExecSession } from '../engine/engine.js'
import { type ByteReader, LineTooLong, readBytes } from '../lib/byte-reader.js'
import { failpoint } from '../lib/failpoint.js'
import { folderUse } from '../lib/folder-use.js'
import type { BuildPhase } from '../model/build.js'
import type { ConfigVars } from '../model/config-vars.js'
import { buildOutput } from './build-output.js'
import { parseResultHeader, type ResultHeader } from './build-result.js'
import type { BuildRoom } from './build-room.js'
import type { BuildRequest } from './builder.js'
import { driverSettings } from './driver-process.js'
import { dateOfApp, dateOfLayer } from './layer-dates.js'
import { LayerRefused, layerBudget } from './layer-limits.js'
import { writeLayerTar } from './layer-tar.js'
import type { ImageLayer } from './slug-image.js'

export interface DriveOptions {
  readonly engine: Engine
  readonly config: Config
  readonly stackId: string
}

const firstMeasureMs = 3_000
const measureWithinMs = 15_000
const maxHeaderBytes = 1024 * 1024

/** Exit codes of the driver, a decade a phase. */
const phases: Readonly<Record<number, BuildPhase>> = {
  10: 'source',
  20: 'detect',
  30: 'compile',
  40: 'release',
  50: 'export',
}

/** Why a build ended without a result. */
export class BuildRefused extends Error {
  constructor(
    readonly phase: BuildPhase,
    message: string,
    /** True when the driver has told the pusher already. */
    readonly told: boolean,
  ) {
    super(message)
  }
}

export interface Outcome {
  readonly header: ResultHeader
  readonly files: {
    readonly app: ImageLayer
    readonly appBytes: number
    readonly layers: ReadonlyMap<string, { readonly diffId: string; readonly file: string; readonly bytes: number }>
  }
}

/** Runs the driver to its end and stores what it hands out. */
export async function drive(options: DriveOptions, room: BuildRoom, request: BuildRequest): Promise<Outcome> {
  const { engine, config } = options
  const session = room.driver
  const output = buildOutput(request.write, config.build.outputBytes)
  session.stderr.on('data', (chunk: Buffer) => output.push(chunk))
  const watch = watchLimits(options, room, request, session, output.quietMs)
  try {
    const [files] = await Promise.all([
      readOutcome(session, room, config.build, request.source.committedAt),
      feed(session, request, driverSettings(request, options.stackId)),
    ])
    const exitCode = await session.exitCode()
    output.end()
    if (exitCode === 0 && files !== undefined) return files
    const oom = (await engine.findContainer(room.container))?.oomKilled ?? false
    throw oom || exitCode === 137
      ? new BuildRefused(
          'compile',
          watch.reason() ??
            `The build ran out of memory (${Math.round(config.build.memoryBytes / 1024 ** 2)} MB, PAAS_BUILD_MEMORY).`,
          false,
        )
      : new BuildRefused(phases[exitCode] ?? 'compile', lastComplaint(output.tail()), true)
  } catch (error) {
    const reason = watch.reason()
    throw reason === undefined ? error : new BuildRefused('compile', reason, false)
  } finally {
    watch.stop()
    session.close()
  }
}

/** The first of the build's own last ` !` lines, as the reason kept with the build. */
function lastComplaint(tail: string): string {
  const lines = tail.split('\n').filter((line) => /^ ?!/.test(line.trim()) && line.replace(/[!\s]/g, '') !== '')
  return (lines[0] ?? 'the build failed')
    .replace(/^\s*!\s*/, '')
    .trim()
    .slice(0, 500)
}

/** Settings and config vars first, then the source, as one stream of tars. */
async function feed(
  session: ExecSession,
  request: BuildRequest,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const input = new PassThrough()
  const sending = pipeline(input, session.stdin).catch(() => {})
  const archive = request.source.archive()
  try {
    await writeVars(input, settings, request.configVars)
    for await (const chunk of archive.stream as AsyncIterable<Buffer>) {
      if (!input.write(chunk)) await Promise.race([new Promise((resolve) => input.once('drain', resolve)), sending])
      if (input.destroyed) break
    }
    await archive.done
    failpoint('build.source-sent')
    input.end()
    await sending
  } catch (error) {
    archive.kill()
    session.close()
    throw new BuildRefused('source', (error as Error).message, false)
  }
}

async function writeVars(
  input: PassThrough,
  settings: Readonly<Record<string, string>>,
  configVars: ConfigVars,
): Promise<void> {
  const pack = tar.pack()
  for (const [name, value] of Object.entries(settings)) pack.entry({ name: `settings/${name}`, mode: 0o400 }, value)
  for (const [name, value] of Object.entries(configVars)) pack.entry({ name: `env/${name}`, mode: 0o400 }, value)
  pack.finalize()
  for await (const chunk of pack) input.write(chunk as Buffer)
}

async function readOutcome(
  session: ExecSession,
  room: BuildRoom,
  limits: Config['build'],
  committedAt: Date,
): Promise<Outcome | undefined> {
  const reader = readBytes(session.stdout)
  const header = await readHeader(reader, limits.diskBytes)
  if (header === undefined) return undefined
  const budget = layerBudget(limits)
  const write = (bytes: number, prefix: string, name: string, date: Date) =>
    writeLayerTar(reader.bytes(bytes), prefix, path.join(room.dir, 'out', `${name}.tar`), budget, date)
  const layers = new Map<string, { diffId: string; file: string; bytes: number }>()
  try {
    for (const layer of header.layers.filter((l) => l.isNew))
      layers.set(layer.name, await write(layer.bytes, layer.path, layer.name, dateOfLayer(layer.key)))
    const app = await write(header.appBytes, 'app', 'app', dateOfApp(committedAt))
    await reader.drain()
    return { header, files: { app, appBytes: app.bytes, layers } }
  } catch (error) {
    throw error instanceof LayerRefused ? new BuildRefused('export', error.message, false) : error
  }
}

async function readHeader(reader: ByteReader, maxBytes: number): Promise<ResultHeader | undefined> {
  const line = await reader.line(maxHeaderBytes).catch((error: unknown) => {
    if (!(error instanceof LineTooLong)) throw error
    throw new BuildRefused('export', `The build described its result in more than ${maxHeaderBytes} bytes.`, false)
  })
  if (line === undefined) return undefined
  try {
    return parseResultHeader(line, maxBytes)
  } catch (error) {
    throw new BuildRefused('export', (error as Error).message, false)
  }
}

/** Ends the build when it takes too long, is quiet too long, eats the disk, or its pusher leaves. */
function watchLimits(
  { engine, config }: DriveOptions,
  room: BuildRoom,
  request: BuildRequest,
  session: ExecSession,
  quietMs: () => number,
): { stop(): void; reason(): string | undefined } {
  let reason: string | undefined
  const startedAt = Date.now()
  const end = (why: string) => {
    if (reason !== undefined) return
    reason = why
    void engine.killContainer(room.container, 'SIGKILL').catch(() => {})
    session.close()
  }
  const onAbort = () => end('The push was cancelled.')
  request.signal.addEventListener('abort', onAbort, { once: true })
  if (request.signal.aborted) onAbort()
  let measureAt = startedAt + firstMeasureMs
  const timer = setInterval(() => {
    if (Date.now() - startedAt > config.build.timeoutMs)
      end(
        `The build took longer than ${Math.round(config.build.timeoutMs / 1000)} s and was stopped (PAAS_BUILD_TIMEOUT_MS).`,
      )
    else if (quietMs() > config.build.quietTimeoutMs)
      end(
        `The build printed nothing for ${Math.round(config.build.quietTimeoutMs / 1000)} s and was stopped (PAAS_BUILD_QUIET_TIMEOUT_MS).`,
      )
    else if (Date.now() > measureAt) {
      const began = Date.now()
      measureAt = Number.POSITIVE_INFINITY
      void diskUse(engine, room)
        .then((bytes) => {
          if (bytes > config.build.diskBytes)
            end(
              `The build wrote more than ${Math.round(config.build.diskBytes / 1024 ** 2)} MB of files and was stopped (PAAS_BUILD_DISK).`,
            )
        })
        .catch(() => {})
        .finally(() => {
          // A large tree is worth a tenth of the time at most.
          measureAt = Date.now() + Math.min(9 * (Date.now() - began), measureWithinMs)
        })
    }
  }, 1_000)
  return {
    stop: () => {
      clearInterval(timer)
      request.signal.removeEventListener('abort', onAbort)
    },
    reason: () => reason,
  }
}

/** From outside, where the build can't hide a folder; above the image it has `/app` and what its tools leave elsewhere. */
async function diskUse(engine: Engine, room: BuildRoom): Promise<number> {
  const [folders, own] = await Promise.all([
    folderUse([path.join(room.dir, 'tmp'), path.join(room.dir, 'layers')]),
    engine.diskUse([room.container]),
  ])
  return [...folders.values(), ...own.values()].reduce((sum, bytes) => sum + bytes, 0)
}
