import type { FastifyRequest } from 'fastify'
import { originOf } from './addresses.js'
import type { ApiContext, OutputSession } from './context.js'

/** A URL that shows an output to whoever has it, for an hour. */
export function outputUrl(context: ApiContext, request: FastifyRequest, session: OutputSession): string {
  const { scheme, host } = originOf(request, context.platform.config)
  return `${scheme}://${host}/streams/${context.outputs.issue(session, context.timings.outputUrlMs)}`
}
