/** Requests that no git client sends: hand-made pushes, odd headers, broken bodies. */
import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import type { Front } from './front-world.js'
import { token } from './front-world.js'

export const zeroOid = '0'.repeat(40)
export const pushType = 'application/x-git-receive-pack-request'
export const fetchType = 'application/x-git-upload-pack-request'

export const basic = (secret: string, user = 'any') => `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`

export interface Ask {
  readonly method?: string
  readonly path: string
  readonly headers?: Record<string, string>
  readonly body?: Buffer | string
  readonly timeoutMs?: number
}

/** One request on a connection of its own; 5 s for the answer unless told otherwise. */
export function ask(
  front: { readonly port: number },
  { method = 'GET', path, headers = {}, body, timeoutMs = 5_000 }: Ask,
) {
  return new Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: front.port, method, path, headers, agent: false, timeout: timeoutMs }
    const request = http.request(options, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1')
      })
      const settle = () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text })
      response.once('end', settle)
      response.once('error', settle)
    })
    request.once('timeout', () => request.destroy(new Error(`no answer to ${method} ${path} within ${timeoutMs} ms`)))
    request.once('error', reject)
    request.end(body)
  })
}

export function askToPush(front: Front, app: string, body: Buffer | string, headers: Record<string, string> = {}) {
  return ask(front, {
    method: 'POST',
    path: `/${app}.git/git-receive-pack`,
    headers: { authorization: basic(token), 'content-type': pushType, ...headers },
    body,
  })
}

export function pktLine(text: string): string {
  return `${(Buffer.byteLength(text) + 4).toString(16).padStart(4, '0')}${text}`
}

export interface Update {
  readonly ref: string
  readonly oldOid?: string
  readonly newOid: string
}

export function commandList(updates: readonly Update[], capabilities = 'report-status side-band-64k'): string {
  const lines = updates.map(({ ref, oldOid = zeroOid, newOid }, at) =>
    pktLine(`${oldOid} ${newOid} ${ref}${at === 0 ? `\0 ${capabilities}` : ''}`),
  )
  return `${lines.join('')}0000`
}

/** A pack of these revisions of the working copy. */
export function packOf(copy: string, revisions = 'HEAD\n'): Promise<Buffer> {
  const { PATH = '' } = process.env
  const child = spawn('git', ['pack-objects', '--revs', '--stdout', '--quiet'], { cwd: copy, env: { PATH } })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr.resume()
  child.stdin.on('error', () => {})
  child.stdin.end(revisions)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve(Buffer.concat(chunks)))
  })
}

/** A whole push of the copy's HEAD to these refs, as bytes of an HTTP body. */
export async function pushBody(front: Front, copy: string, refs: readonly string[]): Promise<Buffer> {
  const newOid = (await front.git(copy, ['rev-parse', 'HEAD'])).output.trim()
  return Buffer.concat([Buffer.from(commandList(refs.map((ref) => ({ ref, newOid })))), await packOf(copy)])
}

export function rawRequest(app: string, body: Buffer, headers: readonly string[] = []): Buffer {
  const head = [
    `POST /${app}.git/git-receive-pack HTTP/1.1`,
    'Host: localhost',
    `Authorization: ${basic(token)}`,
    `Content-Type: ${pushType}`,
    `Content-Length: ${body.length}`,
    ...headers,
    '\r\n',
  ]
  return Buffer.concat([Buffer.from(head.join('\r\n')), body])
}

/** Runs git with this input and returns what it prints. */
export function gitWithInput(cwd: string, args: readonly string[], input: string | Buffer): Promise<string> {
  const { PATH = '' } = process.env
  const child = spawn('git', args, { cwd, env: { PATH } })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8')
  })
  child.stderr.resume()
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve(output))
  })
}

/** Everything below a folder, links as links. (`readdir` with `recursive` follows them.) */
export async function below(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true })
  const listed = entries.map(async (entry) => {
    const file = path.join(dir, entry.name)
    return entry.isDirectory() ? [file, ...(await below(file))] : [file]
  })
  return (await Promise.all(listed)).flat()
}
