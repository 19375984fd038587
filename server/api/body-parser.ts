/** Reads request bodies: JSON under any of its media types, nothing else. */
import type { FastifyRequest } from 'fastify'
import { invalid } from '../model/errors.js'
import type { Api } from './context.js'

const jsonTypes = /^application\/(?:[\w.-]+\+)?json(?:$|\s*;)/

/** Replaces Fastify's parsers within `api`. An empty body counts as none, because clients announce JSON on every request. */
export function addBodyParser(api: Api, deadlineMs: number): void {
  const parseJson = api.getDefaultJsonParser('error', 'error')
  api.removeAllContentTypeParsers()
  api.addContentTypeParser<string>(jsonTypes, { parseAs: 'string' }, (request, text, done) => {
    if (text.trim() === '') return done(null, undefined)
    // Fastify's types leave out that the parser may answer by its callback only.
    void parseJson(request, text, (error, body) => {
      if (!error && text.includes('\\u0000') && holdsNul(body))
        return done(invalid('The request body must not contain a NUL character.'), undefined)
      return done(error, body)
    })
  })
  endLateBodies(api, deadlineMs)
}

/** Cuts the connection of a request whose body has not arrived in time. One without a body, a log tail say, may last. */
function endLateBodies(api: Api, deadlineMs: number): void {
  const timers = new WeakMap<FastifyRequest, NodeJS.Timeout>()
  api.addHook('preParsing', async (request) => {
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers
    if (length === '0' && encoding === undefined) return
    const timer = setTimeout(() => request.raw.destroy(), deadlineMs)
    timer.unref()
    timers.set(request, timer)
  })
  // The one comes after the body has been read, the other when it never was.
  api.addHook('preValidation', async (request) => clearTimeout(timers.get(request)))
  api.addHook('onResponse', async (request) => clearTimeout(timers.get(request)))
}

/** The database's text can't hold a NUL. Goes through the value without recursion, however deep it is. */
function holdsNul(body: unknown): boolean {
  const waiting = [body]
  for (let value = waiting.pop(); value !== undefined || waiting.length > 0; value = waiting.pop()) {
    if (typeof value === 'string' && value.includes('\0')) return true
    if (typeof value !== 'object' || value === null) continue
    for (const [key, inner] of Object.entries(value)) {
      if (key.includes('\0')) return true
      if (inner !== undefined) waiting.push(inner)
    }
  }
  return false
}
