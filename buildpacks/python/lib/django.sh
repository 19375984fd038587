# What a Django app needs: its static files collected, and a web process when the Procfile names none.

# Fills `manage_file` with the nearest manage.py within two folders down, relative to the app's; empty without one.
find_manage_file() {
  local file found=("$BUILD_DIR"/manage.py "$BUILD_DIR"/*/manage.py "$BUILD_DIR"/*/*/manage.py)
  manage_file=
  for file in "${found[@]}"; do
    [[ -f $file && $file != */node_modules/* && $file != */.heroku/* ]] || continue
    manage_file=${file#"$BUILD_DIR/"}
    return 0
  done
}

collect_static() {
  local log=$PAAS_WORK_DIR/out/collectstatic.log disabled=0
  find_manage_file
  [[ $installed == *' django '* && -n $manage_file ]] || return 0
  if [[ -f $ENV_DIR/DISABLE_COLLECTSTATIC ]]; then read -r disabled <"$ENV_DIR/DISABLE_COLLECTSTATIC" || true; fi
  if [[ ${disabled:-0} != 0 ]]; then
    step 'Skipping collectstatic: DISABLE_COLLECTSTATIC is set'
    return 0
  fi
  # From here, since the app's folder is where it runs.
  local python=("$environment/bin/python" "$PWD/lib/leave_soon.py" "$manage_file" collectstatic --noinput --traceback)
  if ! names_word staticfiles || ! names_static_root; then
    in_app "${python[@]}" >"$log" 2>&1 </dev/null || explain_collectstatic "$log"
    return 0
  fi
  step "\$ python $manage_file collectstatic --noinput"
  quiet_lines='^(Post-processed|Copying|$)' indented "$log" in_app "${python[@]}" || explain_collectstatic "$log"
}

# An app without django.contrib.staticfiles has no such command, and one that never named STATIC_ROOT, as startproject
# leaves it, has nowhere to collect to: neither is a mistake, and their errors would only puzzle. Looking for the word is
# far cheaper than asking Django, but no proof: it only decides whether the output is shown as it comes.
names_word() {
  local root=$BUILD_DIR/$manage_file
  grep -q -r --include='*.py' --exclude-dir=node_modules --exclude-dir=.heroku -F "$1" "${root%/manage.py}"
}

# An empty one, as many examples have it, is none.
names_static_root() {
  local root=$BUILD_DIR/$manage_file
  [[ -n $(grep -r -h --include='*.py' --exclude-dir=node_modules --exclude-dir=.heroku -E '^[^#]*STATIC_ROOT' \
    "${root%/manage.py}" | grep -v -E "STATIC_ROOT *= *(\"\"|''|None) *(#|\$)") ]]
}

explain_collectstatic() {
  local log=$1 text line last='' name=''
  while IFS= read -r line; do
    [[ ! $line =~ ^[A-Za-z_][A-Za-z0-9_.]*(Error|Configured|Exception)(:|$) ]] || last=$line
    [[ $line != "Unknown command: 'collectstatic'"* ]] || return 0
  done <"$log"
  local advice=('Mend the error above and push again, or switch this step off:'
    '  paas config:set DISABLE_COLLECTSTATIC=1')
  if [[ $last =~ Could\ not\ find\ the\ (GDAL|GEOS)\ library ]]; then
    advice=("${BASH_REMATCH[1]}, which GeoDjango (django.contrib.gis) needs, is not a part of the stack, and an app can't"
      'add packages of the system. Do without django.contrib.gis, or ask whoever runs the platform to add it to the stack.')
  elif [[ $last =~ UndefinedValueError:\ ([A-Za-z_][A-Za-z0-9_]*)\ not\ found|Set\ the\ ([A-Z][A-Z0-9_]*)\ environment ]]; then
    # Of python-decouple and django-environ.
    name=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
  elif [[ $last =~ (^KeyError: \'([A-Z][A-Z0-9_]+)\'|[^A-Z_]([A-Z][A-Z0-9]*_[A-Z0-9_]+)([^a-z]|$)) ]]; then
    name=${BASH_REMATCH[2]:-${BASH_REMATCH[3]}}
  elif [[ $last =~ ^ModuleNotFoundError:\ No\ module\ named\ \'([A-Za-z0-9_]+) ]]; then
    explain_adding "${BASH_REMATCH[1]//_/-}"
    advice=("The module ${BASH_REMATCH[1]} is not installed. If it is yours, commit it; else add its package, which may"
      'have another name, to the list of dependencies and push again:' "  $how_to_add")
    [[ $installer != starter ]] || advice=("The module ${BASH_REMATCH[1]} is not installed: nothing says what this"
      'project needs. Write the list where it runs, commit it and push again:' '  pip freeze > requirements.txt')
  fi
  case $name in
    STATIC_ROOT)
      step 'Static files are not collected: the settings name no STATIC_ROOT'
      detail "To serve them, set STATIC_ROOT = BASE_DIR / 'staticfiles' and add whitenoise, for example."
      return 0
      ;;
    DATABASE_URL)
      advice=('The settings need DATABASE_URL while building. Attach a database, which sets it:'
        '  paas addons:create heroku-postgresql' 'or let the settings do without it, or leave the static files out:'
        '  paas config:set DISABLE_COLLECTSTATIC=1')
      ;;
    ?*)
      advice=("The settings need the config var $name while building. Set it and push again:"
        "  paas config:set $name=…"
        'or leave the static files out:' '  paas config:set DISABLE_COLLECTSTATIC=1')
      [[ $name != SECRET_KEY ]] || advice[1]='  paas config:set SECRET_KEY="$(openssl rand -base64 48)"'
      ;;
  esac
  stop_with_tail "$log" 'Django could not collect the static files.' "${advice[@]}"
}

# What bin/release prints: the add-ons the installed packages speak to, and a web process for a Django app whose
# Procfile has none.
write_release() {
  local web='' addons='' quoted
  if [[ $installed =~ \ (psycopg|psycopg2|psycopg2-binary|asyncpg|pg8000)\  ]]; then addons='"heroku-postgresql"'; fi
  if [[ ! -f $BUILD_DIR/Procfile ]] || ! has_line Procfile '^web[[:space:]]*:'; then
    if [[ $installed == *' django '* && -n $manage_file ]]; then default_web_process; else suggest_web_process; fi
  fi
  [[ $installed != *' django '* ]] || mention_migrations
  if [[ -n $web ]]; then
    json_quote "$web"
    web="\"web\":$quoted"
  fi
  printf '{"default_process_types":{%s},"addons":[%s]}\n' "$web" "$addons" >release.json
}

default_web_process() {
  local module='' folder=${manage_file%manage.py}
  folder=${folder%/}
  wsgi_module "${folder:-.}"
  if [[ $installed != *' gunicorn '* ]]; then
    [[ ! -f $BUILD_DIR/Procfile ]] || return 0
    explain_adding gunicorn
    stop 'This Django app has no Procfile, and gunicorn is not among its dependencies, so nothing can serve it.' \
      'Add it (it is started by itself then), commit and push again:' "  $how_to_add" \
      'or write a Procfile with a line that starts your server on $PORT:' '  web: your-server --bind 0.0.0.0:$PORT'
  fi
  if [[ -z $module ]]; then
    stop 'This Django app has no Procfile, and its WSGI_APPLICATION could not be found.' \
      'Write a Procfile with a line that starts it:' "  web: gunicorn ${folder:+--chdir $folder }yourproject.wsgi"
  fi
  web="gunicorn ${folder:+--chdir $folder }$module"
  ! keeps_data_in_sqlite || web="python $manage_file migrate --noinput && exec $web"
  detail "No web process in a Procfile: the app is started with '$web'"
}

# Fills `module`: WSGI_APPLICATION of the settings module that manage.py names, else the one wsgi.py there is.
wsgi_module() {
  local root=$BUILD_DIR/$1 text settings='' file found
  IFS= read -r -d '' text <"$root/manage.py" || true
  if [[ -f $ENV_DIR/DJANGO_SETTINGS_MODULE ]]; then
    read -r settings <"$ENV_DIR/DJANGO_SETTINGS_MODULE" || true
  elif [[ $text =~ DJANGO_SETTINGS_MODULE[\"\'][[:space:]]*,[[:space:]]*[\"\']([A-Za-z0-9_.]+)[\"\'] ]]; then
    settings=${BASH_REMATCH[1]}
  fi
  file=$root/${settings//.//}
  for file in "$file.py" "$file/__init__.py" "${file%/*}"/*.py; do
    [[ -f $file ]] || continue
    IFS= read -r -d '' text <"$file" || true
    if [[ $text =~ (^|$'\n')WSGI_APPLICATION\ *=\ *[\"\']([A-Za-z0-9_.]+)\.([A-Za-z0-9_]+)[\"\'] ]]; then
      module=${BASH_REMATCH[2]}:${BASH_REMATCH[3]}
      return 0
    fi
  done
  found=("$root"/*/wsgi.py "$root"/*/*/wsgi.py)
  for file in "${found[@]}"; do
    [[ -f $file ]] || continue
    file=${file#"$root/"}
    file=${file%.py}
    module=${file//\//.}:application
    return 0
  done
}

# FastAPI and Flask leave the choice of server to the app: a note says what a Procfile would hold.
suggest_web_process() {
  local file text line=
  for file in "$BUILD_DIR"/{main,app,wsgi,asgi,server}.py; do
    [[ -f $file ]] || continue
    IFS= read -r -d '' text <"$file" || true
    if [[ $text =~ (^|$'\n')([A-Za-z_]+)[[:space:]]*=[[:space:]]*(FastAPI|Flask|Starlette)\( ]]; then
      file=${file##*/}
      line="gunicorn ${file%.py}:${BASH_REMATCH[2]}"
      [[ ${BASH_REMATCH[3]} == Flask ]] || line="uvicorn ${file%.py}:${BASH_REMATCH[2]} --host 0.0.0.0 --port \$PORT"
      [[ $installed == *" ${line%% *} "* ]] || { explain_adding "${line%% *}"; line+="  (and add its server: $how_to_add)"; }
      note "There is no web process. A Procfile with this line would start the app: web: $line"
      return 0
    fi
  done
}

# An unmigrated database answers the first visit with an error page, so a push says when nothing runs the migrations.
mention_migrations() {
  local file text found=("$BUILD_DIR"/*/migrations/0*.py "$BUILD_DIR"/*/*/migrations/0*.py)
  if [[ -n $manage_file ]] && keeps_data_in_sqlite; then
    mention_sqlite
    return 0
  fi
  [[ -f ${found[0]} || -f ${found[-1]} ]] || return 0
  # A release command may be a script, or lead to one by ways that can't be followed.
  [[ ! -f $BUILD_DIR/Procfile ]] || ! has_line Procfile '^release[[:space:]]*:' || return 0
  for file in Procfile app.json bin/post_compile; do
    [[ -f $BUILD_DIR/$file ]] || continue
    IFS= read -r -d '' text <"$BUILD_DIR/$file" || true
    [[ $text != *migrate* ]] || return 0
  done
  local migrate="python $manage_file migrate"
  note "This app has migrations, and no release command runs them. Run 'paas run $migrate', or add to the Procfile: release: $migrate"
}
