# Installs node_modules, or takes it over from the previous build.
#
# Two layers have it: `node_modules` as it is in the dyno, pruned, and `node-build`, whole, for apps whose build scripts
# need the development dependencies too (never in the dyno). Build scripts may write into node_modules, so they get a
# copy of their own; what they left there decides in scripts.sh whether the dyno's layer still fits. Fills `modules`:
# linked, copied, installed, in_app when node_modules is part of the app because it depends on the source, or none.

readonly modules_path=app/node_modules

install_dependencies() {
  local reason=''
  needs_build=
  if has_script build || has_script heroku-postbuild || has_script heroku-cleanup; then needs_build=yes; fi
  will_prune
  # The packages of a pnpm workspace have dependencies, even where the root's package.json has none.
  if [[ -z $has_packages && ! -d $BUILD_DIR/node_modules && ! -f $BUILD_DIR/pnpm-workspace.yaml ]]; then
    modules=none
    return 0
  fi
  local -a inputs=()
  local facts=
  list_inputs
  depends_on_source
  digest "$facts" "${inputs[@]}"
  modules_key=$layer_key modules_inputs=$layer_inputs
  if [[ -z $reason && $reuse_allowed != false ]] && take_over_modules; then return 0; fi
  if [[ -n $reason ]]; then
    detail "Dependencies are installed in each build: $reason."
  elif [[ $reuse_allowed == false ]]; then
    detail 'Dependencies are installed again: NODE_MODULES_CACHE is false.'
  elif [[ $layer_miss != 'first build' ]]; then
    detail "Dependencies are installed again: $layer_miss."
  fi
  use_cache
  run_install
  bound_cache npm 1000
  bound_cache yarn 1000
  bound_cache pnpm 1500
  modules=installed
  [[ -z $reason ]] || modules=in_app
  [[ -d $BUILD_DIR/node_modules || -n $reason ]] || modules=none
  if [[ $modules == installed && -n $needs_build ]]; then keep_whole_modules; fi
}

