/**
 * The Platform API v3 as the commands see it: JSON in and out, lists read to their end, refusals thrown as `ApiError`
 * with the API's own words, and everything that can go wrong on the way said in a sentence.
 *
 * The token goes to the API's origin only. Only GET is repeated after a failure: another method may have been carried
 * out although its answer was lost.
 */
import type { IncomingMessage } from 'node:http'
import { ApiError, CliError, UsageError } from './errors.js'
import { warn } from './output.js'
import { version } from './version.js'

const idleTimeoutMs = 60_000
const retryDelaysMs = [250, 1000]
const transientStatuses = [502, 503, 504]
const transientCodes = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN']
const bodyBytesMax = 64 * 1024 * 1024

export interface ApiClientOptions {
  readonly origin: string
  readonly token: () => string | undefined
  /** PEM file of the platform's own CA; need not exist. */
  readonly caFile: string
}

interface Call {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly range?: string
  readonly headers?: Readonly<Record<string, string>>
  /** The call needs no account; it is made without a token when there is none. */
  readonly anonymous?: boolean
}

/** Makes a path; every value becomes one segment of it, so no value can name another resource. */
export function route(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return parts.reduce((path, part, i) => {
    const value = values[i - 1] ?? ''
    // A URL swallows these, and the request would reach what stands above.
    if (value === '' || value === '.' || value === '..') throw new UsageError(`'${value}' is not a name`)
    return path + encodeURIComponent(value) + part
  })
}

export class ApiClient {
  readonly origin: string
  readonly #options: ApiClientOptions

  constructor(options: ApiClientOptions) {
    this.origin = options.origin
    this.#options = options
  }

  get<T>(path: string, options: { readonly anonymous?: boolean } = {}): Promise<T> {
    return this.#json<T>({ method: 'GET', path, ...options })
  }

