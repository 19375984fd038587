/** Answers with one page of a list, and says how to ask for the next. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { pageOf, parseRange } from './range.js'

export function rangeHeader(request: FastifyRequest): string | undefined {
  const { range } = request.headers
  return typeof range === 'string' ? range : undefined
}

/** Sets `Next-Range` and 206 when there is more. */
export function announceNext(reply: FastifyReply, nextRange: string | undefined): void {
  reply.header('accept-ranges', 'id')
  if (nextRange === undefined) return
  reply.header('next-range', nextRange).code(206)
}

/** The page of `items` that the request's Range asks for; 200 at most unless it says more. */
export function sendPage<Item extends object>(
  request: FastifyRequest,
  reply: FastifyReply,
  items: readonly Item[],
): Item[] {
  const page = pageOf(items, parseRange(rangeHeader(request)))
  announceNext(reply, page.nextRange)
  return [...page.items]
}
