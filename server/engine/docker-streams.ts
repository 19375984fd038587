/** The engine's streaming calls: attach, exec, logs and events. */
import type Docker from 'dockerode'
import { type Duplex, PassThrough, type Readable } from 'node:stream'
import { demultiplex } from '../lib/demux.js'
import { eachLine } from '../lib/lines.js'
import { labelWords } from './docker-containers.js'
import type {
  ContainerEvent,
  ContainerLine,
  ExecSession,
  ExecSpec,
  Labels,
  LogOptions,
  ProcessStreams,
  RunResult,
  RunSpec,
} from './engine.js'
import { EngineError } from './engine.js'
import { calling } from './engine-error.js'

function processStreams(stream: Duplex, tty: boolean): ProcessStreams {
  const { stdout, stderr } = tty ? { stdout: relay(stream), stderr: nothing() } : demultiplex(stream)
  // A peer that goes away is the end of the stream, not a fault of ours.
  stream.on('error', () => stream.destroy())
  const ended = new Promise<void>((resolve) => stream.once('end', resolve).once('close', resolve))
  return { stdin: stream, stdout, stderr, ended, close: () => stream.destroy() }
}

function relay(stream: Duplex): Readable {
  const out = new PassThrough()
  stream.pipe(out)
  stream.once('close', () => out.end())
  return out
}

function nothing(): Readable {
  const empty = new PassThrough()
  empty.end()
  return empty
}

export async function attachTo(
  docker: Docker,
  id: string,
  options: { readonly stdin: boolean; readonly tty: boolean },
): Promise<ProcessStreams> {
  const stream = await docker.getContainer(id).attach({
    stream: true,
    stdin: options.stdin,
    stdout: true,
    stderr: true,
    hijack: true,
  })
  return processStreams(stream as unknown as Duplex, options.tty)
}

/** Resolves when the engine has taken the text; the input stays open. */
export async function writeTo(docker: Docker, id: string, text: string): Promise<void> {
  const stream = (await docker
    .getContainer(id)
    .attach({ stream: true, stdin: true, hijack: true })) as unknown as Duplex
  const closed = new Promise<void>((resolve) => stream.once('close', resolve))
  stream.on('error', () => stream.destroy())
  stream.resume()
  stream.end(text)
  await closed
}

export async function execIn(docker: Docker, id: string, spec: ExecSpec): Promise<ExecSession> {
  const exec = await docker.getContainer(id).exec({
    Cmd: [...spec.command],
    Env: Object.entries(spec.env ?? {}).map(([key, value]) => `${key}=${value}`),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    ...(spec.workingDir === undefined ? {} : { WorkingDir: spec.workingDir }),
    Tty: spec.tty ?? false,
    AttachStdin: spec.stdin ?? false,
    AttachStdout: true,
    AttachStderr: true,
  })
  const stream = (await exec.start({
    hijack: true,
    stdin: spec.stdin ?? false,
    Tty: spec.tty ?? false,
  })) as unknown as Duplex
  const streams = processStreams(stream, spec.tty ?? false)
  return {
    ...streams,
    id: exec.id,
    resize: (columns, rows) => calling('resizing an exec session', () => exec.resize({ w: columns, h: rows })),
    isRunning: () =>
      exec.inspect().then(
        (info) => info.Running,
        () => false,
      ),
    exitCode: async () => {
      await streams.ended
      return calling('reading the exit code of an exec session', () => exitCodeOf(exec))
    },
  }
}

const runOutputLimit = 1024 * 1024
const runTimeoutMs = 60_000

/** `Engine.run`. */
export async function runIn(docker: Docker, id: string, spec: RunSpec, input?: string): Promise<RunResult> {
  const timeoutMs = spec.timeoutMs ?? runTimeoutMs
  const late = `running a command in container ${id} took longer than ${timeoutMs} ms`
  let isOver = false
  let session: ExecSession | undefined
  const end = async (): Promise<RunResult> => {
    session = await execIn(docker, id, { ...spec, stdin: input !== undefined })
    if (isOver) session.close()
    if (input !== undefined) session.stdin.end(input)
    const [stdout, stderr] = await Promise.all([collected(session.stdout), collected(session.stderr)])
    if (isOver) throw new EngineError('refused', late)
    return { exitCode: await session.exitCode(), stdout, stderr }
  }
  const ended = end()
  ended.catch(() => {})
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isOver = true
      session?.close()
      reject(new EngineError('refused', late))
    }, timeoutMs)
  })
  try {
    return await Promise.race([ended, deadline])
  } finally {
    clearTimeout(timer)
  }
}

async function collected(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const chunk of stream) if (text.length < runOutputLimit) text += chunk.toString('utf8')
  return text
}

