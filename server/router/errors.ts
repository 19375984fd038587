/**
 * Why the router refuses or fails.
 *
 * `stale`: the table is older than the one published. `invalid`: the table can't be routed as it stands (a bug of the
 * caller). `unsettled`: HAProxy runs but could not be brought to the published table, so a dyno taken out of the table
 * may still receive requests; publish again before stopping anything.
 */
export type RouterErrorKind = 'stale' | 'invalid' | 'unsettled'

export class RouterError extends Error {
  constructor(
    readonly kind: RouterErrorKind,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
    this.name = 'RouterError'
  }
}
