import Type, { type Static } from 'typebox'
import { alwaysNull, id, ignored, instant, nullable, nullableInstant, nullableString, strict } from './common.js'

export const accountBody = strict({
  id,
  email: Type.String(),
  name: nullableString,
  full_name: nullableString,
  acknowledged_msa: Type.Boolean(),
  acknowledged_msa_at: alwaysNull,
  allow_tracking: Type.Boolean(),
  beta: Type.Boolean(),
  country_of_residence: alwaysNull,
  created_at: instant,
  default_organization: alwaysNull,
  default_team: alwaysNull,
  delinquent_at: alwaysNull,
  federated: Type.Boolean(),
  identity_provider: alwaysNull,
  italian_customer_terms: alwaysNull,
  italian_partner_terms: alwaysNull,
  last_login: nullableInstant,
  sms_number: alwaysNull,
  suspended_at: alwaysNull,
  two_factor_authentication: Type.Boolean(),
  updated_at: instant,
  verified: Type.Boolean(),
  is_admin: Type.Boolean({ description: "May use everybody's apps." }),
})
export type AccountBody = Static<typeof accountBody>

export const rateLimitsBody = strict({ remaining: Type.Integer() })

export const authorizationBody = strict({
  id,
  description: Type.String(),
  scope: Type.Array(Type.String()),
  created_at: instant,
  updated_at: instant,
  last_used_at: nullableInstant,
  access_token: strict({
    id,
    expires_in: Type.Unsafe<number | null>({ type: ['integer', 'null'], description: 'Seconds; null means never.' }),
    token: Type.String({
      description:
        'In the answer that creates it, and in a list for the one that asks; else empty: the platform keeps only a hash.',
    }),
  }),
  client: alwaysNull,
  grant: alwaysNull,
  refresh_token: alwaysNull,
  session: alwaysNull,
  user: strict({ id, email: Type.String(), full_name: nullableString }),
})
export type AuthorizationBody = Static<typeof authorizationBody>

const tenYearsInSeconds = 10 * 366 * 86_400

export const createAuthorizationBody = nullable(
  strict({
    description: Type.Optional(nullable(Type.String({ maxLength: 200 }))),
    expires_in: Type.Optional(
      Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 1, maximum: tenYearsInSeconds }),
    ),
    scope: Type.Optional(nullable(Type.Array(Type.String({ maxLength: 100 }), { maxItems: 20 }))),
    client: ignored,
    grant: ignored,
    refresh_token: ignored,
  }),
)

export const authorizationParams = strict({
  authorization: Type.String({ description: 'Its id, or `~` for the one this request uses.' }),
})
