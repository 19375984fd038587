/** Asks a web dyno what its app's health checks want to know, before it gets requests. */
import { request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import type { HealthCheck, PathCheck } from '../model/health-check.js'

export interface HealthTarget {
  readonly address: string
  readonly port: number
  /** Sent as Host, so that apps that check it answer as they would. */
  readonly host: string
  readonly startedAt: Date
  readonly healthChecks: readonly HealthCheck[]
}

/** Of a body, so much is looked through; the rest isn't read. */
const bodyBytes = 128 * 1024

/** What the app is told of whoever asks: what it would be told of a visitor by https. */
export function checkHeaders(host: string, agent: string): Record<string, string> {
  return {
    host,
    'user-agent': agent,
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '443',
    'x-forwarded-for': '127.0.0.1',
    connection: 'close',
  }
}

/**
 * Runs all checks side by side. Resolves with undefined when the dyno passed each, else with what the first one that failed
 * got. `onFailure` hears of every attempt that failed and isn't the last. Rejects when `signal` aborts.
 */
export async function checkHealth(
  target: HealthTarget,
  signal: AbortSignal,
  onFailure: (text: string) => void,
): Promise<string | undefined> {
  const over = new AbortController()
  const each = AbortSignal.any([signal, over.signal])
  const failures: string[] = []
  await Promise.all(
    target.healthChecks.map(async (check) => {
      const failure = await (check.kind === 'uptime'
        ? hasRun(target, check.uptime, each)
        : passes(target, check, each, onFailure)
      ).catch((error: unknown) => {
        // Another check has failed: this one's answer is of no interest any more.
        if (signal.aborted || !over.signal.aborted) throw error
        return undefined
      })
      if (failure === undefined) return
      failures.push(failure)
      over.abort()
    }),
  )
  return failures[0]
}

/** A dyno that ends before is seen to have ended. */
async function hasRun(target: HealthTarget, seconds: number, signal: AbortSignal): Promise<undefined> {
  await wait(Math.max(0, target.startedAt.getTime() + seconds * 1_000 - Date.now()), undefined, { signal })
}

async function passes(
  target: HealthTarget,
  check: PathCheck,
  signal: AbortSignal,
  onFailure: (text: string) => void,
): Promise<string | undefined> {
  await wait(check.initialDelay * 1_000, undefined, { signal })
  for (let attempt = 1; ; attempt++) {
    const failure = await ask(target, check, signal)
    if (failure === undefined) return undefined
    if (attempt >= check.attempts) return `${failure} (${attempt} ${attempt === 1 ? 'attempt' : 'attempts'})`
    onFailure(`${failure} (attempt ${attempt} of ${check.attempts})`)
    await wait(check.wait * 1_000, undefined, { signal })
  }
}

/** What is wrong with the answer, as a sentence without its end; undefined when nothing is. */
async function ask(target: HealthTarget, check: PathCheck, signal: AbortSignal): Promise<string | undefined> {
  const what = `GET ${check.path}`
  const timeout = AbortSignal.timeout(check.timeout * 1_000)
  try {
    const { status, message, body } = await get(target, check, AbortSignal.any([signal, timeout]))
    const answered = `${what} answered ${status} ${message}`.trim()
    if (status < 200 || status >= 400) return `${answered}${saidBy(body)}`
    if (check.content !== undefined && !body.includes(check.content))
      return `${answered} without ${JSON.stringify(check.content)} in it${saidBy(body)}`
    return undefined
  } catch (error) {
    if (signal.aborted) throw error
    if (timeout.aborted) return `${what} did not answer within ${check.timeout} seconds`
    const { code, message } = error as NodeJS.ErrnoException
    return `${what} was not answered (${code ?? message})`
  }
}

/** The beginning of a body's text. Only so much is looked at: what `<` opens, and nothing closes, is looked for again and again. */
function saidBy(body: string): string {
  const text = body
    .slice(0, 2_000)
    .replace(/<[^<>]*>|\s+/g, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
  return text === '' ? '' : `: ${JSON.stringify(text.slice(0, 200))}`
}

function get(
  target: HealthTarget,
  check: PathCheck,
  signal: AbortSignal,
): Promise<{ status: number; message: string; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request({
      host: target.address,
      port: target.port,
      path: check.path,
      agent: false,
      signal,
      headers: { ...checkHeaders(target.host, 'paas-health-check'), ...check.headers },
    })
    asking.once('error', reject)
    asking.once('response', (response) => {
      const parts: Buffer[] = []
      let size = 0
      const answer = () => ({
        status: response.statusCode ?? 0,
        message: response.statusMessage ?? '',
        body: Buffer.concat(parts).toString('utf8'),
      })
      response.on('data', (part: Buffer) => {
        parts.push(part)
        size += part.length
        if (size < bodyBytes) return
        resolve(answer())
        asking.destroy()
      })
      response.once('error', reject)
      response.once('end', () => resolve(answer()))
    })
    asking.end()
  })
}
