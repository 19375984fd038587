/**
 * HTTP without what `fetch` can't do: names under `localhost` are this machine whatever the resolver says, the
 * platform's own CA is trusted for its own origin, redirects aren't followed (a token must not travel), and responses
 * can be read as they arrive. Loaded by the first request, so that commands without one start faster.
 */
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import tls from 'node:tls'
import { isLoopbackName } from './loopback.js'

export interface HttpRequest {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Longest silence allowed; 0 waits for ever. */
  readonly idleTimeoutMs: number
  /** PEM file to trust besides the usual ones; ignored when absent. */
  readonly caFile?: string
}

const loopbackLookup: LookupFunction = (_hostname, options, callback) => {
  if (options.all)
    callback(null, [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ])
  else callback(null, '127.0.0.1', 4)
}

/** Connection options for a URL, for `http.request` and WebSocket alike. */
export function connectionOptions(url: URL, caFile?: string): { lookup?: LookupFunction; ca?: string[] } {
  const secure = url.protocol === 'https:' || url.protocol === 'wss:'
  return {
    ...(isLoopbackName(url.hostname) ? { lookup: loopbackLookup } : {}),
    ...(secure ? trustOf(caFile) : {}),
  }
}

function trustOf(caFile: string | undefined): { ca?: string[] } {
  if (caFile === undefined) return {}
  try {
    return { ca: [...tls.rootCertificates, readFileSync(caFile, 'utf8')] }
  } catch {
    return {}
  }
}

/** Sends one request and resolves with its response head; network failures reject with Node's own error. */
export function sendRequest(request: HttpRequest): Promise<http.IncomingMessage> {
  const { url, method, headers, body, idleTimeoutMs, caFile } = request
  const transport = url.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const outgoing = transport.request(url, { method, headers, ...connectionOptions(url, caFile) }, resolve)
    outgoing.on('error', reject)
    outgoing.setTimeout(idleTimeoutMs, () =>
      outgoing.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })),
    )
    outgoing.end(body)
  })
}
