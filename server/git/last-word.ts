/**
 * Answers that end a request before its body has been read.
 *
 * A server that closes while its client still sends resets the connection, and the client loses the answer with it: it says
 * "broken pipe" where a sentence was waiting. So the answer goes out whole, and what still comes is read and dropped until
 * the client has stopped, for a bounded time and size. The connection isn't used again after that.
 */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

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
  if (isStillSending(response)) linger(response)
  else response.end()
}

function isStillSending({ req: request }: ServerResponse): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
  return !request.complete && !request.destroyed && (length !== '0' || encoding !== undefined)
}

function linger(response: ServerResponse): void {
  const { req: request } = response
  let left = lingerBytes
  const end = () => {
    clearTimeout(late)
    clearTimeout(quiet)
    response.end()
  }
  const late = setTimeout(end, lingerMs)
  const quiet = setTimeout(end, quietMs)
  // Whoever was reading has lost interest, and would keep what comes from flowing.
  request.unpipe()
  request.removeAllListeners('readable')
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) end()
    else quiet.refresh()
  })
  request.once('end', end)
  request.once('close', end)
  request.on('error', end)
  request.resume()
}
