# A Django project on SQLite, which is what startproject sets up. Its file lies in the dyno: every dyno begins with the
# one that was pushed, or with none, and what is written goes with the dyno. Such a project can run, once each dyno makes
# its own tables; it can't keep anything, which its author has to be told.

# True when the settings name SQLite and nothing that would lead to a server instead.
keeps_data_in_sqlite() {
  local root=$BUILD_DIR/${manage_file%manage.py} engine='^[^#]*["'\'']django\.db\.backends\.'
  local look=(grep -r -q --include='*.py' --exclude-dir=node_modules --exclude-dir=.heroku --exclude-dir=tests)
  "${look[@]}" -E "${engine}sqlite3[\"']" "$root" || return 1
  ! "${look[@]}" -E "${engine}(postgresql|mysql|oracle)|DATABASE_URL|dj_database_url|django_heroku|env\.db\(|PGHOST" "$root"
}

mention_sqlite() {
  explain_adding dj-database-url "'psycopg[binary]'"
  note "Data is kept in SQLite: a file in each dyno, gone when the dyno restarts. For data that stays: paas addons:create heroku-postgresql; $how_to_add; and in the settings: DATABASES = {'default': dj_database_url.config(default='sqlite:///db.sqlite3')}"
}
