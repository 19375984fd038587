/** Answers for paths and methods that no route has: 405 where the path is known under another method, else 404. */
import type { FastifyInstance } from 'fastify'
import { PlatformError } from '../model/errors.js'

interface KnownPath {
  readonly pattern: RegExp
  readonly methods: Set<string>
  /** Of a path that is there only because clients ask for it. */
  readonly absent: string | undefined
}

/** Call it before any route is declared; it covers those of other plugins too. */
export function addNotFoundHandler(fastify: FastifyInstance): void {
  const paths = new Map<string, KnownPath>()
  fastify.addHook('onRoute', (route) => {
    const known = paths.get(route.url) ?? {
      pattern: patternOf(route.url),
      methods: new Set<string>(),
      absent: route.config?.absent,
    }
    paths.set(route.url, known)
    for (const method of [route.method].flat()) known.methods.add(method)
  })
  fastify.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    const known = [...paths.values()].filter((p) => p.pattern.test(path))
    const methods = known.flatMap((p) => [...p.methods])
    if (methods.length > 0 && !methods.includes(request.method)) {
      const allowed = [...new Set(methods)].sort().join(', ')
      reply.header('allow', allowed)
      const absent = known.find((p) => p.absent !== undefined)?.absent
      throw new PlatformError('method_not_allowed', absent ?? `This endpoint takes ${allowed}, not ${request.method}.`)
    }
    throw new PlatformError(
      'not_found',
      'The requested API endpoint was not found. Are you using the right HTTP verb and path?',
    )
  })
}

function patternOf(url: string): RegExp {
  const source = url
    .split('/')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:\w+/g, '[^/]+'))
    .join('/')
  return new RegExp(`^${source}$`)
}
