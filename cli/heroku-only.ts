/** Commands that Heroku's users have in their fingers and that are not here, each with what does its work. */

/** Names of commands or whole topics, the more particular ones first. */
export const herokuOnly: readonly (readonly [name: string, advice: string])[] = [
  ['ps:exec', "A shell beside the app's dynos: paas run bash"],
  ['ps:copy', 'Files of a one-off dyno can be printed: paas run cat FILE > FILE'],
  ['ps:autoscale', 'The number of dynos is set by hand: paas ps:scale web=2'],
  ['ps:wait', 'A push waits by itself until the release is live; paas ps shows the dynos.'],
  ['run:inside', "A shell beside the app's dynos: paas run bash"],
  ['pg:backups', "A dump of the database: paas run 'pg_dump $DATABASE_URL' > backup.sql"],
  ['pg:pull', "A dump of the database: paas run 'pg_dump $DATABASE_URL' > dump.sql, then psql here."],
  ['pg:push', 'Load a dump of a database here: paas pg:psql < dump.sql'],
  ['pg:copy', "From one app to the other: paas run 'pg_dump $DATABASE_URL' > dump.sql, then paas pg:psql < dump.sql"],
  ['pg:reset', "Empty the database: paas pg:psql -c 'drop schema public cascade; create schema public'"],
  ['pg:wait', 'A database is ready within a second or so; paas pg:info shows its state.'],
  ['pg:upgrade', 'Make a new database, load a dump into it and attach it: paas addons:create heroku-postgresql'],
  ['config:edit', 'Set config vars one by one: paas config:set NAME=value'],
  ['drains', 'Logs are followed by: paas logs --tail'],
  ['certs:add', "Each host name has a certificate of the platform's own authority: paas certs:trust"],
  ['certs:auto', "Each host name has a certificate of the platform's own authority: paas certs:trust"],
  ['access', 'There is one account; others log in with a token of it: paas authorizations:create'],
  ['members', 'There is one account; others log in with a token of it: paas authorizations:create'],
  ['keys', 'Git pushes over http with the token of paas login; no SSH key is needed.'],
  ['git:clone', "Get an app's repository: git clone with the Git URL that paas info shows."],
  ['stack', 'There is one stack, for all apps; paas info shows it.'],
  ['regions', 'There is one region: this machine.'],
  ['redis', 'PostgreSQL is the only add-on: paas addons:plans heroku-postgresql'],
  ['addons:open', 'Add-ons have no pages of their own here: paas addons:info NAME'],
  ['addons:upgrade', 'Make a database of the other plan and load a dump into it: paas addons:create heroku-postgresql'],
  ['container', 'Apps are pushed as source: git push paas master'],
  ['pipelines', 'Push the same commit to another app: git push REMOTE master'],
  ['reviewapps', 'Push the branch to an app of its own: git push REMOTE branch:master'],
  ['ci', 'Tests are run before a push, where you work.'],
  ['dashboard', 'There is no dashboard: paas apps, paas info and paas ps show what there is.'],
  ['local', "Run the Procfile's command yourself, with the config vars: paas config --shell > .env"],
  ['update', 'Whoever runs the platform updates it, and this command with it: docker/up'],
]

/** What to use instead of a command or topic of Heroku's; undefined when it is none. */
export function insteadOf(name: string): string | undefined {
  return herokuOnly.find(([known]) => name === known || name.startsWith(`${known}:`))?.[1]
}
