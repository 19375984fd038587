/**
 * The router's log: one entry a request, from HAProxy's line to Heroku's.
 *
 * HAProxy's lines are JSON, made by the format in `render-frontend.ts`; how they come here is `log-socket.ts`.
 */
import { type RouterCode, codeOf, routerCodes } from './codes.js'

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
  /** So many requests came within a second that most of them are in no line. */
  readonly isSample: boolean
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
    // Nought where the client spoke for nobody.
    fwd: text('fwd') || text('client'),
    dyno: isApp ? server.replace(/_[^_]*$/, '') : '',
    connectMs,
    serviceMs:
      connectMs === undefined ? undefined : serviceOf(number('total'), number('receive'), number('wait'), connectMs),
    status: code === undefined ? status : routerCodes[code].status,
    bytes: number('bytes'),
    protocol: tls === '' || tls === '-' ? 'http' : 'https',
    tlsVersion: tls === '-' ? '' : tls,
    isSample: text('sample') === '1',
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
