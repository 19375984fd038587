/** The token in an `Authorization` header, as git and the API's clients send it. */

const tokenPattern = /^[\x21-\x7e]{1,512}$/

/**
 * `Bearer TOKEN`, or `Basic` with the token as password and any user name; undefined for anything else. Never throws.
 */
export function readToken(authorization: string | undefined): string | undefined {
  const [, scheme = '', value = ''] = /^(bearer|basic) +([\x21-\x7e]{1,4096})$/i.exec(authorization ?? '') ?? []
  const token = scheme.toLowerCase() === 'basic' ? passwordOf(value) : value
  return tokenPattern.test(token) ? token : undefined
}

function passwordOf(encoded: string): string {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded)) return ''
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  return colon < 0 ? '' : pair.slice(colon + 1)
}
