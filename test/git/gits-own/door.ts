/**
 * The git front where git's own tests expect Apache: under its addresses, over repositories that a script makes for itself.
 * What a push may change is not decided here (the relay does that, and a script pushes what it likes); all that speaks
 * HTTP is the platform's.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, appendFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import fastify, { type FastifyInstance } from 'fastify'
import { readToken } from '../../../server/git/credentials.js'
import type { GitTransport } from '../../../server/git/git-transport.js'
import type { AnnouncedPush } from '../../../server/git/push.js'
import type { GitLimits } from '../../../server/git/push-request.js'
import { registerGit } from '../../../server/git/register-git.js'
import type { Relay } from '../../../server/git/relay.js'
import { repositories } from '../../../server/git/repositories.js'

/** The password that the scripts give for user@host. */
const token = 'pass@host'
const limits: GitLimits = {
  packBytes: 1024 ** 3,
  refsPerPush: 10_000,
  idleTimeoutMs: 60_000,
  timeoutMs: 600_000,
  heartbeatMs: 15_000,
  pushesPerAccount: 100,
  pushesPerHour: 100_000,
  fetches: 16,
}

/** Listens on loopback. `serverDir` is what the scripts call `HTTPD_ROOT_PATH`. */
export async function openDoor(
  transport: GitTransport,
  serverDir: string,
): Promise<{ port: number; close(): unknown }> {
  const account = { id: randomUUID(), email: 'git@example.com', name: 'git', isAdmin: false, createdAt: new Date() }
  const log = { info() {}, warn() {}, error: (fields: object, message: string) => console.error(message, fields) }
  const server = fastify({ logger: false, rewriteUrl: (request) => rewrite(request as IncomingMessage) })
  logAccess(server, path.join(serverDir, 'access.log'))
  await server.register(registerGit, {
    authenticate: async (header: string) => (readToken(header) === token ? account : undefined),
    findRepository: async (_, name) => {
      const found = [name, name.replaceAll('-', '_')]
        .flatMap((each) => [`${each}.git`, each])
        .map((each) => path.join(serverDir, 'www', each))
        .find((each) => existsSync(each))
      return found === undefined ? undefined : { appId: randomUUID(), path: found }
    },
    limits,
    transport,
    repositories: repositories(path.join(serverDir, 'unused'), { packBytes: limits.packBytes, runAs: undefined }),
    relay: consent,
    log,
  })
  await server.listen({ port: 0, host: '127.0.0.1' })
  return { port: (server.server.address() as AddressInfo).port, close: () => server.close() }
}

const announced: AnnouncedPush = { pushId: 'unjudged', phase: 'receiving', abort: () => true, close() {} }
const consent: Relay = {
  start: async () => {},
  close: async () => {},
  checkReady: async () => {},
  announce: () => announced,
}

/**
 * `/smart/test_repo.git/…` is `/test-repo.git/…` here. Below `/auth/` and its like the scripts want to be asked who they
 * are; elsewhere nobody is, so the token is put in.
 */
function rewrite(request: IncomingMessage): string {
  const url = request.url ?? '/'
  const match =
    /^\/(?:(auth|auth-push|auth-fetch|half-auth-complete)\/)?(smart|smart_v0)\/([^/]+?)(?:\.git)?\/(.*)$/.exec(url)
  if (!match) return url
  const [, zone, kind, name = '', rest = ''] = match
  const isPush = rest.includes('git-receive-pack')
  const isAsked =
    zone === 'auth' ||
    (zone === 'auth-push' && rest === 'git-receive-pack') ||
    (zone === 'auth-fetch' && rest === 'git-upload-pack') ||
    (zone === 'half-auth-complete' && isPush)
  if (!isAsked) request.headers.authorization = `Bearer ${token}`
  if (kind === 'smart_v0') delete request.headers['git-protocol']
  return `/${name.replaceAll('_', '-')}.git/${rest}`
}

/** As Apache writes it; the scripts read it. */
function logAccess(server: FastifyInstance, file: string): void {
  server.addHook('onRequest', async (request, reply) => {
    const line = `127.0.0.1 - - [-] "${request.method} ${request.originalUrl} HTTP/${request.raw.httpVersion}"`
    reply.raw.once('finish', () => appendFileSync(file, `${line} ${reply.raw.statusCode} 1\n`))
  })
}
