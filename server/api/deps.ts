/** What the API needs from the rest of the platform, in its own words; the composition root joins the two. */
import type { Readable, Writable } from 'node:stream'
import type { AddOn } from '../model/add-on.js'
import type { OneOff } from '../model/dyno.js'
import type { Platform } from '../platform.js'

export interface LogLine {
  /** RFC 3339. */
  readonly at: string
  readonly source: 'app' | 'heroku'
  readonly dyno: string
  readonly text: string
}

export interface LogQuery {
  /** The newest so many. */
  readonly lines: number
  readonly source?: string
  /** `web.1`, or `web` for all of a type. */
  readonly dyno?: string
}

/** Holds lines for a reader that is slow, in bounded memory. */
export interface LineBuffer {
  push(line: LogLine): void
  resume(): void
  close(): void
}

export interface AppLogs {
  /** The newest lines, oldest first. */
  read(appId: string, query: LogQuery): Promise<readonly LogLine[]>
  /** The same lines and then what comes, without gap or double. Returns what ends it. */
  follow(appId: string, query: LogQuery, onLine: (line: LogLine) => void): Promise<() => void>
  /** As Heroku prints it, without a line break. */
  render(line: LogLine): string
  /** `deliver` answers false when it wants to wait for `resume`. */
  buffer(options: { readonly deliver: (line: LogLine) => boolean }): LineBuffer
}

/** A one-off dyno's terminal. With a TTY all output is on `stdout`. */
export interface AttachedDyno {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  resize(columns: number, rows: number): Promise<void>
  readonly exitCode: Promise<number>
  /** Lets go of the streams; the dyno goes on. */
  close(): void
}

export interface AttachGate {
  /** Waits until the dyno has been created, and joins it before its first output. Rejects when it doesn't start. */
  open(oneOff: OneOff): Promise<AttachedDyno>
}

/** Where the rendezvous listens, for Heroku's command line to attach to dynos. */
export interface RendezvousDeps {
  readonly bind: string
  /** 0 takes any that is free. */
  readonly port: number
  /** Certificate and key in one PEM, for the host that a client names. */
  certificatePem(host: string): Promise<string>
}

/** What the build under way of an app has said; there is at most one per app. */
export interface BuildOutput {
  /** Calls back at once with all so far, then as it comes. Returns what ends it. */
  follow(appId: string, onText: (text: string) => void): () => void
}

export interface InfoRow {
  readonly name: string
  readonly values: readonly string[]
}

export interface Health {
  readonly ready: boolean
  /** What is not there yet: `router`, `database` … */
  readonly missing: readonly string[]
}

/** How long things of the API's own last, in milliseconds. */
export interface ApiTimings {
  /** A log session may be opened for this long. */
  readonly logSessionMs: number
  /** A URL of a build's or a release's output may be opened for this long. */
  readonly outputUrlMs: number
  /** Whoever asked for an attached dyno must have connected by then, else it is stopped. */
  readonly attachMs: number
  /** A rendezvous connection must have brought its secret by then; its handshake has as long. */
  readonly rendezvousLineMs: number
  /** A comment is sent on a quiet log tail after this long, and its right to go on is looked at. */
  readonly heartbeatMs: number
  readonly pingMs: number
  /** How often rows are looked at while an output is followed. */
  readonly pollMs: number
  /** A request's body must have arrived by then. */
  readonly bodyMs: number
  /** Requests that are under way when the API closes have this long to end. */
  readonly closeMs: number
}

export const defaultTimings: ApiTimings = {
  logSessionMs: 5 * 60_000,
  outputUrlMs: 60 * 60_000,
  attachMs: 60_000,
  rendezvousLineMs: 10_000,
  heartbeatMs: 15_000,
  pingMs: 30_000,
  pollMs: 1_000,
  bodyMs: 30_000,
  closeMs: 10_000,
}

export interface ApiDeps {
  readonly platform: Platform
  readonly logs: AppLogs
  readonly attach: AttachGate
  readonly buildOutput: BuildOutput
  /** What `pg:info` shows of a provisioned database. */
  addOnInfo(addOn: AddOn): Promise<readonly InfoRow[]>
  health(): Promise<Health>
  caCertificatePem(): Promise<string>
  /** Left out, there is no rendezvous. */
  readonly rendezvous?: RendezvousDeps | undefined
  readonly timings?: Partial<ApiTimings>
}
