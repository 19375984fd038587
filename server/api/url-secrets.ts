/**
 * Secrets that stand in a URL for clients that send no Authorization header with it: log sessions and output streams.
 *
 * The secret is the session itself, signed with a key of this process: nothing is kept for one that nobody opens, and a
 * restart ends them all. It is readable, so it holds only what its owner knows already.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export interface UrlSecrets<Content> {
  /** Letters, digits, `-`, `_` and one dot. */
  issue(content: Content, validMs: number): string
  /** Undefined for what was never issued and for what is over. */
  open(secret: string): Content | undefined
}

export function createUrlSecrets<Content>(clock: () => number = Date.now): UrlSecrets<Content> {
  const key = randomBytes(32)
  const sign = (body: string) => createHmac('sha256', key).update(body).digest()
  return {
    issue(content, validMs) {
      const body = Buffer.from(JSON.stringify([clock() + validMs, content])).toString('base64url')
      return `${body}.${sign(body).toString('base64url')}`
    },
    open(secret) {
      const [body = '', signature = '', ...rest] = secret.split('.')
      const given = Buffer.from(signature, 'base64url')
      const right = sign(body)
      if (rest.length > 0 || given.length !== right.length || !timingSafeEqual(given, right)) return undefined
      const [expiresAt, content] = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as [number, Content]
      return clock() < expiresAt ? content : undefined
    },
  }
}
