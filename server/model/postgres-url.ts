/**
 * What an app is told of its database, known before the database exists: credentials, its name, `DATABASE_URL`, and
 * whether the dyno's PostgreSQL clients may leave TLS out. Why they may is docs/decisions/0003-postgres-tls.md.
 */
import type { ConfigVars } from './config-vars.js'

export type PostgresSecrets = Readonly<Record<'user' | 'password' | 'database', string>>

/**
 * Fresh credentials: letters and digits only, so that they need no escaping in a URL, an identifier or a shell. The
 * password has 248 bits in 63 characters: one of more than 64, the block of SHA-256, is hashed anew in each of SCRAM's 4,096
 * rounds, and an app opens a sixth fewer connections.
 */
export function newPostgresSecrets(): PostgresSecrets {
  const hex = (size: number) => Buffer.from(crypto.getRandomValues(new Uint8Array(size))).toString('hex')
  return { user: `u${hex(8)}`, password: `p${hex(31)}`, database: `d${hex(8)}` }
}

/** Throws when the secrets aren't those of a PostgreSQL database. */
export function asPostgresSecrets(secrets: Readonly<Record<string, string>>): PostgresSecrets {
  const { user = '', password = '', database = '' } = secrets
  if (!/^u[0-9a-z]+$/.test(user) || !/^p[0-9a-z]{48,}$/.test(password) || !/^d[0-9a-z]+$/.test(database))
    throw new Error('the secrets of an add-on are not those of a PostgreSQL database')
  return { user, password, database }
}

/** The host is the add-on's name, which the private network of each app it is attached to resolves. */
export function postgresUrl(addOnName: string, secrets: PostgresSecrets): string {
  return `postgres://${secrets.user}:${secrets.password}@${addOnName}:5432/${secrets.database}`
}

/** What an attachment named `DATABASE` adds to its app's config vars: `DATABASE_URL`. */
export function postgresConfigVars(
  attachmentName: string,
  addOnName: string,
  secrets: Readonly<Record<string, string>>,
): ConfigVars {
  return { [`${attachmentName}_URL`]: postgresUrl(addOnName, asPostgresSecrets(secrets)) }
}

const shapes =
  'acute angular animate circular clear closed colorful concave concentric contoured convex crystalline cubed curved cylindrical deep defined dimensional elliptical encircled fitted flat fluffy globular graceful horizontal infinite lively metric octagonal opaque parallel perpendicular polished pyramidal rectangular regular reticulated round rugged shallow shaped sharp shiny silhouetted sinuous solid spherical symmetrical tapered transparent triangular vertical'.split(
    ' ',
  )

/** A free-sounding name such as `postgresql-curved-12345`; `random` returns a number below 1. */
export function suggestAddOnName(random: () => number): string {
  return `postgresql-${shapes[Math.floor(random() * shapes.length)] ?? 'solid'}-${10000 + Math.floor(random() * 90000)}`
}

const postgresScheme = /^(?:jdbc:)?(?:postgres(?:ql)?|postgis|cockroachdb|timescaledb?|pgsql|psycopg2?)(?:\+\w+)?:/i
const keywordDsn = /(?:^|\s)(?:host|hostaddr|service)\s*=/i
const otherHostName = /(?:DATABASE|POSTGRES|PG|DB|SQL)\w*_?(?:HOST|SERVER|ADDR)|^PG[A-Z]+$/i

/**
 * Variables for the dyno's PostgreSQL clients, below the config vars: `PGSSLMODE=disable` where each database that the
 * config vars name is one of the attached add-ons, else nothing. Clients that ask for TLS in their own words get it all
 * the same. `attachedNames` are the names of the databases attached to the app.
 */
export function pgEnvironment(
  configVars: ConfigVars,
  attachedNames: readonly string[],
): Readonly<Record<string, string>> {
  const ours = new Set(attachedNames)
  let named = 0
  for (const [key, value] of Object.entries(configVars)) {
    const host = hostOf(value)
    if (host !== undefined ? ours.has(host) : otherHostName.test(key) && ours.has(value)) named++
    else if (host !== undefined || otherHostName.test(key) || keywordDsn.test(value)) return {}
  }
  return named > 0 ? { PGSSLMODE: 'disable' } : {}
}

/** Host of a PostgreSQL URL; an empty string when it can't be told, undefined when the value is something else. */
function hostOf(value: string): string | undefined {
  const scheme = postgresScheme.exec(value.trim())
  if (!scheme) return undefined
  const rest = value.trim().slice(scheme[0].length)
  if (/[?&](?:host|hostaddr|service)=/i.test(rest)) return ''
  return /^\/\/(?:[^@/?#]*@)?([^@:/?#,]+)(?::\d+)?(?:[/?#]|$)/.exec(rest)?.[1]?.toLowerCase() ?? ''
}
