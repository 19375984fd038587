# bin/pre_compile and bin/post_compile of the app, with its config vars and, after the install, its Python.

run_hook() {
  local file=$BUILD_DIR/bin/$1 log=$PAAS_WORK_DIR/out/$1.log marker=$PAAS_WORK_DIR/out/$1.started
  [[ -f $file ]] || return 0
  step "Running bin/$1 hook"
  if [[ $1 == post_compile ]]; then make_environment_writable; fi
  : >"$marker"
  chmod +x "$file"
  indented "$log" in_app "$file" || stop_with_tail "$log" "The hook bin/$1 failed." "Mend bin/$1 and push again."
  if [[ $1 == post_compile ]]; then keep_changed_environment "$marker"; fi
}

# Runs a command in the app's folder with its config vars and its Python first on PATH. Python writes no bytecode while
# building: times are fixed in the image, so files that trust them would be stale there.
in_app() (
  export_config_vars
  export PATH=$environment/bin:$PATH VIRTUAL_ENV=$environment PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
  export BUILD_DIR CACHE_DIR ENV_DIR PYTHONPATH=${PYTHONPATH:-.}
  export UV_PROJECT_ENVIRONMENT=$environment UV_PYTHON=$environment/bin/python
  export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1
  [[ ! -d /app/.heroku/nltk_data ]] || export NLTK_DATA=${NLTK_DATA:-/app/.heroku/nltk_data}
  cd "$BUILD_DIR" && "$@"
)

# A hook may install more, and the previous build's layer is read-only.
make_environment_writable() {
  [[ ! -d $PAAS_LAYERS_DIR/python ]] || return 0
  cp --archive "$PAAS_PREVIOUS_DIR/layers/python" "$PAAS_LAYERS_DIR/python"
  link_layer "$PAAS_LAYERS_DIR/python" "$environment_path"
}

# A hook that left the environment as it was costs no new layer.
keep_changed_environment() {
  local changed
  changed=$(find "$PAAS_LAYERS_DIR/python" -newer "$1" -print -quit)
  IFS= read -r previous_layer <"$PAAS_LAYERS_DIR/python.json" || true
  [[ $previous_layer == '{"reuse":true,'* ]] || return 0
  if [[ -z $changed ]]; then
    rm -rf "$PAAS_LAYERS_DIR/python"
    link_layer "$PAAS_PREVIOUS_DIR/layers/python" "$environment_path"
  else
    printf '{%s\n' "${previous_layer#\{\"reuse\":true,}" >"$PAAS_LAYERS_DIR/python.json"
  fi
}
