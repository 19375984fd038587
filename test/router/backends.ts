/** Tiny apps, clients and tables for the router's tests. */
import http from 'node:http'
import net from 'node:net'
import type { AppRoutes, RouteState, RouteTable } from '../../server/model/route-table.js'
import type { Router } from '../../server/router/router.js'

export interface Teardown {
  teardown(fn: () => unknown): void
}

export interface Backend {
  readonly address: string
  readonly port: number
  close(): Promise<void>
}

let lastAddress = 1

/** An HTTP app on a loopback address of its own. */
export async function httpApp(t: Teardown, handler: http.RequestListener): Promise<Backend & { server: http.Server }> {
  const server = http.createServer(handler)
  return { server, ...(await listening(t, server, () => server.closeAllConnections())) }
}

/** Answers with what it was asked, as JSON. */
export function mirror(name: string): http.RequestListener {
  return ({ method, url, headers, rawHeaders }, response) => {
    response.end(JSON.stringify({ name, method, url, headers, raw: rawHeaders }))
  }
}

export interface CountingBackend extends Backend {
  requests: number
}

/** An app that counts its requests and answers with its name. */
export async function countingApp(t: Teardown, name: string): Promise<CountingBackend> {
  const handler: http.RequestListener = (_, response) => {
    app.requests++
    response.end(name)
  }
  const app: CountingBackend = { ...(await httpApp(t, handler)), requests: 0 }
  return app
}

/** An app that sees bytes: called with the text of each request's head. */
export async function rawApp(t: Teardown, onRequest: (socket: net.Socket, head: string) => void): Promise<Backend> {
  return rawBackend(t, (socket) => {
    let head = ''
    socket.on('data', (chunk: Buffer) => {
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      const text = head
      head = ''
      onRequest(socket, text)
    })
  })
}

/** An app that sees connections. */
export async function rawBackend(t: Teardown, onConnection: (socket: net.Socket) => void): Promise<Backend> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    onConnection(socket)
  })
  return listening(t, server, () => {
    for (const socket of sockets) socket.destroy()
  })
}

async function listening(t: Teardown, server: net.Server, cut: () => void): Promise<Backend> {
  const address = `127.0.0.${++lastAddress}`
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      cut()
    })
  t.teardown(close)
  return { address, port: (server.address() as net.AddressInfo).port, close }
}

/** One app of a table; dynos are `web.1`, `web.2` …, named after their backend's port. */
export function routes(
  name: string,
  backends: readonly Backend[],
  state: RouteState = 'up',
  hosts?: string[],
): AppRoutes {
  return {
    appId: `id-${name}`,
    appName: name,
    hosts: hosts ?? [`${name}.localhost`],
    state,
    backends: backends.map(({ address, port }, i) => ({
      name: backendName(i + 1, port),
      dyno: `web.${i + 1}`,
      address,
      port,
    })),
  }
}

export function backendName(ordinal: number, port: number): string {
  return `web.${ordinal}_${port}`
}

/** Publishes a whole table under the next number. */
export async function publish(router: Router, ...apps: AppRoutes[]): Promise<void> {
  const table: RouteTable = { version: router.current().version + 1, apps }
  await router.publish(table)
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

export interface Ask {
  readonly port: number
  readonly host: string
  readonly path?: string
  readonly method?: string
  readonly headers?: http.OutgoingHttpHeaders
  readonly body?: string
  readonly agent?: http.Agent
  readonly signal?: AbortSignal
}

export function ask({
  port,
  host,
  path = '/',
  method = 'GET',
  headers = {},
  body,
  agent,
  signal,
}: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: { host, ...headers },
      agent: agent ?? false,
      signal,
    }
    const request = http.request(options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

const firstByteMs = 5_000

/** Sends bytes and returns what came back until the connection ended or, after the first of it, `quietMs` went by. */
export function askRaw(port: number, bytes: string, quietMs = 300): Promise<{ reply: string; closed: boolean }> {
  return new Promise((resolve) => {
    let reply = ''
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes))
    const finish = (closed: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ reply, closed })
    }
    let timer = setTimeout(finish, firstByteMs, false)
    socket.on('data', (chunk: Buffer) => {
      reply += chunk.toString('latin1')
      clearTimeout(timer)
      timer = setTimeout(finish, quietMs, false)
    })
    socket.on('error', () => finish(true))
    socket.on('end', () => finish(true))
  })
}

export interface Load {
  /** Requests answered as they should be so far. */
  readonly served: () => number
  readonly failures: string[]
  stop(): Promise<void>
}

export interface LoadOptions {
  readonly clients?: number
  readonly expect?: string
  readonly method?: string
  readonly body?: string
  readonly pauseMs?: () => number
}

/** Keeps clients asking until stopped; each has one kept-alive connection. What isn't 200 with `expect` is a failure. */
export function load(port: number, host: string, options: LoadOptions = {}): Load {
  const { clients = 8, expect, pauseMs, method, body } = options
  const failures: string[] = []
  let served = 0
  let stopped = false
  const client = async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    while (!stopped) {
      try {
        const answer = await ask({ port, host, agent, method, body })
        if (answer.status === 200 && (expect === undefined || answer.body === expect)) served++
        else failures.push(`${answer.status} ${answer.body.replace(/[\s\S]*<main>/, '').slice(0, 200)}`)
      } catch (error) {
        failures.push(String(error))
      }
      if (pauseMs) await new Promise((resolve) => setTimeout(resolve, pauseMs()))
    }
    agent.destroy()
  }
  const running = Promise.all(Array.from({ length: clients }, client))
  return {
    served: () => served,
    failures,
    async stop() {
      stopped = true
      await running
    },
  }
}
