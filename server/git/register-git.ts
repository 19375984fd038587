/**
 * The git front: the three routes of git's smart HTTP and nothing else, on the API's own origin.
 *
 * Every request is authenticated, the second one of a push like the first; only then is anything else of it looked at. An
 * app that isn't there and one that isn't the account's get one and the same answer. A request that passes goes to git
 * through a `GitTransport`; what a push may change is decided later, by the relay.
 */
import { setMaxListeners } from 'node:events'
import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Account } from '../model/account.js'
import { isAppName } from '../model/app-name.js'
import { errorStatus, PlatformError } from '../model/errors.js'
import { readToken } from './credentials.js'
import { FetchTurns } from './fetch-turns.js'
import type { GitServiceName } from './git-transport.js'
import { AccountCounts, type GitAccess, type GitDependencies, type GitWork } from './git-work.js'
import { sendText } from './last-word.js'
import type { GitLimits, GitLog } from './push-request.js'
import { PushRate } from './push-rate.js'
import { PushesUnderWay } from './pushes-under-way.js'
import { receivePush } from './receive-push.js'
import { advertiseRefs, serveFetch } from './serve-fetch.js'

/** An account's requests of all kinds at once, for each push it may have; beyond it the answer is 429. */
const requestsPerPush = 8
const lookupDeadlineMs = 5_000

const bodyTypes: Record<GitServiceName, string> = {
  'upload-pack': 'application/x-git-upload-pack-request',
  'receive-pack': 'application/x-git-receive-pack-request',
}

/**
 * A Fastify plugin, registered without a prefix; its content types and error answers stay its own. The server it is
 * registered on must not limit how long a request takes (`requestTimeout: 0`, Fastify's default).
 */