  post<T>(
    path: string,
    body: unknown = {},
    options: { readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<T> {
    return this.#json<T>({ method: 'POST', path, body, ...options })
  }

  put<T>(path: string, body: unknown): Promise<T> {
    return this.#json<T>({ method: 'PUT', path, body })
  }

  patch<T>(path: string, body: unknown): Promise<T> {
    return this.#json<T>({ method: 'PATCH', path, body })
  }

  delete<T>(path: string, body?: unknown): Promise<T> {
    return this.#json<T>({ method: 'DELETE', path, body })
  }

  /** A list, its pages followed to the end, or to `limit` items. `range` is Heroku's: `version ..; order=desc`. */
  async list<T>(path: string, options: { readonly range?: string; readonly limit?: number } = {}): Promise<T[]> {
    const { limit } = options
    const separator = options.range?.includes(';') ? ',' : ';'
    let range = limit === undefined ? options.range : `${options.range ?? 'id ..'}${separator}max=${limit}`
    const items: T[] = []
    do {
      const response = await this.#send({ method: 'GET', path, range })
      items.push(...parseJson<T[]>(await readText(response)))
      const next = response.headers['next-range']
      range = typeof next === 'string' && next !== range ? next : undefined
    } while (range !== undefined && (limit === undefined || items.length < limit))
    return limit === undefined ? items : items.slice(0, limit)
  }

  /** A reply that isn't JSON, such as a certificate. */
  async text(path: string): Promise<string> {
    return readText(await this.#send({ method: 'GET', path, anonymous: true }))
  }

  /**
   * Opens a stream that the API named (`logplex_url`, `output_stream_url`). It carries its own secret, so the token isn't
   * sent. `mayBeSilent` is for a stream without an end.
   */
  async openStream(address: string, options: { readonly accept: string; readonly mayBeSilent: boolean }) {
    const { sendRequest } = await import('./http-transport.js')
    const url = new URL(address, this.origin)
    const headers = { accept: options.accept, 'user-agent': `paas/${version}` }
    const idle = options.mayBeSilent ? 0 : idleTimeoutMs
    const request = { url, method: 'GET', headers, idleTimeoutMs: idle, caFile: this.#options.caFile }
    const response = await sendRequest(request).catch((error: unknown) => {
      throw this.#explain(error)
    })
    if (response.statusCode !== 200) throw await toApiError(response, `GET ${url.pathname}`)
    return response
  }

  async #json<T>(call: Call): Promise<T> {
    return parseJson<T>(await readText(await this.#send(call)))
  }

  async #send(call: Call): Promise<IncomingMessage> {
    const { sendRequest } = await import('./http-transport.js')
    const request = {
      url: new URL(call.path, this.origin),
      method: call.method,
      headers: this.#headers(call),
      idleTimeoutMs,
      caFile: this.#options.caFile,
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    }
    for (let attempt = 0; ; attempt += 1) {
      const delayMs = call.method === 'GET' ? retryDelaysMs[attempt] : undefined
      try {
        const response = await sendRequest(request)
        const status = response.statusCode ?? 0
        if (delayMs === undefined || !transientStatuses.includes(status)) {
          showWarnings(response)
          if (status >= 200 && status < 300) return response
          throw await toApiError(response, `${call.method} ${call.path}`)
        }
        response.resume()
      } catch (error) {
        if (error instanceof CliError) throw error
        if (delayMs === undefined || !transientCodes.includes(codeOf(error))) throw this.#explain(error)
      }
      await new Promise((resolve) => setTimeout(resolve, delayMs))
    }
  }

  #headers(call: Call): Record<string, string> {
    const token = this.#options.token()
    if (token === undefined && !call.anonymous)
      throw new CliError(`You are not logged in to ${this.origin}.\nRun paas login, or set PAAS_API_KEY.`)
    const body = call.body === undefined ? '' : JSON.stringify(call.body)
    return {
      accept: 'application/vnd.heroku+json; version=3',
      'user-agent': `paas/${version}`,
      ...call.headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(call.range === undefined ? {} : { range: call.range }),
      ...(call.body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
    }
  }

  #explain(error: unknown): CliError {
    const code = codeOf(error)
    const at = `The platform at ${this.origin}`
    if (code === 'ECONNREFUSED')
      return new CliError(`${at} does not answer. Start it with docker/up, or set PAAS_API_URL.`)
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
      return new CliError(`${at} can't be found: there is no such host. Check PAAS_API_URL.`)
    if (code === 'ETIMEDOUT') return new CliError(`${at} gave no answer within ${idleTimeoutMs / 1000} s. Try again.`)
    if (/CERT|SIGNATURE|ALTNAME|LEAF/.test(code))
      return new CliError(
        `${at} has a certificate that this machine does not trust (${code}).\nRun paas certs:trust on the platform's own machine, or name its CA in NODE_EXTRA_CA_CERTS.`,
      )
    return new CliError(`The connection to ${this.origin} failed: ${code || String(error)}. Try again.`)
  }
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > bodyBytesMax) throw new CliError('The answer is larger than 64 MB; ask for less')
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof CliError) throw error
    throw new CliError(
      `The answer broke off: ${codeOf(error) || String(error)}. Look whether it was done, then try again.`,
    )
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseJson<T>(text: string): T {
  try {
    return (text === '' ? null : JSON.parse(text)) as T
  } catch {
    throw new CliError('The answer is not JSON. Does PAAS_API_URL name the API of a platform?')
  }
}

async function toApiError(response: IncomingMessage, what: string): Promise<ApiError> {
  const status = response.statusCode ?? 0
  const text = await readText(response)
  try {
    const body: { id?: unknown; message?: unknown } | null = JSON.parse(text)
    if (typeof body?.message === 'string') return new ApiError(status, String(body.id ?? ''), body.message)
  } catch {
    // Not from the API; the status says what there is to say.
  }
  return new ApiError(status, '', `${what} was answered with ${status} ${response.statusMessage ?? ''}`.trimEnd())
}

function showWarnings(response: IncomingMessage): void {
  for (const name of ['x-heroku-warning', 'warning-message']) {
    const text = response.headers[name]
    if (typeof text === 'string') warn(`Warning: ${text}`)
  }
}
