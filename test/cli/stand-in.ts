/**
 * What the CLI's tests stand on: the CLI bundled as it is shipped and run as a process of its own, and a small HTTP
 * server in place of the platform, which answers from a table and remembers what it was asked.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { build } from 'esbuild'

interface Teardown {
  teardown(step: () => void | Promise<void>): void
}

export interface Cli {
  /** The bundled file. */
  readonly file: string
  /** Home folder of the runs; empty at first. */
  readonly home: string
  run(args: readonly string[], options?: RunOptions): Promise<Ended>
  start(args: readonly string[], options?: RunOptions): ChildProcess
  env(api: { readonly origin: string } | undefined): NodeJS.ProcessEnv
}

export interface RunOptions {
  readonly api?: { readonly origin: string }
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly input?: string
}

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export const token = 'HRKU-test-token'

/** Bundles the CLI into a folder of the test's own. Runs have no environment but PATH and what the test gives. */
export async function bundleCli(t: Teardown): Promise<Cli> {
  const folder = mkdtempSync(path.join(tmpdir(), 'paas-cli-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = path.join(folder, 'paas.cjs')
  const home = path.join(folder, 'home')
  mkdirSync(home)
  await build({
    entryPoints: ['cli/main.ts'],
    outfile: file,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    banner: { js: '#!/usr/bin/env node' },
    logLevel: 'error',
  })
  const env = (api: { readonly origin: string } | undefined): NodeJS.ProcessEnv => ({
    PATH: process.env.PATH,
    HOME: home,
    TZ: 'UTC',
    GIT_CONFIG_NOSYSTEM: '1',
    ...(api === undefined ? {} : { PAAS_API_URL: api.origin, PAAS_API_KEY: token }),
  })
  const start = (args: readonly string[], options: RunOptions = {}) =>
    spawn(process.execPath, [file, ...args], {
      cwd: options.cwd ?? home,
      env: { ...env(options.api), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  return {
    file,
    home,
    env,
    start,
    async run(args, options = {}) {
      const child = start(args, options)
      child.stdin?.on('error', () => {})
      child.stdin?.end(options.input ?? '')
      return ended(child)
    },
  }
}

/** Collects what a process prints until it ends. */
export function ended(child: ChildProcess): Promise<Ended> {
  const text = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream]?.setEncoding('utf8').on('data', (chunk: string) => {
      text[stream] += chunk
    })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...text }))
  })
}

export interface Asked {
  readonly line: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: unknown
}

export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Answers as it is instead of as JSON. */
  readonly text?: string
}

export type Answers = Record<string, Answer | ((asked: Asked) => Answer)>

export interface Api {
  readonly origin: string
  readonly server: http.Server
  readonly answers: Answers
  /** Everything asked since the last `takeAsked`. */
  takeAsked(): Asked[]
}

/** A server that answers `METHOD /path` from the table, and anything else with the platform's 404. */
export async function startApi(t: Teardown, answers: Answers, host = '127.0.0.1'): Promise<Api> {
  let asked: Asked[] = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      const line = `${request.method} ${request.url}`
      const one: Asked = { line, headers: request.headers, body: text === '' ? undefined : JSON.parse(text) }
      asked.push(one)
      const found = answers[line] ?? notFound
      send(response, typeof found === 'function' ? found(one) : found)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  t.teardown(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    server,
    answers,
    takeAsked() {
      const taken = asked
      asked = []
      return taken
    },
  }
}

const notFound: Answer = { status: 404, body: { id: 'not_found', message: "Couldn't find that app.", resource: 'app' } }

function send(response: http.ServerResponse, answer: Answer): void {
  const body = answer.text ?? JSON.stringify(answer.body ?? {})
  const type = answer.text === undefined ? 'application/json' : 'text/plain'
  response.writeHead(answer.status ?? 200, { 'content-type': type, ...answer.headers })
  response.end(body)
}

/** Resolves once `condition` holds; fails after ten seconds, naming what was waited for. */
export async function waitUntil(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited 10 s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export const app = {
  id: '01234567-89ab-cdef-0123-456789abcdef',
  name: 'my-app',
  web_url: 'http://my-app.localhost/',
  git_url: 'http://localhost:5000/my-app.git',
  maintenance: false,
  owner: { email: 'me@example.com' },
  region: { name: 'local' },
  stack: { name: 'paas-13' },
  slug_size: 15_728_640,
  repo_size: null,
  created_at: '2026-01-02T03:04:05Z',
}

export function release(version: number, more: Readonly<Record<string, unknown>> = {}) {
  return {
    id: `release-${version}`,
    version,
    description: `Deploy abc${version}`,
    status: 'succeeded',
    current: false,
    created_at: '2026-01-02T03:04:05Z',
    user: { email: 'me@example.com' },
    eligible_for_rollback: true,
    output_stream_url: null,
    ...more,
  }
}
