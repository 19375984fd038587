/**
 * The router's log: one entry a request, from HAProxy's line to Heroku's.
 *
 * HAProxy's lines are JSON, made by the format in `render-frontend.ts`; how they come here is `log-socket.ts`. Host, path and
 * `X-Forwarded-For` are a stranger's words: whatever stands in them, a request is one line, and they stay within their place
 * in it.
 */
import { isIP } from 'node:net'
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
  /** The `X-Forwarded-For` that the app got; of a long one the start, `…`, and the address that the router saw. */
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

/** One of HAProxy's lines; undefined for what isn't a request's (a failed TLS handshake) or can't be read (`isRecord`). */
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
    fwd: forwardedFor(text('fwd'), text('client')),
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

/** True for a line that is about a request, whole or not. */
export function isRecord(line: string): boolean {
  return line.startsWith('{')
}

/** The app that a record names which `parseAccessLine` can't read. */
export function appIdOfRecord(line: string): string | undefined {
  return /^\{"at": ?"?\d*"?, ?"app": ?"[a-z-]*:([\w-]+):/.exec(line)?.[1]
}

function readRecord(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!isRecord(line)) return undefined
  // HAProxy writes control characters as they are, which JSON forbids; few records hold any.
  const value = parsed(line) ?? parsed(line.replace(/\p{Cc}/gu, (c) => `\\u${hex(c, 4)}`))
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** The record holds the first 2 kB of the header, and nothing where the client spoke for nobody. */
function forwardedFor(header: string, client: string): string {
  if (header === '') return client
  return isIP(client) === 0 || header.endsWith(client) ? header : `${header}…, ${client}`
}

/** Bytes of one quoted value. Two of them and all the rest stay below `textBytesMax`, where a log goes on in another line. */
const quotedBytesMax = 4_000
const quotedEndBytes = 64
const methodMax = 64
const hostMax = 255

/**
 * Heroku's line: `at=info method=GET path="/" host=… request_id=… fwd="…" dyno=web.1 connect=0ms service=12ms …`. One line of
 * less than 10,000 bytes, in which a client can end neither the quotes nor the line.
 */
export function formatAccessLine(entry: AccessEntry): string {
  const meaning = entry.code === undefined ? undefined : routerCodes[entry.code]
  const sock = meaning?.sock === undefined ? '' : `sock=${meaning.sock} `
  const failure = meaning === undefined ? 'at=info' : `at=${meaning.at} code=${entry.code} desc="${meaning.desc}"`
  const milliseconds = (value: number | undefined) => (value === undefined ? '' : `${value}ms`)
  return [
    `${sock}${failure} method=${word(entry.method, methodMax)} path="${quotable(entry.path)}"`,
    `host=${word(entry.host, hostMax)} request_id=${entry.requestId} fwd="${quotable(entry.fwd)}" dyno=${entry.dyno}`,
    `connect=${milliseconds(entry.connectMs)} service=${milliseconds(entry.serviceMs)} status=${entry.status}`,
    `bytes=${entry.bytes} protocol=${entry.protocol}`,
  ].join(' ')
}

/** Written `#XX`: what would end the quotes or the line, and what a terminal obeys or reorders the line by. */
function quotable(text: string): string {
  return shortened(text.replace(/["\\\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, escaped))
}

/** A value without quotes. */
function word(text: string, most: number): string {
  return text.replace(/[^!#-[\]-~]/g, escaped).slice(0, most)
}

function escaped(c: string): string {
  return `#${hex(c, 2)}`
}

function hex(c: string, digits: number): string {
  return c.charCodeAt(0).toString(16).toUpperCase().padStart(digits, '0')
}

/** The end is kept, for it says the address that the router saw. */
function shortened(text: string): string {
  if (text.length * 3 <= quotedBytesMax) return text
  const bytes = Buffer.from(text)
  if (bytes.length <= quotedBytesMax) return text
  // A character that is cut becomes U+FFFD, which takes up to two bytes more.
  const start = bytes.toString('utf8', 0, quotedBytesMax - 2 * quotedEndBytes)
  return `${start}…${bytes.toString('utf8', bytes.length - quotedEndBytes)}`
}
