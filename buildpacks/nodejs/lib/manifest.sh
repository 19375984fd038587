# What package.json says, read once, and the config vars that steer the build.

# Fills the variables named after what they hold; scripts in the associative array `scripts`.
read_manifest() {
  local lines log=$PAAS_WORK_DIR/out/manifest.log name
  mapfile -t lines < <(jq --raw-output --from-file lib/manifest.jq "$BUILD_DIR/package.json" 2>"$log" || true)
  if ((${#lines[@]} != 16)); then
    IFS= read -r name <"$log" || true
    stop 'package.json is not valid JSON.' "${name#jq: error*: }" 'Mend it, commit and push again.'
  fi
  engine_node=${lines[0]} engine_npm=${lines[1]} engine_yarn=${lines[2]} engine_pnpm=${lines[3]}
  package_manager=${lines[4]} main_file=${lines[5]} start_script=${lines[6]} start_hooks=${lines[7]}
  read -ra script_names <<<"${lines[8]}"
  install_scripts=${lines[9]} local_packages=${lines[10]} has_dev_dependencies=${lines[11]}
  has_packages=${lines[12]}
  cache_directories=()
  [[ ${lines[13]} == '[]' ]] || mapfile -t cache_directories < <(jq --raw-output '.[]' <<<"${lines[13]}")
  install_manifest=${lines[14]} speaks_postgresql=${lines[15]}
}

has_script() { [[ " ${script_names[*]} " == *" $1 "* ]]; }

# Config vars are looked at one by one: the rest of the build's own shell has nothing to do with them.
read_settings() {
  config_var NODE_ENV production
  node_env=$value
  config_var NODE_MODULES_CACHE true
  reuse_allowed=$value
  config_var NPM_CONFIG_PRODUCTION ''
  npm_production=$value
  config_var YARN_PRODUCTION ''
  yarn_production=$value
  config_var PNPM_SKIP_PRUNING false
  pnpm_skip_pruning=$value
  config_var USE_NPM_INSTALL false
  use_npm_install=$value
  config_var NODE_BUILD_FLAGS ''
  build_flags=$value
  heap_for_build
}

# Puts an option for Node.js into `heap_option`: four fifths of the memory that the build may use, where Node.js by
# itself takes half. Without a limit it is what Heroku gives.
heap_for_build() {
  local file bytes='' megabytes=2560
  for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
    [[ ! -r $file ]] || read -r bytes <"$file"
    [[ -z $bytes ]] || break
  done
  # 'max' and absurd numbers mean no limit.
  [[ ! $bytes =~ ^[0-9]{1,13}$ ]] || megabytes=$((bytes / 1048576 * 4 / 5))
  heap_option=--max-old-space-size=$megabytes
}

# Puts a config var, or a fallback, into `value`.
config_var() {
  value=$2
  if [[ -f $ENV_DIR/$1 ]]; then read -r value <"$ENV_DIR/$1" || true; fi
}

# Runs a command in the app's folder, as the app's own scripts expect it: config vars, Node.js on PATH, NODE_ENV.
in_app() (
  export_config_vars
  export PATH=$corepack_folder:/app/.heroku/node/bin:$PATH:$BUILD_DIR/node_modules/.bin NODE_HOME=/app/.heroku/node
  local tool
  for tool in npm yarn pnpm; do [[ ! -d /app/.heroku/$tool/bin ]] || PATH=/app/.heroku/$tool/bin:$PATH; done
  export NODE_ENV=${NODE_ENV:-production} NPM_CONFIG_LOGLEVEL=${NPM_CONFIG_LOGLEVEL:-error} CI=${CI:-true}
  export npm_config_cache=$CACHE_DIR/npm npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false
  export npm_config_progress=false npm_config_prefer_offline=true NODE_OPTIONS=${NODE_OPTIONS:-$heap_option}
  # No logs in the cache, where nobody reads them; npm 6 writes them after failures only, and fails at a 0.
  export npm_config_logs_max=$((npm_major < 7))
  export YARN_ENABLE_GLOBAL_CACHE=false YARN_ENABLE_TELEMETRY=0 npm_config_store_dir=$CACHE_DIR/pnpm
  # With plug'n'play the archives in the app's own .yarn/cache are what the dyno runs from.
  if [[ -z $yarn_berry ]] || uses_node_modules; then export YARN_CACHE_FOLDER=$CACHE_DIR/yarn; fi
  # The platform's registry mirror gives way to the registry that the app names.
  if [[ -f $BUILD_DIR/.npmrc ]] && grep -q '^registry *=' "$BUILD_DIR/.npmrc"; then
    unset npm_config_registry NPM_CONFIG_REGISTRY
  fi
  [[ -z ${npm_config_registry:-} || -n ${YARN_NPM_REGISTRY_SERVER:-} ]] ||
    export YARN_NPM_REGISTRY_SERVER=${npm_config_registry%/}
  [[ -z ${npm_config_registry:-} || -n ${COREPACK_NPM_REGISTRY:-} ]] ||
    export COREPACK_NPM_REGISTRY=${npm_config_registry%/}
  [[ -n $lockfile ]] || export YARN_ENABLE_IMMUTABLE_INSTALLS=${YARN_ENABLE_IMMUTABLE_INSTALLS:-false}
  # Compiled add-ons need the runtime's headers, which lie beside it.
  [[ ! -d $node_root/include/node ]] || export npm_config_nodedir=$node_root
  cd "$BUILD_DIR" && "$@"
)
