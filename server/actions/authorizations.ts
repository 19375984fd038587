import { failpoint } from '../lib/failpoint.js'
import type { Account, Authorization } from '../model/account.js'
import { invalid, notFound } from '../model/errors.js'
import type { Platform } from '../platform.js'
import { insertAuthorization, revokeAuthorization as revokeAuthorizationRow } from '../store/accounts.js'
import { hashToken, newToken } from './access.js'

export interface AuthorizationWish {
  readonly description: string
  /** Undefined: it lasts until it is revoked. */
  readonly expiresInSeconds: number | undefined
  /** `global` or nothing: there are no narrower tokens. */
  readonly scope?: readonly string[]
}

/** Makes a token for the account. The answer is the only place where the token itself is ever seen. */
export async function createAuthorization(
  platform: Platform,
  account: Account,
  wish: AuthorizationWish,
): Promise<{ readonly authorization: Authorization; readonly token: string }> {
  refuseNarrowScope(wish.scope ?? [])
  const token = newToken()
  const authorization = await insertAuthorization(platform.db, {
    accountId: account.id,
    description: wish.description,
    tokenHash: hashToken(token),
    expiresInSeconds: wish.expiresInSeconds,
  })
  failpoint('authorization-create.committed')
  return { authorization, token }
}

/** A token that may do more than was asked for would be worse than none. */
function refuseNarrowScope(scope: readonly string[]): void {
  const narrow = scope.find((name) => name !== 'global')
  if (narrow !== undefined)
    throw invalid(
      `There is no scope '${narrow.slice(0, 40)}' here: every token may do all that its account may. Ask for 'global', or leave the scope out.`,
    )
}

/** The token is refused from then on. */
export async function revokeAuthorization(
  platform: Platform,
  account: Account,
  authorizationId: string,
): Promise<void> {
  if (!(await revokeAuthorizationRow(platform.db, account.id, authorizationId))) throw notFound('authorization')
  failpoint('authorization-revoke.committed')
}
