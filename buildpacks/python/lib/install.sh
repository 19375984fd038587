# Installs the dependencies into the environment: a virtual environment at its fixed place in the dyno, made with uv.
#
# The environment is kept as the layer `python` and goes into the image in parts (parts.py). When nothing that decides its
# content has changed, the previous build's is linked instead, and no installer starts; when the list of dependencies has,
# it is what the new one begins with.

readonly poetry_release=poetry==2.2.1 poetry_export_release=poetry-plugin-export==1.9.0 pipenv_release=pipenv==2025.0.4

dividing=

install_dependencies() {
  local facts="$installer $python_version $plain_pip${starter_packages[*]}" name
  # Settings that change what an index answers count as inputs; names only go into the log, values only into the digest.
  for name in {PIP,UV}_{,EXTRA_}INDEX_URL UV_INDEX UV_DEFAULT_INDEX PIP_CONSTRAINT; do
    [[ ! -f $ENV_DIR/$name ]] || facts+=" $name=$(<"$ENV_DIR/$name")"
  done
  # Such a hook may change the environment, which is no sum of distributions then.
  [[ ! -f $BUILD_DIR/bin/post_compile ]] || facts+=' hook'
  digest "$facts" "${inputs[@]}"
  local key=$layer_key
  if [[ -z $source_reason ]] && layer_fits python "$key"; then
    step "Using the dependencies of the previous build ($installer inputs unchanged)"
    keep_layers python-env-
    reuse_layer python "$environment_path"
    [[ $previous_layer != *'"editable":true'* ]] || link_source
    return 0
  fi
  explain_install
  before=
  # Takes away what is no longer asked for, and looks anew for versions that float.
  exactly=(--exact)
  [[ -z $unpinned ]] || exactly+=(--upgrade)
  if may_extend; then extend_environment; else make_environment; fi
  "install_with_$installer"
  finish_environment "$key"
}

# The previous environment is a good beginning when the same tool made it with the same Python and nothing but
# distributions went into it; what is no longer asked for is removed.
may_extend() {
  local field
  [[ -z $source_reason$plain_pip$local_archives && $installer != @(none|setup|starter) ]] || return 1
  read_previous_layer python || return 1
  [[ $previous_layer == *'"divided":true'* && -d $PAAS_PREVIOUS_DIR/layers/python ]] || return 1
  previous_field python
  [[ $field == "$python_version" ]] || return 1
  previous_field stack
  [[ $field == "${PAAS_STACK_ID:-}" ]] || return 1
  previous_field installer
  [[ $field == "$installer" ]]
}

extend_environment() {
  before=$PAAS_PREVIOUS_DIR/layers/python
  cp --archive "$before" "$PAAS_LAYERS_DIR/python"
  link_layer "$PAAS_LAYERS_DIR/python" "$environment_path"
  use_installer
  case $installer in
    # What is new comes from the index; what the cache holds of the rest isn't needed.
    pip | uv | project) export UV_CACHE_DIR=$PAAS_WORK_DIR/out/uv ;;
    *) use_cache ;;
  esac
  unset UV_COMPILE_BYTECODE
}

