/** wrk, the load generator, and what it prints. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface WrkResult {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers other than 2xx and 3xx, and connections that broke or timed out. */
  readonly failed: number
}

const perSecond: Readonly<Record<string, number>> = { us: 1_000_000, ms: 1_000, s: 1, m: 1 / 60 }

function milliseconds(text: string | undefined): number {
  const match = /^([\d.]+)(us|ms|s|m)$/.exec(text ?? '')
  if (!match) throw new Error(`wrk printed no time: ${text}`)
  return (Number(match[1]) * 1_000) / (perSecond[match[2] ?? ''] ?? Number.NaN)
}

/** Of what `wrk --latency` printed; throws when that is something else. */
export function parseWrk(output: string): WrkResult {
  const requests = /^\s+(\d+) requests in ([\d.]+)(us|ms|s|m),/m.exec(output)
  const rate = /^Requests\/sec:\s+([\d.]+)$/m.exec(output)
  if (!requests || !rate) throw new Error(`wrk printed no result:\n${output}`)
  const bad = /^\s+Non-2xx or 3xx responses: (\d+)$/m.exec(output)
  const errors = /^\s+Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$/m.exec(output)
  const failed = [bad?.[1], ...(errors?.slice(1) ?? [])].reduce((sum, count) => sum + Number(count ?? 0), 0)
  return {
    requests: Number(requests[1]),
    requestsPerSecond: Number(rate[1]),
    p50Ms: milliseconds(/^\s+50%\s+(\S+)\s*$/m.exec(output)?.[1]),
    p99Ms: milliseconds(/^\s+99%\s+(\S+)\s*$/m.exec(output)?.[1]),
    failed,
  }
}

export interface WrkOptions {
  readonly url: string
  readonly host: string
  readonly seconds: number
  readonly connections: number
  /** Processor that wrk may use. */
  readonly cpu: number
  readonly headers?: readonly string[]
  /** A Lua script of wrk's. */
  readonly script?: string
}

/** One run, with one thread. */
export async function wrk(options: WrkOptions): Promise<WrkResult> {
  const headers = [`Host: ${options.host}`, ...(options.headers ?? [])].flatMap((header) => ['-H', header])
  const { stdout } = await promisify(execFile)('taskset', [
    '-c',
    String(options.cpu),
    'wrk',
    '-t1',
    `-c${options.connections}`,
    `-d${options.seconds}s`,
    '--latency',
    ...headers,
    ...(options.script === undefined ? [] : ['-s', options.script]),
    options.url,
  ])
  return parseWrk(stdout)
}
