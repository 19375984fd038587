import { failpoint } from '../lib/failpoint.js'
import type { Account, Authorization } from '../model/account.js'
import { notFound } from '../model/errors.js'
import type { Platform } from '../platform.js'
import { insertAuthorization, revokeAuthorization as revokeAuthorizationRow } from '../store/accounts.js'
import { hashToken, newToken } from './access.js'

export interface AuthorizationWish {
  readonly description: string
  /** Undefined: it lasts until it is revoked. */
  readonly expiresInSeconds: number | undefined
}

/** Makes a token for the account. The answer is the only place where the token itself is ever seen. */
export async function createAuthorization(
  platform: Platform,
  account: Account,
  wish: AuthorizationWish,
): Promise<{ readonly authorization: Authorization; readonly token: string }> {
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

/** The token is refused from then on. */
export async function revokeAuthorization(
  platform: Platform,
  account: Account,
  authorizationId: string,
): Promise<void> {
  if (!(await revokeAuthorizationRow(platform.db, account.id, authorizationId))) throw notFound('authorization')
  failpoint('authorization-revoke.committed')
}
