/** The API on a real database and a real log hub, without an engine: rows are what its loops would have made. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import { dynoUid } from '../../server/model/dyno-user.js'
import { hashToken, newToken } from '../../server/actions/access.js'
import { buildApi } from '../../server/api/app.js'
import { type BuildOutputRegistry, createBuildOutput } from '../../server/api/build-output.js'
import type { ApiDeps, AttachGate } from '../../server/api/deps.js'
import { loadConfig } from '../../server/config.js'
import { createTopic } from '../../server/lib/topic.js'
import { type LogHub, openLogHub } from '../../server/logs/hub.js'
import { renderLogLine } from '../../server/logs/log-line.js'
import { createTailBuffer } from '../../server/logs/tail-buffer.js'
import type { Account } from '../../server/model/account.js'
import type { Release } from '../../server/model/release.js'
import type { Platform, ReleaseNews } from '../../server/platform.js'
import { insertAccount, insertAuthorization } from '../../server/store/accounts.js'
import { lockApp } from '../../server/store/apps.js'
import type { Database } from '../../server/store/database.js'
import { addFormationEntries } from '../../server/store/formations.js'
import { insertRelease, insertSlug, settleRelease } from '../../server/store/releases.js'
import { startTestDatabase } from './database.js'

export interface Person {
  readonly account: Account
  readonly token: string
  readonly authorizationId: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  /** The JSON body; only look when there is one. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads into answers of every shape
  readonly body: any
}

export interface LoggedEntry {
  readonly level: string
  readonly fields: object
  readonly message: string
}

export interface TestApi {
  readonly api: FastifyInstance
  readonly platform: Platform
  readonly db: Database
  readonly hub: LogHub
  readonly buildOutput: BuildOutputRegistry
  readonly logged: readonly LoggedEntry[]
  /** An account with a token. */
  person(email: string, options?: { readonly isAdmin?: boolean; readonly expiresInSeconds?: number }): Promise<Person>
  /** `GET /apps` and its like as somebody; an object as `body` goes as JSON. */
  call(
    who: Person | string | undefined,
    line: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>
  /** A release of the app as a push would have made it; settled unless told otherwise. */
  deploy(appId: string, options?: DeployOptions): Promise<Release>
}

export interface DeployOptions {
  readonly processTypes?: Readonly<Record<string, string>>
  readonly configVars?: Readonly<Record<string, string>>
  readonly status?: 'pending' | 'succeeded' | 'failed'
  readonly accountId?: string
}

const noGate: AttachGate = {
  open: () => Promise.reject(new Error('this test attaches to nothing')),
}

export async function startTestApi(
  t: { teardown(fn: () => unknown): unknown },
  overrides: Partial<ApiDeps> & { readonly env?: Record<string, string> } = {},
): Promise<TestApi> {
  const { db } = await startTestDatabase(t)
  const dir = await mkdtemp(path.join(tmpdir(), 'api-test-logs-'))
  const hub = openLogHub({ dir, appBytes: 10_000_000, linesPerSecond: 10_000 })
  const logged: LoggedEntry[] = []
  const config = loadConfig({ PAAS_API_PORT: '5000', PAAS_HTTP_PORT: '80', ...overrides.env })
  const platform = testPlatform({ db, hub, config, logged })
  const buildOutput = createBuildOutput(config.build.outputBytes)
  const api = await buildApi({
    platform,
    logs: { read: hub.read, follow: hub.follow, render: renderLogLine, buffer: createTailBuffer },
    attach: noGate,
    buildOutput,
    addOnInfo: async (addOn) => [{ name: 'Plan', values: [addOn.plan] }],
    health: async () => ({ ready: true, missing: [] }),
    caCertificatePem: async () => '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
    ...overrides,
  })
  await api.ready()
  t.teardown(async () => {
    await api.close()
    await hub.close()
    await rm(dir, { recursive: true, force: true })
  })
  return {
    api,
    platform,
    db,
    hub,
    buildOutput,
    logged,
    person: (email, options) => makePerson(db, email, options),
    call: (who, line, body, headers) => call(api, who, line, body, headers),
    deploy: (appId, options) => deploy(db, appId, options),
  }
}

function testPlatform(parts: Pick<Platform, 'db' | 'config'> & { hub: LogHub; logged: LoggedEntry[] }): Platform {
  const note = (level: string) => (fields: object, message: string) => {
    parts.logged.push({ level, fields, message })
  }
  const refuse = () => Promise.reject(new Error('the API builds nothing'))
  return {
    config: parts.config,
    db: parts.db,
    log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    builder: { run: refuse, removeImage: refuse, forget: refuse, removeImagesOf: refuse },
    releaseNews: createTopic<ReleaseNews>(),
    nudge: () => {},
    nudgeAddOns: () => {},
    buildsUnderWay: new Set(),
    nudgeImages: () => {},
    appLog: (appId, line) => parts.hub.append(appId, { at: new Date().toISOString(), ...line }),
  }
}

async function makePerson(
  db: Database,
  email: string,
  options: { readonly isAdmin?: boolean; readonly expiresInSeconds?: number } = {},
): Promise<Person> {
  const account = await insertAccount(db, email, options.isAdmin ?? false)
  const token = newToken()
  const { id } = await insertAuthorization(db, {
    accountId: account.id,
    description: 'test',
    tokenHash: hashToken(token),
    expiresInSeconds: options.expiresInSeconds,
  })
  return { account, token, authorizationId: id }
}

async function call(
  api: FastifyInstance,
  who: Person | string | undefined,
  line: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const [method = 'GET', url = '/'] = line.split(' ')
  const token = typeof who === 'string' ? who : who?.token
  const response = await api.inject({
    method: method as 'GET',
    url,
    headers: {
      host: 'localhost:5000',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const isJson = String(response.headers['content-type'] ?? '').includes('json')
  return {
    status: response.statusCode,
    headers: response.headers,
    text: response.body,
    body: isJson && response.body !== '' ? response.json() : undefined,
  }
}

async function deploy(db: Database, appId: string, options: DeployOptions = {}): Promise<Release> {
  const processTypes = options.processTypes ?? { web: 'serve' }
  const release = await db.transaction(async (tx) => {
    await lockApp(tx, appId)
    const slug = await insertSlug(tx, {
      appId,
      commit: 'a'.repeat(40),
      commitDescription: 'First commit',
      imageId: `sha256:${'0'.repeat(64)}`,
      imageReference: `test/${appId}`,
      sizeBytes: 12_345,
      processTypes,
      healthChecks: [],
      buildpacks: ['Python'],
      stack: 'paas-13',
      uid: dynoUid,
    })
    const entries = Object.keys(processTypes).filter((type) => type !== 'release')
    await addFormationEntries(
      tx,
      appId,
      entries.map((type) => ({ type, quantity: type === 'web' ? 1 : 0, size: 'Basic' })),
    )
    return insertRelease(tx, appId, {
      slugId: slug.id,
      configVars: options.configVars ?? {},
      processTypes,
      description: 'Deploy aaaaaaaa',
      accountId: options.accountId,
      status: 'pending',
      commandState: processTypes.release === undefined ? 'none' : 'waiting',
    })
  })
  const status = options.status ?? 'succeeded'
  if (status !== 'pending') await settleRelease(db, release.id, { status })
  return { ...release, status }
}