use_installer() {
  export UV_CACHE_DIR=$CACHE_DIR/uv UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 UV_COMPILE_BYTECODE=1
  export PYC_INVALIDATION_MODE=UNCHECKED_HASH NO_COLOR=1
  export UV_LINK_MODE=copy
  [[ $PAAS_LAYERS_DIR != "$PAAS_WORK_DIR"/* ]] || UV_LINK_MODE=hardlink
}

explain_install() {
  if [[ -n $source_reason ]]; then
    detail "Dependencies are installed in each build: $source_reason."
  elif [[ $layer_miss != 'first build' ]]; then
    detail "Dependencies are installed again: $layer_miss."
  fi
}

make_environment() {
  local log=$PAAS_WORK_DIR/out/environment.log seed=()
  # Hooks and one-off dynos expect pip where pip is the app's installer.
  case $installer in pip | pipenv | setup | starter | none) seed=(--seed) ;; esac
  mkdir -p "$PAAS_LAYERS_DIR/python"
  link_layer "$PAAS_LAYERS_DIR/python" "$environment_path"
  use_cache
  use_installer
  uv venv --quiet --no-project --allow-existing "${seed[@]}" --python "$python_executable" "$environment" \
    >"$log" 2>&1 </dev/null || stop_with_tail "$log" 'The Python environment could not be made.' \
    'If a package index is named above, check that the build can reach it, and push again.'
}

# Runs an installer in the app's folder with its config vars; stops the build with the installer's last lines.
run_installer() {
  local log=$PAAS_WORK_DIR/out/install.log shown=$1
  shift
  step "Installing dependencies using '$shown'"
  quiet_lines='^(Using (CPython|Python) .*|Installed [0-9]+ .* in .*|Audited .*|Creating virtual environment.*)$' \
    indented "$log" with_index_settings "$@" && return 0
  explain_installer "$log" "$shown"
}

explain_installer() {
  local text advice=('The last lines above are its own. Mend the dependency they name, commit and push again.')
  IFS= read -r -d '' text <"$1" || true
  case $text in
    *'lockfile'*'needs to be updated'*)
      advice=('pyproject.toml and uv.lock do not agree. Run uv lock, commit uv.lock and push again.')
      ;;
    *'Pipfile.lock is out-of-date'*)
      advice=('Pipfile and Pipfile.lock do not agree. Run pipenv lock, commit Pipfile.lock and push again.')
      ;;
    *'git clone'*'did not run successfully'* | *'Git operation failed'* | *'Could not resolve host'*)
      advice=('A dependency comes from a git repository that could not be fetched: its address and the reason are above.'
        'Check the address, or take a release of it from the package index instead: name==version. If the address is'
        'right, ask whoever runs the platform whether builds may reach it; a private one needs a token in the address.')
      ;;
    *'Failed to build'*)
      advice=('A dependency has no ready-made wheel for this Python and could not be compiled: its own lines are above.'
        'A newer version of it may have one, or another Python in .python-version.')
      ;;
    *'dns error'* | *'error sending request'* | *'Failed to fetch'*)
      advice=('The package index could not be reached. Push again, or mend the index that your settings name.')
      ;;
  esac
  stop_with_tail "$1" "Dependencies could not be installed: $2 failed." "${advice[@]}"
}

# uv reads no PIP_* settings; apps with a private index have them.
with_index_settings() (
  export_config_vars
  if [[ -f $ENV_DIR/PIP_INDEX_URL || -z ${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-} ]] && [[ -n ${PIP_INDEX_URL:-} ]]; then
    export UV_DEFAULT_INDEX=$PIP_INDEX_URL
  fi
  [[ -z ${PIP_EXTRA_INDEX_URL:-} || -n ${UV_INDEX:-}${UV_EXTRA_INDEX_URL:-} ]] || export UV_INDEX=$PIP_EXTRA_INDEX_URL
  export UV_PROJECT_ENVIRONMENT=$environment VIRTUAL_ENV=$environment PATH=$environment/bin:$PATH
  cd "$BUILD_DIR" && "$@"
)

install_with_pip() {
  if [[ -n $plain_pip ]]; then
    # uv takes neither editable checkouts, which pip puts into the environment's src/, nor all of pip's options.
    run_installer 'pip install -r requirements.txt' "$environment/bin/python" -m pip install --no-input \
      --progress-bar off --disable-pip-version-check --src "$environment/src" --no-compile -r requirements.txt
    return
  fi
  # pip looks for the best version in all indexes, and so do requirements files written for it.
  run_installer 'uv pip install -r requirements.txt' uv pip install --python "$environment/bin/python" \
    "${exactly[@]}" --index-strategy unsafe-best-match -r requirements.txt
}

install_with_setup() {
  run_installer 'uv pip install .' uv pip install --python "$environment/bin/python" .
}

install_with_none() { :; }

install_with_uv() {
  run_installer 'uv sync --locked --no-default-groups' \
    uv sync --python "$environment/bin/python" --locked --no-default-groups
}

install_with_project() {
  run_installer 'uv sync --no-default-groups' uv sync --python "$environment/bin/python" --no-default-groups
  # Made by the way; the app has no lockfile, so neither has the dyno.
  rm -f "$BUILD_DIR/uv.lock"
}

# poetry.lock becomes a list with hashes, which uv installs many times faster than Poetry would; then the app itself,
# when it is a package, linked to its source as Poetry does.
install_with_poetry() {
  local poetry=(uvx --quiet --python "$python_executable" --from "$poetry_release" --with "$poetry_export_release"
    poetry --no-ansi)
  local list=$PAAS_WORK_DIR/out/requirements.txt text
  export POETRY_CACHE_DIR=$CACHE_DIR/poetry POETRY_VIRTUALENVS_CREATE=false POETRY_NO_INTERACTION=1
  [[ -f $BUILD_DIR/poetry.lock ]] || run_installer 'poetry lock' "${poetry[@]}" lock
  with_index_settings "${poetry[@]}" export --only main --with-credentials --format requirements.txt --output "$list" \
    >"$list.log" 2>&1 </dev/null ||
    stop_with_tail "$list.log" 'poetry.lock could not be used.' 'Run poetry lock, commit and push again.'
  IFS= read -r -d '' text <"$list.log" || true
  [[ ! $text =~ 'not up to date'|'changed significantly' ]] || stop_with_tail "$list.log" \
    'pyproject.toml and poetry.lock do not agree.' 'Run poetry lock, commit poetry.lock and push again.'
  run_installer 'uv pip install from poetry.lock' uv pip install --python "$environment/bin/python" \
    "${exactly[@]}" --no-deps -r "$list"
  if ! has_line pyproject.toml '^package-mode *= *false' && has_line pyproject.toml '^\[build-system\]'; then
    run_installer 'uv pip install --editable .' uv pip install --python "$environment/bin/python" --no-deps --editable .
  fi
}

# Pipfile.lock becomes a list with hashes, which uv installs many times faster than pipenv would.
install_with_pipenv() {
  local pipenv=(uvx --quiet --python "$python_executable" --from "$pipenv_release" pipenv)
  local list=$PAAS_WORK_DIR/out/requirements.txt
  export PIPENV_IGNORE_VIRTUALENVS=1 PIPENV_VENV_IN_PROJECT=0 WORKON_HOME=$PAAS_WORK_DIR/out/pipenv
  if [[ ! -f $BUILD_DIR/Pipfile.lock ]]; then
    run_installer 'pipenv lock' "${pipenv[@]}" lock
  elif [[ -f $BUILD_DIR/Pipfile ]]; then
    run_installer 'pipenv verify' "${pipenv[@]}" verify
  fi
  with_index_settings "${pipenv[@]}" requirements --hash >"$list" 2>"$list.log" </dev/null ||
    stop_with_tail "$list.log" 'Pipfile.lock could not be read.' 'Run pipenv lock, commit and push again.'
  run_installer 'uv pip install from Pipfile.lock' uv pip install --python "$environment/bin/python" \
    "${exactly[@]}" -r "$list"
}

# Editable packages point at the build folder, or at the layer's; in the dyno the source is at /app. During the rest of
# the build /app leads to the source.
finish_environment() {
  local key=$1 packages=("$environment"/lib/python3.*/site-packages) file mention=()
  local files=("${packages[0]}"/*.pth "${packages[0]}"/__editable__*.py "${packages[0]}"/*.dist-info/direct_url.json)
  for file in "${files[@]}"; do
    [[ ! -f $file ]] || ! grep -q -F -e "$BUILD_DIR" -e "$PAAS_LAYERS_DIR/python" "$file" || mention+=("$file")
  done
  if ((${#mention[@]} > 0)); then
    sed -i "s,$BUILD_DIR\\b,/app,g; s,$PAAS_LAYERS_DIR/python\\b,$environment,g" "${mention[@]}"
    # Their bytecode, which is trusted unseen, still has the old paths.
    "$environment/bin/python" -m compileall -qq -f --invalidation-mode unchecked-hash "${mention[@]}" \
      >/dev/null 2>&1 </dev/null || true
    link_source
  fi
  case $plain_pip:$installer in
    yes:*)
      "$environment/bin/python" -m compileall -qq -f -j 0 --invalidation-mode unchecked-hash \
        "$environment"/lib/python3.*/site-packages >/dev/null 2>&1 </dev/null || true
      ;;
  esac
  bound_cache uv 1500
  bound_cache poetry 500
  local more=",\"python\":\"$python_version\",\"installer\":\"$installer\",\"stack\":\"${PAAS_STACK_ID:-}\""
  [[ -z $source_reason ]] || key=none
  [[ -z $unpinned ]] || more+=",\"stale_at\":$((EPOCHSECONDS + 24 * 3600))"
  ((${#mention[@]} == 0)) || more+=',"editable":true'
  if [[ -z $source_reason$plain_pip && ! -f $BUILD_DIR/bin/post_compile ]] && ((${#mention[@]} == 0)); then
    divide_environment &
    dividing=$!
    more+=',"launch":false,"divided":true'
  fi
  describe_layer python "$environment_path" "$key" "$more"
}

# Each part of the environment is a layer; the whole of it is kept for the next build. Takes its time beside what follows.
divide_environment() {
  "$environment/bin/python" -I lib/parts.py "$environment" "$before" "$PAAS_LAYERS_DIR" \
    "${PAAS_STACK_ID:-} $HOSTTYPE $buildpack_version $python_version"
}

keep_unchanged_parts() {
  local part
  [[ -n $dividing ]] || return 0
  wait "$dividing" || stop 'Internal error of the python buildpack: the environment could not be divided.' "$not_yours"
  for part in "$PAAS_LAYERS_DIR"/python-env-*.json; do
    part=${part##*/}
    keep_if_same "${part%.json}"
  done
}

# Makes /app lead to the source, entry by entry, for packages that are linked to it.
link_source() {
  local entry
  for entry in "$BUILD_DIR"/* "$BUILD_DIR"/.[!.]*; do
    [[ ! -e $entry || -e /app/${entry##*/} ]] || ln -s "$entry" /app/
  done
}

# Fills `installed` with the installed distributions: lower case, dashes, a space around each.
list_installed() {
  local found=("$environment"/lib/python3.*/site-packages/*.dist-info) name
  installed=' '
  for name in "${found[@]}"; do
    name=${name##*/}
    name=${name%%-[0-9]*}
    installed+="${name//[_.]/-} "
  done
  installed=${installed,,}
}
