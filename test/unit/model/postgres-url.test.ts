import t from 'tap'
import {
  asPostgresSecrets,
  postgresConfigVars,
  newPostgresSecrets,
  pgEnvironment,
  postgresUrl,
  suggestAddOnName,
} from '../../../server/model/postgres-url.js'

const secrets = newPostgresSecrets()
const name = 'postgresql-curved-12345'
const url = postgresUrl(name, secrets)

t.test('credentials are random, long and need no escaping anywhere', async (t) => {
  const other = newPostgresSecrets()
  for (const key of ['user', 'password', 'database'] as const) {
    t.match(secrets[key], /^[a-z][0-9a-f]+$/)
    t.not(secrets[key], other[key])
  }
  t.ok(secrets.password.length >= 48)
  t.ok(secrets.password.length <= 64, 'one block of SHA-256')
  t.same(asPostgresSecrets({ ...secrets }), secrets)
  t.throws(() => asPostgresSecrets({ user: 'u1"; --', password: secrets.password, database: 'd1' }))
})

t.test('an attachment sets <NAME>_URL, a postgres:// URL whose host is the add-on', async (t) => {
  t.same(postgresConfigVars('DATABASE', name, secrets), { DATABASE_URL: url })
  t.same(Object.keys(postgresConfigVars('HEROKU_POSTGRESQL_BLUE', name, secrets)), ['HEROKU_POSTGRESQL_BLUE_URL'])
  const parsed = new URL(url)
  t.equal(parsed.protocol, 'postgres:')
  t.equal(parsed.host, `${name}:5432`)
  t.equal(parsed.pathname, `/${secrets.database}`)
  t.equal(parsed.search, '', 'no parameter that a client might not know')
})

t.test('suggested names are host names', async (t) => {
  for (const random of [() => 0, () => 0.999999, Math.random])
    t.match(suggestAddOnName(random), /^postgresql-[a-z]+-[1-9]\d{4}$/)
})

t.test('clients leave TLS out where every database named is an attached one', async (t) => {
  const plain = { PGSSLMODE: 'disable' }
  t.same(pgEnvironment({ DATABASE_URL: url, SECRET_KEY: 'x', DEBUG: '' }, [name]), plain)
  t.same(pgEnvironment({ DATABASE_URL: url, READ_URL: url.replace('postgres:', 'postgresql+asyncpg:') }, [name]), plain)
  t.same(pgEnvironment({ DATABASE_URL: `${url}?sslmode=require`, REDIS_URL: 'redis://h/0' }, [name]), plain)
  t.same(pgEnvironment({ DATABASE_URL: url, DATABASE_HOST: name }, [name]), plain)
  t.same(pgEnvironment({ DATABASE_URL: url, SITE: 'https://example.com/?host=a' }, [name]), plain)
})

t.test('nothing is said to clients where another database, or another wish, is in the config vars', async (t) => {
  const none = {}
  t.same(pgEnvironment({}, []), none)
  t.same(pgEnvironment({ SECRET_KEY: 'x' }, [name]), none)
  t.same(pgEnvironment({ DATABASE_URL: url }, []), none, 'detached')
  for (const [key, value] of [
    ['OTHER_URL', 'postgres://u:p@db.example.com:5432/d'],
    ['OTHER_URL', 'postgresql+psycopg2://u:p@db.example.com/d'],
    ['OTHER_URL', 'postgis://db.example.com/d'],
    ['OTHER_URL', 'jdbc:postgresql://db.example.com/d'],
    ['OTHER_URL', 'jdbc:postgresql:d'],
    ['OTHER_URL', `postgres://u:p@${name},db.example.com/d`],
    ['OTHER_URL', `postgres://${name}@db.example.com/d`],
    ['OTHER_URL', `postgres://u:p@${name}.example.com/d`],
    ['OTHER_URL', 'postgres:///d?host=db.example.com'],
    ['OTHER_URL', `${url}?host=db.example.com`],
    ['DSN', 'host=db.example.com user=u dbname=d'],
    ['DSN', 'service=reporting'],
    ['PGHOST', 'db.example.com'],
    ['PGSSLMODE', 'verify-full'],
    ['REPORTING_DB_HOST', 'db.example.com'],
    ['DATABASE_SERVER', 'db.example.com'],
  ] as const)
    t.same(pgEnvironment({ DATABASE_URL: url, [key]: value }, [name]), none, `${key}=${value}`)
})
