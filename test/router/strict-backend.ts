/**
 * An app that reads requests to the letter and remembers all that is not as it should be. Whatever a client writes, what
 * the router hands on must be one plain request: a length or chunks but not both, one host, whole lines.
 */
import type net from 'node:net'
import { rawBackend, type Backend, type Teardown } from './backends.js'

export interface StrictBackend extends Backend {
  /** Targets of the requests that came, in order. */
  readonly targets: string[]
  readonly faults: string[]
}

interface Head {
  readonly target: string
  readonly headers: ReadonlyMap<string, string>
}

export async function strictBackend(t: Teardown, host: string): Promise<StrictBackend> {
  const targets: string[] = []
  const faults: string[] = []
  const backend = await rawBackend(t, (socket) => read(socket, host, targets, faults))
  return { ...backend, targets, faults }
}

function read(socket: net.Socket, host: string, targets: string[], faults: string[]): void {
  let text = ''
  let head: Head | undefined
  socket.on('data', (part: Buffer) => {
    text += part.toString('latin1')
    for (;;) {
      if (head === undefined) {
        const end = text.indexOf('\r\n\r\n')
        if (end < 0) return
        head = parseHead(text.slice(0, end), host, faults)
        text = text.slice(end + 4)
      }
      const length = bodyLength(head.headers, text, (fault) => faults.push(`${head?.target}: ${fault}`))
      if (length === undefined || text.length < length) return
      text = text.slice(length)
      targets.push(head.target)
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${head.target.length}\r\n\r\n${head.target}`)
      head = undefined
    }
  })
}

function parseHead(text: string, host: string, faults: string[]): Head {
  const [first = '', ...lines] = text.split('\r\n')
  const [, target, minor] = /^[A-Z]+ (\/\S*|\*) HTTP\/1\.([01])$/.exec(first) ?? []
  if (target === undefined) faults.push(`a request line: ${JSON.stringify(first)}`)
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value] = /^([\w!#$%&'*+.^`|~-]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? []
    if (name === undefined || value === undefined) faults.push(`${target}: a line ${JSON.stringify(line)}`)
    else if (headers.has(name.toLowerCase()) && /^(host|content-length|transfer-encoding)$/i.test(name))
      faults.push(`${target}: two of ${name}`)
    else headers.set(name.toLowerCase(), value)
  }
  if (headers.get('host') !== host) faults.push(`${target}: the host ${JSON.stringify(headers.get('host'))}`)
  if (headers.has('content-length') && headers.has('transfer-encoding')) faults.push(`${target}: length and chunks`)
  if (minor === '0' && headers.has('transfer-encoding')) faults.push(`${target}: chunks in HTTP/1.0`)
  return { target: target ?? '?', headers }
}

/** Undefined while it isn't known. */
function bodyLength(
  headers: ReadonlyMap<string, string>,
  text: string,
  fault: (text: string) => void,
): number | undefined {
  const length = headers.get('content-length')
  const coding = headers.get('transfer-encoding')
  if (length !== undefined && !/^\d+$/.test(length)) fault(`the length ${JSON.stringify(length)}`)
  if (coding !== undefined && coding !== 'chunked') fault(`the coding ${JSON.stringify(coding)}`)
  if (coding === undefined) return Number(length ?? 0)
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n', at)
    if (end < 0) return undefined
    const size = text.slice(at, end)
    if (!/^[0-9a-f]{1,8}$/i.test(size)) fault(`the chunk size ${JSON.stringify(size)}`)
    const bytes = Number.parseInt(size, 16)
    if (bytes === 0) return endOfTrailers(text, end + 2)
    at = end + 2 + bytes + 2
    if (text.length < at) return undefined
    if (text.slice(at - 2, at) !== '\r\n') fault('a chunk without its end')
  }
}

/** What comes after the last chunk belongs to the same request and speaks for nothing. */
function endOfTrailers(text: string, at: number): number | undefined {
  if (text.startsWith('\r\n', at)) return at + 2
  const end = text.indexOf('\r\n\r\n', at)
  return end < 0 ? undefined : end + 4
}
