/**
 * One request and its verdict. An answer counts as served when it has the right status, is whole, comes from the asked app,
 * and from no release older than the newest that was known to be live when the request was sent. Anything else is a
 * failure, and nothing is tried again, but for a stream of HTTP/2 that was refused.
 */
import http from 'node:http'
import https from 'node:https'
import { setTimeout as wait } from 'node:timers/promises'
import type { Kind, Tally } from './tally.js'

export interface Target {
  readonly host: string
  readonly app: string
  readonly httpPort: number
  readonly httpsPort: number
  readonly ca: string
}

export interface Rates {
  /** Requests a second of each open loop. */
  readonly perSecond: number
  /** Clients of each closed loop. */
  readonly clients: number
  readonly slowMs: number
  /** Streams and websockets that are open at any time. */
  readonly open: number
  /** For an app that knows none. */
  readonly withoutWebsockets?: boolean
}

export class Client {
  /** Version that every answer must at least have. */
  live = 0
  isStopped = false
  private readonly running = new Set<Promise<void>>()

  constructor(
    readonly target: Target,
    readonly rates: Rates,
    readonly tally: Tally,
  ) {}

  /** Counts `attempt` under `kind`; it throws what went wrong. */
  count(kind: Kind, attempt: () => Promise<void>): Promise<void> {
    const { tally } = this
    tally.begun[kind]++
    const done = attempt().then(
      () => void tally.served[kind]++,
      async (error: Error & { code?: string }) => {
        tally.failures.push({ kind, at: Date.now(), what: error.code ?? error.message })
        // Who begins the next when this one has ended does not make thousands of one outage.
        await wait(100)
      },
    )
    this.running.add(done)
    return done.finally(() => this.running.delete(done))
  }

  /** Resolves when everything begun has ended. */
  async settled(): Promise<void> {
    while (this.running.size > 0) await Promise.all(this.running)
  }

  /** Throws unless the headers are of the asked app and of a release that may answer. */
  judge(headers: Readonly<Record<string, unknown>>, live: number): void {
    const app = headers['x-app']
    const release = Number(String(headers['x-release']).replace('v', ''))
    if (app !== this.target.app) throw new Error(`answered by ${String(app ?? 'nobody we know')}`)
    if (!(release >= live)) throw new Error(`answered by v${release} after v${live} was live`)
    this.tally.releases[release] = (this.tally.releases[release] ?? 0) + 1
  }

  /** A request over HTTP/1.1; resolves with the body. */
  ask(options: {
    readonly path: string
    readonly method?: string
    readonly body?: string
    readonly agent?: http.Agent
    readonly secure?: boolean
    readonly status?: number
  }): Promise<string> {
    const { host, httpPort, httpsPort, ca } = this.target
    const live = this.live
    const { path, method = 'GET', agent = false, body = '', secure = false, status = 200 } = options
    const headers = { host, ...(method === 'POST' ? { 'content-length': Buffer.byteLength(body) } : {}) }
    const common = { host: '127.0.0.1', path, method, headers, agent }
    return new Promise((resolve, reject) => {
      const request = secure
        ? https.request({ ...common, port: httpsPort, servername: host, ca })
        : http.request({ ...common, port: httpPort })
      const fail = (error: Error & { code?: string }) => {
        const where = request.reusedSocket ? 'a connection used before' : 'a new connection'
        reject(new Error(`${error.code ?? error.message} on ${where}`))
      }
      request.once('error', fail)
      request.once('response', (response) => {
        if (request.reusedSocket) this.tally.reused++
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
        })
        response.once('error', fail)
        response.once('end', () => {
          if (response.statusCode !== status) {
            const code = /Code (H\d\d)/.exec(text)?.[1] ?? text.slice(0, 60)
            reject(new Error(`status ${response.statusCode} ${code}`))
            return
          }
          try {
            this.judge(response.headers, live)
            resolve(text)
          } catch (error) {
            reject(error)
          }
        })
      })
      request.end(body)
    })
  }
}