export async function registerGit(fastify: FastifyInstance, deps: GitDependencies): Promise<void> {
  const accounts = new WeakMap<FastifyRequest, Account>()
  const closing = new AbortController()
  // Every request under way listens to it.
  setMaxListeners(0, closing.signal)
  const rate = new PushRate(deps.limits.pushesPerHour)
  const serve = server(deps, rate, closing.signal)
  // Held pushes would hold up the closing of the server.
  fastify.addHook('preClose', async () => closing.abort())

  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser(Object.values(bodyTypes), (_request, payload, done) => done(null, payload))
  fastify.setErrorHandler((error, request, reply) => answerError(error, request, reply, deps.log))

  fastify.addHook('onRequest', async (request, reply) => {
    const header = request.headers.authorization ?? ''
    const account = readToken(header) === undefined ? undefined : await inTime(deps.authenticate(header))
    if (account) accounts.set(request, account)
    else await challenge(reply)
  })

  const find = async (request: FastifyRequest, service: GitServiceName): Promise<GitAccess> => {
    const account = accounts.get(request)
    const { repo = '' } = request.params as { repo?: string }
    const appName = repo.replace(/\.git$/, '')
    const repository = account && isAppName(appName) && (await inTime(deps.findRepository(account, appName, service)))
    if (!repository) throw new PlatformError('not_found', "Couldn't find that app.")
    return { account, appName, repository }
  }

  addRoute(fastify, 'GET', 'info/refs', async (request, reply) => {
    const { service } = request.query as { service?: unknown }
    if (service !== 'git-upload-pack' && service !== 'git-receive-pack')
      throw new PlatformError('forbidden', 'This platform speaks smart HTTP only; use git 1.6.6 or newer.')
    const name = service === 'git-upload-pack' ? 'upload-pack' : 'receive-pack'
    const access = await find(request, name)
    // Here git shows its user our words, and has sent nothing yet.
    if (name === 'receive-pack') rate.check(access.account, access.repository.appId)
    await serve(access, request, reply, (work) => advertiseRefs(work, name))
  })
  addRoute(fastify, 'POST', 'git-upload-pack', async (request, reply) => {
    checkBodyHeaders(request, 'upload-pack', deps.limits)
    await serve(await find(request, 'upload-pack'), request, reply, serveFetch)
  })
  addRoute(fastify, 'POST', 'git-receive-pack', async (request, reply) => {
    checkBodyHeaders(request, 'receive-pack', deps.limits)
    const access = await find(request, 'receive-pack')
    rate.check(access.account, access.repository.appId)
    await serve(access, request, reply, receivePush)
  })
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** The route, and a refusal of every other method on it, authenticated like the rest. */
function addRoute(fastify: FastifyInstance, method: 'GET' | 'POST', path: string, handler: Handler): void {
  const url = `/:repo/${path}`
  fastify.route({ method, url, exposeHeadRoute: false, bodyLimit: Number.MAX_SAFE_INTEGER, handler })
  const refuseMethod: Handler = async (_request, reply) => {
    await refuse(reply.header('allow', method), 405, `Only ${method} works here.`)
  }
  const others = fastify.supportedMethods.filter((other) => other !== method)
  fastify.route({ method: others, url, onRequest: refuseMethod, handler: refuseMethod })
}

/** Takes requests from Fastify and does their work, within each account's number of them. */
function server(deps: GitDependencies, rate: PushRate, closing: AbortSignal) {
  const requests = new AccountCounts()
  const pushes = new AccountCounts()
  const underWay = new PushesUnderWay((appId) => deps.repositories.sweepQuarantines(appId))
  const fetchTurns = new FetchTurns(deps.limits.fetches)
  return async (
    access: GitAccess,
    request: FastifyRequest,
    reply: FastifyReply,
    work: (work: GitWork) => Promise<void>,
  ): Promise<void> => {
    if (requests.of(access.account) >= deps.limits.pushesPerAccount * requestsPerPush)
      throw new PlatformError('rate_limit', 'Too many git requests of yours are under way. Try again in a moment.')
    requests.add(access.account, 1)
    reply.hijack()
    // A push is held open while it builds; its own limits end it.
    reply.raw.socket?.setTimeout(0)
    try {
      const taken = { request: request.raw, response: reply.raw, closing }
      await work({ ...access, ...taken, deps, pushes, rate, underWay, fetchTurns })
    } catch (error) {
      deps.log.error({ err: error, app: access.appName }, 'a git request failed by a fault of ours')
      sendText(reply.raw, 500, 'Something went wrong here.')
    } finally {
      requests.add(access.account, -1)
    }
  }
}

async function challenge(reply: FastifyReply): Promise<void> {
  reply.header('www-authenticate', 'Basic realm="paas", charset="UTF-8"')
  await refuse(reply, 401, 'Log in first: the token is missing or not valid.')
}

/** Git shows its user such a sentence after `remote:`. */
async function refuse(reply: FastifyReply, status: number, sentence: string): Promise<void> {
  reply.hijack()
  sendText(reply.raw, status, sentence, reply.getHeaders() as OutgoingHttpHeaders)
}

async function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: GitLog): Promise<void> {
  if (error instanceof PlatformError) {
    if (error.cause !== undefined) log.error({ err: error.cause, url: request.url }, 'a lookup for git failed')
    return refuse(reply, errorStatus[error.id], error.message)
  }
  const status = (error as { statusCode?: number }).statusCode ?? 500
  if (status === 415) return refuse(reply, 415, "The content type is not one of git's.")
  if (status < 500) return refuse(reply, status, 'The request is not one that git sends.')
  log.error({ err: error, url: request.url }, 'a git request failed by a fault of ours')
  return refuse(reply, 500, 'Something went wrong here.')
}

/** Who may and what is there must be known soon; a store that is away means try again, never allowed. */
async function inTime<T>(lookup: Promise<T>): Promise<T> {
  const away = (cause?: unknown) =>
    Object.assign(new PlatformError('unavailable', 'The platform is not ready; try again in a moment.'), { cause })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(away()), lookupDeadlineMs)
  })
  try {
    return await Promise.race([lookup, late])
  } catch (error) {
    throw error instanceof PlatformError ? error : away(error)
  } finally {
    clearTimeout(timer)
  }
}

function checkBodyHeaders(request: FastifyRequest, service: GitServiceName, limits: GitLimits): void {
  const { 'content-type': type, 'content-encoding': encoding, 'content-length': length } = request.headers
  if (type !== bodyTypes[service])
    throw new PlatformError('unsupported_media_type', `The content type must be ${bodyTypes[service]}.`)
  if (encoding !== undefined && !/^(?:x-)?gzip$/i.test(encoding))
    throw new PlatformError('unsupported_media_type', 'The content encoding must be gzip or none.')
  if (Number(length ?? 0) > limits.packBytes * 2)
    throw new PlatformError('too_large', `A push may carry ${limits.packBytes} bytes.`)
}