async function exitCodeOf(exec: Docker.Exec): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const info = await exec.inspect()
    if (!info.Running && info.ExitCode !== null) return info.ExitCode
    // The stream can end a moment before the engine notes the exit; a stream cut on purpose never gets one.
    if (attempt >= 50) return -1
    await new Promise((resolve) => setTimeout(resolve, 10 * (attempt + 1)))
  }
}

export async function followContainerLogs(
  docker: Docker,
  id: string,
  tty: boolean,
  options: LogOptions,
  onLine: (line: ContainerLine) => void,
  signal?: AbortSignal,
): Promise<void> {
  const query = {
    stdout: true,
    stderr: true,
    timestamps: true,
    ...(options.since === undefined ? {} : { since: options.since as unknown as number }),
    ...(options.tail === undefined ? {} : { tail: options.tail }),
  }
  const source = options.follow
    ? ((await docker.getContainer(id).logs({ ...query, follow: true })) as unknown as Readable)
    : bufferStream(await docker.getContainer(id).logs({ ...query, follow: false }))
  const stop = () => source.destroy()
  if (signal?.aborted) return stop() as unknown as undefined
  signal?.addEventListener('abort', stop, { once: true })
  source.on('error', () => source.destroy())
  await (tty ? readTerminalLog(source, onLine) : readLogFrames(source, onLine))
  signal?.removeEventListener('abort', stop)
}

/** A terminal's log has no frames: it is text with a timestamp before each line. */
function readTerminalLog(source: Readable, onLine: (line: ContainerLine) => void): Promise<void> {
  return eachLine(source, (line) => {
    const space = line.indexOf(' ')
    if (space > 0) onLine({ at: line.slice(0, space), stream: 'stdout', text: line.slice(space + 1) })
  })
}

const frameHeaderBytes = 8
const lineCharsMax = 262_144

/**
 * Reads a log in the order in which it was written, both outputs in one. The engine keeps a long line in parts of 16 kB, each
 * a frame that begins with the line's timestamp, and only the last ends with a line feed: the parts are put together again;
 * what a line has beyond its limit is dropped. A line whose end hasn't come when the connection breaks is left for the
 * next reading.
 */
function readLogFrames(source: Readable, onLine: (line: ContainerLine) => void): Promise<void> {
  const begun: Record<ContainerLine['stream'], ContainerLine | undefined> = { stdout: undefined, stderr: undefined }
  const takeFrame = (stream: ContainerLine['stream'], frame: string) => {
    const space = frame.indexOf(' ')
    if (space <= 0) return
    const before = begun[stream]
    const at = before?.at ?? frame.slice(0, space)
    const isWhole = frame.endsWith('\n')
    const end = isWhole ? (frame.endsWith('\r\n') ? -2 : -1) : frame.length
    const isCut = before !== undefined && before.text.length >= lineCharsMax
    const text = isCut ? before.text : (before?.text ?? '') + frame.slice(space + 1, end)
    begun[stream] = isWhole ? undefined : { at, stream, text }
    // A line that never ends is shown when it is full.
    if (!isCut && (isWhole || text.length >= lineCharsMax)) onLine({ at, stream, text })
  }
  let rest: Buffer = Buffer.alloc(0)
  source.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    while (from + frameHeaderBytes <= bytes.length) {
      const to = from + frameHeaderBytes + bytes.readUInt32BE(from + 4)
      if (to > bytes.length) break
      takeFrame(bytes[from] === 2 ? 'stderr' : 'stdout', bytes.toString('utf8', from + frameHeaderBytes, to))
      from = to
    }
    rest = bytes.subarray(from)
  })
  return new Promise((resolve) => {
    source.once('end', () => {
      for (const line of [begun.stdout, begun.stderr]) if (line && line.text.length < lineCharsMax) onLine(line)
      resolve()
    })
    source.once('close', resolve)
    source.once('error', resolve)
  })
}

function bufferStream(bytes: Buffer): Readable {
  const stream = new PassThrough()
  stream.end(bytes)
  return stream
}

interface EventDocument {
  readonly Action?: string
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Record<string, string> }
  readonly timeNano?: number
}

/** One subscription; returns when it breaks or `signal` aborts. */
export async function followEventsOnce(
  docker: Docker,
  labels: Labels,
  onEvent: (event: ContainerEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const filters = { type: ['container'], label: labelWords(labels) }
  const source = (await docker.getEvents({
    filters: JSON.stringify(filters) as unknown as Record<string, string[]>,
  })) as unknown as Readable
  const stop = () => source.destroy()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  source.on('error', () => source.destroy())
  await eachLine(source, (line) => {
    const event = JSON.parse(line) as EventDocument
    const attributes = event.Actor?.Attributes ?? {}
    onEvent({
      action: event.Action ?? '',
      containerId: event.Actor?.ID ?? '',
      labels: attributes,
      exitCode: attributes.exitCode === undefined ? undefined : Number(attributes.exitCode),
      at: new Date((event.timeNano ?? 0) / 1e6),
    })
  })
  signal.removeEventListener('abort', stop)
}
