/**
 * Answers that end a request before its body has been read.
 *
 * A server that closes while its client still sends resets the connection, and the client loses the answer with it: it says
 * "broken pipe" where a sentence was waiting. So the answer goes out whole, and what still comes is read and dropped until
 * the client has stopped, for a bounded time and size. A connection whose client has not stopped by then is closed.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Git looks at an answer while it sends, so it stops long before these. */
const lingerMs = 5_000
const lingerBytes = 64 * 1024 ** 2
/** A client that sends nothing for so long has stopped, or was silent all along. */
const quietMs = 500

const spoken = new WeakSet<ServerResponse>()

/** Whether nothing more can be said, since the last word has been or nobody is there. */
export function isAnswered(response: ServerResponse): boolean {
  return response.destroyed || response.writableEnded || spoken.has(response)
}

/** A sentence, which git shows its user after `remote:`. Cuts an answer that has begun; says nothing after the last word. */
export function sendText(
  response: ServerResponse,
  status: number,
  sentence: string,
  headers: OutgoingHttpHeaders = {},
): void {
  if (isAnswered(response)) return
  if (response.headersSent) return void response.destroy()
  spoken.add(response)
  const text = Buffer.from(` !     ${sentence}\n`)
  const ownHeaders = { 'content-type': 'text/plain; charset=utf-8', 'content-length': text.length }
  const ending = isStillSending(response) ? { connection: 'close' } : {}
  response.writeHead(status, { ...headers, ...ownHeaders, ...ending })
  response.write(text)
  if (isStillSending(response)) linger(response.req, () => response.end())
  else response.end()
}

/** Ends an answer that is whole, whatever is still being sent: git may have said all before it has been sent too much. */
export function endAnswer(response: ServerResponse): void {
  const { req: request } = response
  response.end()
  const cut = () => {
    if (!request.complete) request.socket.destroy()
  }
  if (isStillSending(response)) linger(request, cut)
}

function isStillSending({ req: request }: ServerResponse): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
  return !request.complete && !request.destroyed && (length !== '0' || encoding !== undefined)
}

/** Reads on until the client has stopped, and calls `then` at least once. */
function linger(request: IncomingMessage, then: () => void): void {
  let left = lingerBytes
  const stop = () => {
    clearTimeout(late)
    clearTimeout(quiet)
    then()
  }
  const late = setTimeout(stop, lingerMs)
  const quiet = setTimeout(stop, quietMs)
  // Whoever was reading has lost interest, and would keep what comes from flowing.
  request.unpipe()
  request.removeAllListeners('readable')
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) stop()
    else quiet.refresh()
  })
  request.once('end', stop)
  request.once('close', stop)
  request.on('error', stop)
  request.resume()
}
