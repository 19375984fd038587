import type { Account, Authorization } from '../../model/account.js'
import type { AccountBody, AuthorizationBody } from '../schemas/accounts.js'
import { stableId } from './stable-id.js'

export function toAccount(account: Account): AccountBody {
  return {
    id: account.id,
    email: account.email,
    name: account.name === '' ? null : account.name,
    full_name: account.name === '' ? null : account.name,
    acknowledged_msa: false,
    acknowledged_msa_at: null,
    allow_tracking: false,
    beta: false,
    country_of_residence: null,
    created_at: account.createdAt.toISOString(),
    default_organization: null,
    default_team: null,
    delinquent_at: null,
    federated: false,
    identity_provider: null,
    italian_customer_terms: null,
    italian_partner_terms: null,
    last_login: null,
    sms_number: null,
    suspended_at: null,
    two_factor_authentication: false,
    updated_at: account.createdAt.toISOString(),
    verified: true,
    is_admin: account.isAdmin,
  }
}

/** The token itself is known only where it was just made, or came with the request; elsewhere it is empty. */
export function toAuthorization(authorization: Authorization, now: Date, token?: string): AuthorizationBody {
  const { expiresAt } = authorization
  return {
    id: authorization.id,
    description: authorization.description,
    scope: ['global'],
    created_at: authorization.createdAt.toISOString(),
    updated_at: authorization.createdAt.toISOString(),
    last_used_at: authorization.lastUsedAt?.toISOString() ?? null,
    access_token: {
      id: stableId('access-token', authorization.id),
      expires_in: expiresAt ? Math.max(0, Math.round((expiresAt.getTime() - now.getTime()) / 1000)) : null,
      token: token ?? '',
    },
    client: null,
    grant: null,
    refresh_token: null,
    session: null,
    user: { id: authorization.accountId, email: authorization.accountEmail, full_name: null },
  }
}

/** Of a release or a build whose account is gone. */
export function userRef(id: string | undefined, email: string | undefined) {
  return id !== undefined && email !== undefined
    ? { id, email }
    : { id: stableId('account', 'deleted'), email: 'deleted-account' }
}
