/** Turns the Docker API's errors into `EngineError`s of a kind callers can act on. */
import { EngineError, type EngineErrorKind } from './engine.js'

interface ApiError {
  readonly statusCode?: number
  readonly code?: string
  readonly message?: string
  readonly json?: { readonly message?: string }
}

function kindOf(error: ApiError): EngineErrorKind {
  if (/no space left on device/i.test(error.message ?? '')) return 'no_space'
  if (error.statusCode === 404) return 'not_found'
  if (error.statusCode === 409) return 'conflict'
  if (error.statusCode === undefined && error.code !== undefined) return 'unavailable'
  return 'refused'
}

export function statusOf(error: unknown): number | undefined {
  return (error as ApiError | undefined)?.statusCode
}

/** `doing` reads "starting container x"; the engine's own sentence follows it. */
export function engineError(doing: string, error: unknown): EngineError {
  if (error instanceof EngineError) return error
  const api = error as ApiError
  return new EngineError(kindOf(api), `${doing}: ${api.json?.message ?? api.message ?? String(error)}`, {
    cause: error,
  })
}

/** Runs an engine call and wraps what it throws. */
export async function calling<T>(doing: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw engineError(doing, error)
  }
}

/** The same, where the given HTTP statuses mean that the wish is already true. */
export async function settling(doing: string, fine: readonly number[], call: () => Promise<unknown>): Promise<void> {
  try {
    await call()
  } catch (error) {
    if (!fine.includes(statusOf(error) ?? 0)) throw engineError(doing, error)
  }
}
