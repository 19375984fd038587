# Takes the development dependencies out of node_modules before the app goes to its dynos.

# Fills `prune`: why development dependencies stay, or `yes`. Heroku's settings and their meaning.
will_prune() {
  prune=yes
  if [[ $node_env != production ]]; then
    prune="NODE_ENV is $node_env"
  elif [[ $installer == npm && -n $npm_production ]]; then
    prune="NPM_CONFIG_PRODUCTION is $npm_production"
  elif [[ $installer == yarn && -n $yarn_production ]]; then
    prune="YARN_PRODUCTION is $yarn_production"
  elif [[ $installer == pnpm && $pnpm_skip_pruning == true ]]; then
    prune='PNPM_SKIP_PRUNING is true'
  elif config_needs_typescript; then
    prune='Next.js reads next.config.ts with typescript whenever it starts'
  fi
}

# Next.js's own skeleton has a configuration in TypeScript, and TypeScript among the development dependencies.
config_needs_typescript() {
  [[ -f $BUILD_DIR/next.config.ts || -f $BUILD_DIR/next.config.mts ]] &&
    jq --exit-status '.devDependencies.typescript and (.dependencies.typescript | not)' <<<"$install_manifest" >/dev/null
}

prune_modules() {
  [[ -n $has_dev_dependencies && (-d $BUILD_DIR/node_modules || -n $yarn_berry) ]] || return 0
  local log=$PAAS_WORK_DIR/out/prune.log command
  if [[ $prune == yes && -n $yarn_berry ]] && ! yarn_can_prune; then
    prune="yarn prunes with its plugin workspace-tools, which isn't there (yarn plugin import workspace-tools)"
  elif [[ $prune == yes && $installer == pnpm && ! -f $BUILD_DIR/pnpm-lock.yaml ]] && is_pnpm_workspace; then
    prune='pnpm needs a pnpm-lock.yaml to prune a workspace'
  fi
  if [[ $prune != yes ]]; then
    detail "Development dependencies stay: $prune."
    return 0
  fi
  step 'Pruning devDependencies'
  if [[ $installer == pnpm ]] && is_pnpm_workspace; then
    prune_workspace
    return 0
  fi
  prune_command
  quiet_lines='^$' indented "$log" in_app "${command[@]}" ||
    stop_with_tail "$log" "Development dependencies could not be pruned: ${command[*]:0:2} failed." \
      'To keep them, set NPM_CONFIG_PRODUCTION=false, YARN_PRODUCTION=false or PNPM_SKIP_PRUNING=true.'
}

prune_command() {
  case $installer-${yarn_berry:-no} in
    npm-*)
      command=(npm prune --ignore-scripts --omit=dev)
      old_npm_option
      ;;
    yarn-yes) command=(yarn workspaces focus --all --production) ;;
    yarn-no)
      command=(yarn install --frozen-lockfile --ignore-engines --ignore-scripts --prefer-offline --non-interactive
        --production=true)
      ;;
    pnpm-*) command=(pnpm prune --prod --ignore-scripts) ;;
  esac
}

# Part of yarn itself from 4 on.
yarn_can_prune() { [[ $(in_app yarn plugin runtime 2>&1) == *plugin-workspace-tools* ]]; }

is_pnpm_workspace() {
  [[ -f $BUILD_DIR/pnpm-workspace.yaml ]] && grep -q '^packages:' "$BUILD_DIR/pnpm-workspace.yaml"
}

# `pnpm prune` would empty the node_modules of all packages but the root's. So all of them are installed once more, for
# production, from the store; then what the first install and the build have compiled or generated goes back in its
# place, since no script runs again.
prune_workspace() {
  local log=$PAAS_WORK_DIR/out/prune.log aside=$PAAS_WORK_DIR/out/modules folders=() i
  mapfile -t folders < <(in_app pnpm list --recursive --depth=-1 --parseable 2>"$log")
  mkdir -p "$aside"
  for i in "${!folders[@]}"; do
    [[ ! -d ${folders[i]}/node_modules ]] || mv "${folders[i]}/node_modules" "$aside/$i"
  done
  # A flat node_modules (node-linker=hoisted) does not tell what is whose.
  if [[ ${folders[0]:-} == "$BUILD_DIR" && -d $aside/0/.pnpm ]] && quiet_lines='^$' indented "$log" in_app \
    pnpm install --prod --frozen-lockfile --ignore-scripts --offline --reporter=append-only; then
    for i in "${!folders[@]}"; do
      keep_generated "$aside/$i" "${folders[i]}/node_modules"
      keep_compiled "$aside/$i/.bin" "${folders[i]}/node_modules/.bin"
    done
    keep_compiled "$aside/0/.pnpm" "$BUILD_DIR/node_modules/.pnpm"
  else
    for i in "${!folders[@]}"; do
      rm -rf -- "${folders[i]:?}/node_modules"
      [[ ! -d $aside/$i ]] || mv "$aside/$i" "${folders[i]}/node_modules"
    done
    detail 'Development dependencies stay: pnpm could not install the others alone.'
  fi
  rm -rf "$aside"
}

# Moves from an old node_modules into the new one what no package manager made: folders that only the old one has.
keep_generated() {
  local old=$1 new=$2 path names=()
  for path in "$old"/* "$old"/.[!.]*; do
    [[ -d $path && ! -L $path && ! -e $new/${path##*/} ]] || continue
    [[ ${path##*/} =~ ^(@.*|\.(bin|cache|pnpm|vite.*))$ ]] || names+=("${path##*/}")
  done
  move_back "$old" "$new"
}

# Moves back what both have: packages, where something was compiled in them, and commands, which depend on that.
keep_compiled() {
  local old=$1 new=$2 path names=()
  for path in "$old"/*; do
    [[ ${path##*/} == node_modules || ${path##*/} == lock.yaml || ! -e $new/${path##*/} ]] || names+=("${path##*/}")
  done
  move_back "$old" "$new"
}

move_back() {
  ((${#names[@]} > 0)) || return 0
  mkdir -p "$2"
  (cd "$2" && printf '%s\0' "${names[@]}" | xargs --null rm -rf --)
  (cd "$1" && printf '%s\0' "${names[@]}" | xargs --null mv --target-directory="$2" --)
}