# Everything that decides what gets installed goes into `facts` and `inputs`.
list_inputs() {
  local file name value
  facts="$installer $node_version $install_manifest prune=$prune"
  for file in "$ENV_DIR"/*; do
    name=${file##*/}
    [[ $name =~ ^(NPM_|npm_|YARN_|PNPM_|NODE_ENV$|NODE_OPTIONS$|USE_NPM_INSTALL$) ]] || continue
    IFS= read -r -d '' value <"$file" || true
    facts+=" $name=$value"
  done
  for file in "$lockfile" .npmrc .yarnrc .yarnrc.yml .pnpmfile.cjs pnpm-workspace.yaml; do
    [[ -z $file || ! -f $BUILD_DIR/$file ]] || inputs+=("$file")
  done
  local patches=("$BUILD_DIR"/patches/* "$BUILD_DIR"/.yarn/patches/*)
  # Prisma's client is made from the schema while it is installed.
  [[ $install_manifest != *'"@prisma/client"'* ]] || patches+=("$BUILD_DIR"/prisma/*.prisma "$BUILD_DIR"/schema.prisma)
  for file in "${patches[@]}"; do [[ ! -f $file ]] || inputs+=("${file#"$BUILD_DIR/"}"); done
}

# Fills `reason` when the outcome depends on more than the inputs.
depends_on_source() {
  local tools='patch-package|husky( install)?|prisma generate|npm-force-resolutions|is-ci|only-allow (npm|yarn|pnpm)'
  local harmless="^\"[A-Za-z:]+\":\"(((npx |yarn )?($tools)|echo [^|&;\$\`]*|true|exit 0)( *(&&|\|\||;) *)?)*\"\$"
  local scripts=${install_scripts#\{} script
  scripts=${scripts%\}}
  if [[ -n $local_packages ]]; then
    reason="package.json has local packages ($local_packages)"
  elif [[ -n $yarn_berry ]] && ! uses_node_modules; then
    reason="yarn's plug'n'play keeps them beside the source"
  elif [[ -n $yarn_berry && -z $lockfile ]]; then
    reason='there is no yarn.lock, which yarn makes and needs later'
  elif is_pnpm_workspace; then
    reason='pnpm-workspace.yaml has local packages'
  elif [[ -d $BUILD_DIR/node_modules ]]; then
    warning 'node_modules is committed. It is installed anew here.' \
      'Remove it from git: git rm -r --cached node_modules'
    [[ -z $lockfile ]] || rm -rf "$BUILD_DIR/node_modules"
    [[ -n $lockfile ]] || reason='node_modules is committed and there is no lockfile'
  elif [[ -n $scripts ]]; then
    while IFS= read -r script; do
      [[ $script =~ $harmless ]] || reason="package.json has the install script ${script%%:\"*}"
    done <<<"${scripts//\",\"/\"$'\n'\"}"
  fi
}

uses_node_modules() {
  [[ -f $BUILD_DIR/.yarnrc.yml ]] && grep -q -E "^nodeLinker: *[\"']?(node-modules|pnpm)" "$BUILD_DIR/.yarnrc.yml"
}

take_over_modules() {
  layer_inputs=$modules_inputs
  if [[ -z $needs_build ]]; then
    layer_fits node_modules "$modules_key" || return 1
    reuse_layer node_modules "$modules_path"
    modules=linked
  else
    layer_fits node-build "$modules_key" || return 1
    keep_layer node-build
    cp --archive "$PAAS_PREVIOUS_DIR/layers/node-build/node_modules" "$BUILD_DIR/node_modules"
    modules=copied
  fi
  step "Using the dependencies of the previous build (${lockfile:-package.json} unchanged)"
}

keep_whole_modules() {
  mkdir -p "$PAAS_LAYERS_DIR/node-build"
  cp --archive "$BUILD_DIR/node_modules" "$PAAS_LAYERS_DIR/node-build/node_modules"
  describe_modules node-build ',"launch":false'
}

describe_modules() {
  local more=${2:-}
  [[ -n $lockfile ]] || more+=",\"stale_at\":$((EPOCHSECONDS + 24 * 3600))"
  layer_inputs=$modules_inputs
  describe_layer "$1" "$modules_path" "$modules_key" "$more"
}

run_install() {
  local log=$PAAS_WORK_DIR/out/install.log command
  case $installer-${yarn_berry:-no}-${lockfile:+locked} in
    npm-no-locked) command=(npm ci --include=dev) ;;
    npm-no-) command=(npm install --include=dev) ;;
    yarn-yes-*) command=(yarn install ${lockfile:+--immutable}) ;;
    yarn-no-*)
      command=(yarn install ${lockfile:+--frozen-lockfile} --ignore-engines --non-interactive --production=false)
      ;;
    pnpm-*) command=(pnpm install ${lockfile:+--frozen-lockfile} --prod=false --reporter=append-only) ;;
  esac
  if [[ $installer == npm && $use_npm_install == true ]]; then command[1]=install; fi
  # Production only, from the start: what these settings have always meant on Heroku.
  if [[ $installer == npm && $npm_production == true ]]; then command[-1]=--omit=dev; fi
  if [[ $installer == yarn && -z $yarn_berry && $yarn_production == true ]]; then command[-1]=--production=true; fi
  if [[ $installer == npm ]]; then old_npm_option; fi
  if [[ -z $lockfile ]]; then
    local -A made=([npm]=package-lock.json [yarn]=yarn.lock [pnpm]=pnpm-lock.yaml)
    local cure="Commit ${made[$installer]} (made by: $installer install)."
    note "There is no lockfile, so versions can change from build to build. $cure"
  fi
  step "Installing dependencies using '${command[*]:0:2}'"
  quiet_lines='^$' indented "$log" in_app "${command[@]}" || explain_install "$log" "${command[*]:0:2}"
}

# Before npm 7 the last word of a command had another name.
old_npm_option() {
  ((npm_major < 7)) || return 0
  command[-1]=${command[-1]/--include=dev/--production=false}
  command[-1]=${command[-1]/--omit=dev/--production}
}

explain_install() {
  local text advice=('The last lines above are its own. Mend the dependency they name, commit and push again.')
  IFS= read -r -d '' text <"$1" || true
  stop_at_full_heap "$1"
  # Its usage, at length, would push out what it misses.
  sed --in-place '/Clean install a project/,/Run "npm help ci"/d' "$1"
  case $text in
    *'can only install packages when your package.json and'* | *ERR_PNPM_OUTDATED_LOCKFILE* | \
      *'lockfile needs to be updated'* | *'The lockfile would have been modified'*)
      advice=("package.json and $lockfile do not agree. Run $installer install, commit $lockfile and push again.")
      ;;
    *'npm error code E404'*)
      advice=('A package is not in the registry: check its name and version in package.json.')
      ;;
    *ERESOLVE*)
      advice=('Dependencies ask for versions that exclude each other.'
        'Resolve it, or commit an .npmrc with legacy-peer-deps=true.')
      ;;
    *'gyp ERR!'*)
      advice=('A native add-on could not be compiled: its own lines are above.')
      ;;
    *EBADENGINE* | *'engine "node" is incompatible'*)
      advice=("A package needs another Node.js than $node_version: set engines.node in package.json.")
      ;;
    *ENOTFOUND* | *ETIMEDOUT* | *ECONNREFUSED* | *EAI_AGAIN*)
      advice=('The package registry could not be reached. Push again, or set the registry in .npmrc.')
      ;;
  esac
  stop_with_tail "$1" "Dependencies could not be installed: $2 failed." "${advice[@]}"
}
