/** Every error of the API leaves through here, as Heroku's `{id, message}`. A bug is logged once, here, and shown as such. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../lib/logger.js'
import { type ErrorId, errorStatus, PlatformError } from '../model/errors.js'
import { validationSentence } from './validation.js'

export interface ErrorBody {
  readonly id: string
  readonly message: string
  readonly resource?: string
}

/** Fastify's own refusals by status; their messages are replaced by ours. */
const frameworkRefusals: Readonly<Record<number, readonly [ErrorId, string]>> = {
  400: [
    'bad_request',
    'The request could not be understood: its body must be well-formed JSON, its URL and headers valid.',
  ],
  405: ['method_not_allowed', 'This endpoint does not take that HTTP method.'],
  413: ['too_large', 'The request body is too large.'],
  414: ['too_large', 'The URL is too long.'],
  415: ['unsupported_media_type', 'Send the body as JSON, with the header Content-Type: application/json.'],
}

/** The answer to an error; undefined when it is a bug. */
function refusalOf(
  error: unknown,
  request: Pick<FastifyRequest, 'body'>,
): readonly [status: number, body: ErrorBody] | undefined {
  if (error instanceof PlatformError) {
    const { id, message, resource } = error
    return [errorStatus[id], { id, message, ...(resource === undefined ? {} : { resource }) }]
  }
  const { validation, validationContext, statusCode, code } = error as Partial<FastifyError>
  if (validation)
    return [422, { id: 'invalid_params', message: validationSentence(validation, validationContext, request.body) }]
  const refusal = frameworkRefusals[statusCode ?? 0]
  if (!refusal || !(code?.startsWith('FST_') || error instanceof SyntaxError)) return undefined
  return [statusCode ?? 400, { id: refusal[0], message: refusal[1] }]
}

export function createErrorHandler(log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const refusal = refusalOf(error, request)
    if (refusal) {
      const [status, body] = refusal
      if (status === 503) reply.header('retry-after', 5)
      void reply.code(status).send(body)
      return
    }
    const err = error instanceof Error ? { message: error.message, stack: error.stack, cause: error.cause } : error
    log.error(
      { requestId: request.id, method: request.method, route: request.routeOptions.url, err },
      'API request failed',
    )
    const message = `Something went wrong here; request id ${request.id}. The platform's own log says more.`
    void reply.code(500).send({ id: 'internal_server_error', message })
  }
}

/** For errors before any route is known, such as a URL that can't be decoded. */
export function createFrameworkErrorHandler(log: Logger) {
  const handle = createErrorHandler(log)
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    reply.headers({ 'request-id': request.id, 'x-request-id': request.id })
    handle(error, request, reply)
  }
}
