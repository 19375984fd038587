/**
 * The closed list of refusals. A `PlatformError` is an answer to a user: its message is a sentence that says what to do
 * next. Anything else that is thrown is a bug and is shown as such, with its request id.
 */

/** Error ids as Heroku's API spells them, with the HTTP status they answer. */
export const errorStatus = {
  bad_request: 400,
  unauthorized: 401,
  payment_required: 402,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  gone: 410,
  too_large: 413,
  unsupported_media_type: 415,
  invalid_params: 422,
  confirmation_required: 423,
  rate_limit: 429,
  unavailable: 503,
} as const

export type ErrorId = keyof typeof errorStatus

export class PlatformError extends Error {
  constructor(
    readonly id: ErrorId,
    message: string,
    /** Heroku's `resource` field of not_found errors: `app`, `add_on`, … */
    readonly resource?: string,
  ) {
    super(message)
    this.name = 'PlatformError'
  }
}

/** Something of the platform is away and will be back: the same may be tried again. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof PlatformError && error.id === 'unavailable'
}

/** An unknown thing and somebody else's answer alike. */
export function notFound(resource: string, words = resource.replaceAll('_', ' ')): PlatformError {
  return new PlatformError('not_found', `Couldn't find that ${words}.`, resource)
}

export function invalid(message: string): PlatformError {
  return new PlatformError('invalid_params', message)
}
