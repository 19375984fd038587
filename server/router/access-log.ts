/**
 * The router's log: one entry a request, from HAProxy's line to Heroku's.
 *
 * HAProxy connects to a socket in its jail and sends each line as `<length> <line>`; while nobody listens, lines wait
 * in its memory (4 MB, the oldest go first). The lines are JSON, made by the format in `render-frontend.ts`.
 */
import { chmod } from 'node:fs/promises'
import net from 'node:net'
import { type RouterCode, codeOf, routerCodes } from './codes.js'
import { removeFile } from './durable-file.js'

export interface AccessEntry {
  /** When the request's first byte came. */
  readonly at: Date
  /** Empty where no app answers to the host. */
  readonly appId: string
  readonly appName: string
  readonly method: string
  /** With the query; characters that don't belong there are written `#XX`. */
  readonly path: string
  readonly host: string
  readonly requestId: string
  /** The `X-Forwarded-For` that the app got. */
  readonly fwd: string
  /** `web.1`; empty where no dyno was asked. */
  readonly dyno: string
  /** Undefined where it didn't come to that. */
  readonly connectMs: number | undefined
  /** From the connection to the dyno until the last byte was passed on. */
  readonly serviceMs: number | undefined
  readonly status: number
  /** Sent to the client, headers included. */
  readonly bytes: number
  readonly protocol: 'http' | 'https'
  /** `TLSv1.3`; empty without TLS. */
  readonly tlsVersion: string
  readonly code?: RouterCode
  readonly desc?: string
}

/** One of HAProxy's lines; undefined for what isn't a request's (a failed TLS handshake, for example). */
export function parseAccessLine(line: string, idleTimeoutMs: number): AccessEntry | undefined {
  const record = readRecord(line)
  if (record === undefined) return undefined
  const text = (name: string) => String(record[name] ?? '')
  const number = (name: string) => Number(record[name] ?? -1)
  const [, appId = '', appName = ''] = text('app').split(':')
  const server = text('server') === '<NOSRV>' ? '' : text('server')
  const status = number('status')
  const ending = {
    code: text('code'),
    termination: text('end'),
    status,
    hasServer: server !== '',
    dataMs: number('data'),
  }
  const isApp = appId !== '' && appId !== '-'
  const code = isApp || ending.code === 'H31' ? codeOf(ending, idleTimeoutMs) : undefined
  const tls = text('tls')
  const connectMs = number('connect') < 0 ? undefined : number('connect')
  return {
    at: new Date(number('at')),
    appId: isApp ? appId : '',
    appName: isApp ? appName : '',
    method: text('method'),
    path: text('path') + text('query'),
    host: text('host'),
    requestId: text('id'),
    fwd: text('fwd'),
    dyno: isApp ? server.replace(/_[^_]*$/, '') : '',
    connectMs,
    serviceMs:
      connectMs === undefined ? undefined : serviceOf(number('total'), number('receive'), number('wait'), connectMs),
    status: code === undefined ? status : routerCodes[code].status,
    bytes: number('bytes'),
    protocol: tls === '' || tls === '-' ? 'http' : 'https',
    tlsVersion: tls === '-' ? '' : tls,
    ...(code === undefined ? {} : { code, desc: routerCodes[code].desc }),
  }
}

function serviceOf(total: number, receive: number, wait: number, connect: number): number {
  return Math.max(0, total - Math.max(0, receive) - Math.max(0, wait) - connect)
}

function readRecord(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Heroku's line: `at=info method=GET path="/" host=… request_id=… fwd="…" dyno=web.1 connect=0ms service=12ms …`. */
export function formatAccessLine(entry: AccessEntry): string {
  const meaning = entry.code === undefined ? undefined : routerCodes[entry.code]
  const sock = meaning?.sock === undefined ? '' : `sock=${meaning.sock} `
  const failure = meaning === undefined ? 'at=info' : `at=${meaning.at} code=${entry.code} desc="${meaning.desc}"`
  const milliseconds = (value: number | undefined) => (value === undefined ? '' : `${value}ms`)
  return [
    `${sock}${failure} method=${entry.method} path="${quotable(entry.path)}" host=${entry.host}`,
    `request_id=${entry.requestId} fwd="${quotable(entry.fwd)}" dyno=${entry.dyno}`,
    `connect=${milliseconds(entry.connectMs)} service=${milliseconds(entry.serviceMs)} status=${entry.status}`,
    `bytes=${entry.bytes} protocol=${entry.protocol}`,
  ].join(' ')
}

/** A client can't end the quotes or the line. */
function quotable(text: string): string {
  return text.replace(
    /["\\\u0000-\u001f\u007f]/g,
    (c) => `#${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

const longestLine = 65_536

/** Cuts `<length> <line>` frames out of a byte stream. Throws when the stream isn't that. */
export function createFrameReader(onLine: (line: string) => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0)
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    let at = 0
    for (;;) {
      const space = pending.indexOf(0x20, at)
      if (space < 0 && pending.length - at < 8) break
      const length = Number(pending.subarray(at, Math.max(space, at)).toString('latin1'))
      if (!Number.isInteger(length) || length < 1 || length > longestLine)
        throw new Error('the access log is out of frame')
      if (pending.length < space + 1 + length) break
      onLine(pending.subarray(space + 1, space + 1 + length).toString('utf8'))
      at = space + 1 + length
    }
    pending = pending.subarray(at)
  }
}

/** Listens on the log socket until the signal aborts. */
export async function followAccessLog(
  socketPath: string,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return
  const connections = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    connections.add(socket)
    const read = createFrameReader(onLine)
    socket.on('data', (chunk: Buffer) => {
      try {
        read(chunk)
      } catch {
        // HAProxy connects again, at the start of a line.
        socket.destroy()
      }
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => connections.delete(socket))
  })
  await removeFile(socketPath)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath, resolve)
  })
  // HAProxy connects as its own user, from inside a folder that only root gets into from outside.
  await chmod(socketPath, 0o666)
  await new Promise<void>((resolve) => {
    const stop = () => {
      for (const socket of connections) socket.destroy()
      server.close(() => resolve())
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
