# Which buildpacks build this app, in which order. Fills `buildpack_names`, `buildpack_urls` (empty for ours) and
# `chosen_by` (`detection` when nobody named any). `optional_buildpack` is one that detection only guessed: it is left
# out when it turns out not to apply.
#
# The app's setting comes first, then the config var BUILDPACK_URL, the file .buildpacks, app.json; else each buildpack
# of ours is asked, in Heroku's order. Heroku's own language buildpacks, by name or URL, mean ours.

declare -a buildpack_names=() buildpack_urls=()
declare -A detected_as=()
chosen_by='' optional_buildpack=''

readonly detection_order=(ruby nodejs python java php go rust static procfile)

order_buildpacks() {
  local -a wanted=()
  wanted_buildpacks || return 1
  if ((${#wanted[@]} == 0)); then
    detect_buildpacks
    return
  fi
  local entry
  for entry in "${wanted[@]}"; do add_buildpack "$entry" || return 1; done
  say_order "named by $chosen_by"
}

# Fills `wanted` from the first place that names any.
wanted_buildpacks() {
  local text line
  read -ra wanted <<<"${PAAS_BUILDPACKS//$'\n'/ }"
  chosen_by="the app's setting"
  ((${#wanted[@]} == 0)) || [[ ${wanted[*]} =~ heroku-buildpack-multi ]] || return 0
  wanted=()
  if [[ -s $env_dir/BUILDPACK_URL ]]; then
    read -r line <"$env_dir/BUILDPACK_URL" || true
    chosen_by='the config var BUILDPACK_URL'
    [[ $line =~ heroku-buildpack-multi ]] || { wanted=("$line"); return 0; }
  fi
  if [[ -f $build_dir/.buildpacks ]]; then
    chosen_by=.buildpacks
    while IFS= read -r line || [[ -n $line ]]; do
      line=${line%%#[[:space:]]*}
      read -r line _ <<<"${line%$'\r'}"
      [[ -z $line || $line == '#'* ]] || wanted+=("$line")
    done <"$build_dir/.buildpacks"
    ((${#wanted[@]} == 0)) || return 0
  fi
  chosen_by=app.json
  [[ -f $build_dir/app.json ]] || return 0
  IFS= read -r -d '' text <"$build_dir/app.json" || true
  [[ $text == *'"buildpacks"'* ]] || return 0
  read_app_json_buildpacks
}

# app.json is the control plane's to judge: here a broken one only means that it names no buildpack.
read_app_json_buildpacks() {
  local query='.buildpacks[]? | if type == "object" then .url else . end | strings' lines
  if ! lines=$(jq --raw-output "$query" "$build_dir/app.json" 2>/dev/null) &&
    ! lines=$(python3 -I "$PAAS_DRIVER_DIR/lib/strip-json-comments.py" "$build_dir/app.json" 2>/dev/null |
      jq --raw-output "$query" 2>/dev/null); then
    warning 'app.json is not valid JSON, so the buildpacks it may name are not used.'
    return 0
  fi
  [[ -z $lines ]] || mapfile -t wanted <<<"$lines"
}

# Adds one entry of an explicit list; prints the error and fails when it can't be a buildpack.
add_buildpack() {
  local entry=$1 url=$1 here ours
  name_of_ours "$entry"
  if [[ -n $ours && ${PAAS_ORIGINAL_BUILDPACKS:-false} != true && -d $PAAS_BUILDPACKS_DIR/$ours ]]; then
    buildpack_names+=("$ours") buildpack_urls+=('')
    return 0
  fi
  if [[ $entry =~ ^[a-z0-9-]+$ ]]; then
    here=("$PAAS_BUILDPACKS_DIR"/*/bin/compile)
    here=("${here[@]%/bin/compile}")
    [[ -n $ours ]] || {
      error "There is no buildpack called '$entry'." "There are: ${here[*]##*/}. Others are named by their https URL."
      return 1
    }
    url=heroku/$ours
  fi
  url=${url#urn:buildpack:}
  url=${url#urn:cnb:registry:}
  [[ ! $url =~ ^[a-z0-9-]+/[a-z0-9-]+$ ]] || url=https://buildpack-registry.s3.amazonaws.com/buildpacks/$url.tgz
  check_buildpack_url "$url" || return 1
  buildpack_names+=("$entry") buildpack_urls+=("$url")
}

# Puts the name of the buildpack of ours that an entry means into `ours`: empty when it means somebody else's.
name_of_ours() {
  ours=$1
  case $ours in
    https://github.com/heroku/heroku-buildpack-*)
      ours=${ours#*heroku-buildpack-}
      ours=${ours%%#*}
      ours=${ours%/}
      ours=${ours%.git}
      ;;
    https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku*.tgz | \
      https://codon-buildpacks.s3.amazonaws.com/buildpacks/heroku*.tgz)
      ours=${ours##*/buildpacks/}
      ours=${ours%.tgz}
      ;;
  esac
  ours=${ours#urn:buildpack:}
  ours=${ours#urn:cnb:registry:}
  ours=${ours#heroku-community/}
  ours=${ours#heroku/}
  [[ $ours != node ]] || ours=nodejs
  [[ $ours =~ ^(ruby|nodejs|python|java|php|go|rust|static|procfile)$ ]] || ours=
}

# Asks each buildpack of ours. The first that applies builds the app, with the companions an app of two parts needs.
detect_buildpacks() {
  local name
  chosen_by=detection
  mention_missing_languages
  for name in "${detection_order[@]}"; do
    detects "$name" || continue
    add_companions "$name"
    [[ ${#buildpack_names[@]} -gt 1 ]] && say_order "$companion_reason"
    [[ -f $build_dir/Dockerfile ]] && detail 'There is a Dockerfile too; it is not used, the buildpack builds this app.'
    return 0
  done
  local -a folder_advice
  advise_folder
  error 'No buildpack fits this app.' \
    'Looked in its root folder for: package.json, requirements.txt, pyproject.toml, uv.lock, poetry.lock, Pipfile,' \
    'setup.py, manage.py, static.json, Staticfile, index.html, Procfile.' "${folder_advice[@]}" \
    'Commit one of them at the root, or name a buildpack in the app'\''s settings or in .buildpacks.'
  return 1
}

# A repository of several parts has each in a folder of its own; git can push one folder as if it were all.
advise_folder() {
  local file found=("$build_dir"/*/{manage.py,requirements.txt,pyproject.toml,Pipfile,package.json,Procfile,index.html})
  folder_advice=()
  for file in "${found[@]}"; do
    [[ -f $file && $file != */node_modules/* ]] || continue
    file=${file#"$build_dir/"}
    folder_advice=("There is $file. To deploy the folder ${file%/*} alone:"
      "  git push paas \"\$(git subtree split --prefix ${file%/*})\":refs/heads/master")
    return 0
  done
}

# Another buildpack may still apply, but it will hardly be what the app's author thinks of.
mention_missing_languages() {
  local pair name file
  for pair in ruby:Gemfile java:pom.xml gradle:build.gradle php:composer.json go:go.mod rust:Cargo.toml; do
    name=${pair%%:*} file=${pair#*:}
    [[ -f $build_dir/$file && ! -d $PAAS_BUILDPACKS_DIR/$name ]] || continue
    warning "There is a $file, and this platform has no buildpack of its own for $name." \
      "Heroku's can be named in .buildpacks: https://github.com/heroku/heroku-buildpack-$name"
  done
}

# True when our buildpack applies; what it calls the app goes into `detected_as`.
detects() {
  local answer bin=$PAAS_BUILDPACKS_DIR/$1
  [[ -x $bin/bin/detect ]] || return 1
  answer=$(cd "$bin" && exec ./bin/detect "$build_dir" 2>/dev/null </dev/null) || return 1
  detected_as[$1]=${answer%%$'\n'*}
}

# Front and back end in one repository: Node.js builds its part first, then the language that serves. Heroku would
# take Node.js alone and the app would never start.
add_companions() {
  local -a names=("$1")
  companion_reason=
  if [[ $1 == nodejs ]]; then
    if detects python; then
      names=(nodejs python)
      companion_reason='package.json and Python files are both here: Node.js builds first, then Python serves the app'
    elif static_serves_node_build; then
      names=(nodejs static)
      optional_buildpack=static
      companion_reason='package.json has a build and nothing to start: the static server serves what it builds'
    fi
  fi
  local name
  for name in "${names[@]}"; do buildpack_names+=("$name") buildpack_urls+=(''); done
}

# A front end without a server of its own: asked for in so many words, or a build script with nothing to start.
static_serves_node_build() {
  [[ -d $PAAS_BUILDPACKS_DIR/static ]] || return 1
  [[ ! -f $build_dir/static.json && ! -f $build_dir/Staticfile && ! -f $build_dir/.static ]] || return 0
  [[ ! -f $build_dir/Procfile && ! -f $build_dir/server.js ]] || return 1
  local text
  IFS= read -r -d '' text <"$build_dir/package.json" || true
  [[ ! $text =~ \"(start|main)\"[[:space:]]*: && $text =~ \"build\"[[:space:]]*: ]]
}

say_order() {
  local number
  step 'Using buildpacks:'
  for number in "${!buildpack_names[@]}"; do detail "$((number + 1)). ${buildpack_names[number]}"; done
  [[ -z $1 ]] || detail "($1)"
}
