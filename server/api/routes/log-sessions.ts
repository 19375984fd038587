import { randomUUID } from 'node:crypto'
import Type from 'typebox'
import { notFound, PlatformError } from '../../model/errors.js'
import { originOf } from '../addresses.js'
import { type Api, type ApiContext, appOf, principalOf } from '../context.js'
import { readWholeNumbers } from '../lenient.js'
import { logForm, logStream } from '../log-tail.js'
import { outputStream } from '../output-stream.js'
import { appParams, refusals, strict, text } from '../schemas/common.js'
import { logSessionBody, logSessionWish } from '../schemas/dynos.js'

const defaultLines = 100
const maxLines = 1_500

/** Log sessions, and the streams that are opened by the secret in their URL. */
export function declareLogRoutes(api: Api, context: ApiContext): void {
  const tails = countTails(context.platform.config.logs.tailsPerAccount)

  api.post(
    '/apps/:app/log-sessions',
    {
      config: { permission: 'app' },
      preValidation: readWholeNumbers('lines'),
      schema: {
        tags: ['logs'],
        summary: "Ask for the app's log: the newest lines (1500 at most), and with tail what comes.",
        params: appParams,
        body: logSessionWish,
        response: { 201: logSessionBody, ...refusals },
      },
    },
    async (request, reply) => {
      const { account, authorizationId } = principalOf(request)
      const { lines, tail, source } = request.body
      const dyno = request.body.dyno || request.body.type
      if (tail) tails.check(account.id)
      const secret = context.logSessions.issue(
        {
          appId: appOf(request).id,
          accountId: account.id,
          authorizationId,
          lines: Math.min(lines ?? defaultLines, maxLines),
          tail: tail === true,
          ...(source ? { source } : {}),
          ...(dyno ? { dyno } : {}),
        },
        context.timings.logSessionMs,
      )
      const { scheme, host } = originOf(request, context.platform.config)
      const now = new Date().toISOString()
      reply.code(201)
      return {
        id: randomUUID(),
        created_at: now,
        logplex_url: `${scheme}://${host}/log-sessions/${secret}`,
        updated_at: now,
      }
    },
  )

  declareStreams(api, context, tails)
}

function declareStreams(api: Api, context: ApiContext, tails: TailCount): void {
  api.get(
    '/log-sessions/:secret',
    {
      config: { permission: 'public' },
      schema: {
        tags: ['logs'],
        summary: 'The log of a session: as server-sent events for `Accept: text/event-stream`, else as plain lines.',
        params: strict({ secret: Type.String() }),
        response: { 200: text, ...refusals },
      },
    },
    async (request, reply) => {
      const session = context.logSessions.open(request.params.secret)
      if (!session) throw notFound('session', 'log session; ask for another')
      const release = session.tail ? tails.take(session.accountId) : () => {}
      const form = logForm(request.headers.accept)
      const stream = await logStream(context, session, form).catch((error: unknown) => {
        release()
        throw error
      })
      stream.once('close', release)
      reply.headers({ 'content-type': form.contentType, 'x-accel-buffering': 'no' })
      // Answers the client at once, however quiet the app is.
      reply.raw.once('pipe', () => reply.raw.flushHeaders())
      return reply.send(stream)
    },
  )

  api.get(
    '/streams/:secret',
    {
      config: { permission: 'public' },
      schema: {
        tags: ['logs'],
        summary: 'The output of a build or a release command as plain text, live while it is under way.',
        params: strict({ secret: Type.String() }),
        response: { 200: text, ...refusals },
      },
    },
    async (request, reply) => {
      const session = context.outputs.open(request.params.secret)
      const stream = session && (await outputStream(context, session))
      if (!stream) throw notFound('output')
      reply.header('content-type', 'text/plain; charset=utf-8')
      return reply.send(stream)
    },
  )
}

type TailCount = ReturnType<typeof countTails>

/** How many tails each account has open. */
function countTails(limit: number) {
  const open = new Map<string, number>()
  const check = (accountId: string) => {
    if ((open.get(accountId) ?? 0) >= limit)
      throw new PlatformError(
        'rate_limit',
        `Your account follows ${limit} logs already; end one of them, then try again.`,
      )
  }
  return {
    check,
    /** Counts one more and returns what counts it off. */
    take(accountId: string): () => void {
      check(accountId)
      open.set(accountId, (open.get(accountId) ?? 0) + 1)
      return () => {
        const left = (open.get(accountId) ?? 1) - 1
        if (left > 0) open.set(accountId, left)
        else open.delete(accountId)
      }
    },
  }
}
