/** What keeps a connection for long: websockets, and HTTP/2 over TLS. */
import http2 from 'node:http2'
import { setTimeout as wait } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Client } from './client.js'
import { openLoop } from './http-traffic.js'

const echoDeadlineMs = 10_000

/**
 * Each talks until it is ended, then a new one is opened at once. Served means that it was opened and that every message
 * sent before the end came back; how it ended is counted apart.
 */
export async function websockets(client: Client): Promise<void> {
  const one = async () => {
    while (!client.isStopped) await client.count('websockets', () => converse(client))
  }
  await Promise.all(Array.from({ length: client.rates.open }, one))
}

async function converse(client: Client): Promise<void> {
  const { target, tally, live } = client
  const socket = new WebSocket(`ws://127.0.0.1:${target.httpPort}/`, { headers: { host: target.host } })
  let failure: Error | undefined
  const fail = (error: Error) => {
    failure ??= error
    socket.terminate()
  }
  socket.on('upgrade', (response) => {
    try {
      client.judge(response.headers, live)
    } catch (error) {
      fail(error as Error)
    }
  })
  let opened = false
  let sent = 0
  let echoed = 0
  let lastSentAt = 0
  let byClient = false
  socket.on('open', () => {
    opened = true
  })
  socket.on('message', (text) => {
    if (String(text) !== String(echoed)) fail(new Error(`a websocket echoed ${String(text)} instead of ${echoed}`))
    echoed++
  })
  socket.on('error', (error: Error & { code?: string }) => {
    if (!opened) failure ??= error
    else tally.socketEnds[error.code ?? error.message] = (tally.socketEnds[error.code ?? error.message] ?? 0) + 1
  })
  const ended = new Promise<void>((resolve) =>
    socket.on('close', (code) => {
      if (opened && !byClient && failure === undefined) tally.socketEnds[code] = (tally.socketEnds[code] ?? 0) + 1
      resolve()
    }),
  )
  const talk = setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return
    if (sent > echoed && Date.now() - lastSentAt > echoDeadlineMs) return fail(new Error('a message did not come back'))
    if (client.isStopped && sent === echoed) {
      byClient = true
      socket.close(1000)
    } else if (!client.isStopped && sent === echoed) {
      socket.send(String(sent++))
      lastSentAt = Date.now()
    }
  }, 250)
  await ended
  clearInterval(talk)
  if (failure) throw failure
  if (!opened) throw new Error('a websocket did not open')
}

/** One connection for many requests; a new one only once the router has said that this one takes no more. */
export async function http2Requests(client: Client): Promise<void> {
  const { target } = client
  let session: http2.ClientHttp2Session | undefined
  const usable = (): http2.ClientHttp2Session => {
    if (session && !session.closed && !session.destroyed) return session
    const made = http2.connect(`https://127.0.0.1:${target.httpsPort}`, { ca: target.ca, servername: target.host })
    // What it carries says so itself.
    made.on('error', () => {})
    made.on('goaway', () => {
      if (session === made) session = undefined
    })
    session = made
    return made
  }
  const ask = async () => {
    try {
      await ask2(client, usable())
    } catch (error) {
      if (!(error instanceof StreamRefused)) throw error
      client.tally.refusedStreams++
      await ask2(client, usable())
    }
  }
  await openLoop(client, client.rates.perSecond / 2, () => client.count('http/2', ask))
  await client.settled()
  session?.close()
}

/**
 * The router closed the connection in the moment in which the client began the stream, and says that it did nothing with
 * it. HTTP/2 tells clients to send it again; Node's is the rare one that leaves it to its user (RFC 9113, 8.7).
 */
class StreamRefused extends Error {}

function ask2(client: Client, session: http2.ClientHttp2Session): Promise<void> {
  const live = client.live
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/slow?ms=50', ':authority': client.target.host })
    let head: http2.IncomingHttpHeaders = {}
    let body = ''
    stream.setEncoding('utf8')
    stream.once('response', (headers) => {
      head = headers
    })
    stream.on('data', (part: string) => {
      body += part
    })
    stream.once('error', (error) => {
      const wasRefused = stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM
      reject(
        wasRefused ? new StreamRefused(error.message) : new Error(`${error.message} (reset with ${stream.rstCode})`),
      )
    })
    stream.once('close', () => reject(new Error(`the stream closed with ${stream.rstCode}`)))
    stream.once('end', () => {
      try {
        if (Number(head[':status']) !== 200 || body !== 'ok') throw new Error(`status ${String(head[':status'])}`)
        client.judge(head, live)
        resolve()
      } catch (error) {
        reject(error)
      }
    })
  })
}

/** Ends a client's waiting after a while, so that something that hangs is a failure and not an endless test. */
export async function within(ms: number, what: string, done: Promise<void>): Promise<void> {
  const timer = new AbortController()
  const late = wait(ms, undefined, { signal: timer.signal }).then(
    () => {
      throw new Error(`${what} did not end within ${ms} ms`)
    },
    () => {},
  )
  await Promise.race([done, late])
  timer.abort()
}
