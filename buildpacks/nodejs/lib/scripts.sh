# Runs the app's build scripts, prunes the development dependencies, and makes node_modules a layer again.

readonly framework_caches=(node_modules/.cache node_modules/.vite .next/cache)

# Runs a script of package.json when it has it.
run_script() {
  local log=$PAAS_WORK_DIR/out/script-$1.log tool=$installer
  has_script "$1" || return 0
  step "Running $1"
  [[ $tool != npm ]] || tool='npm --silent'
  # shellcheck disable=SC2086
  indented "$log" in_app $tool run "$1" || stop_with_tail "$log" "The script '$1' in package.json failed." \
    'Mend it, commit and push again. What it needs here must be in dependencies, devDependencies or config vars.'
}

build_app() {
  local marker=$PAAS_WORK_DIR/out/modules.marker
  if [[ -n $needs_build ]]; then
    restore_caches
    : >"$marker"
    # Heroku's rule: heroku-postbuild, when it is there, in place of build.
    if has_script heroku-postbuild; then run_script heroku-postbuild; else run_script build; fi
    save_caches
  fi
  finish_modules "$marker"
  run_script heroku-cleanup
}

finish_modules() {
  case $modules in
    linked | none) ;;
    in_app) prune_modules ;;
    copied | installed)
      if [[ -n $needs_build ]] && script_changed_modules "$1"; then
        detail 'The build wrote into node_modules, so it is sent with the app.'
        prune_modules
      elif [[ $modules == copied ]] && layer_fits node_modules "$modules_key"; then
        keep_layer node_modules
      else
        prune_modules
        mv "$BUILD_DIR/node_modules" "$PAAS_LAYERS_DIR/node_modules"
        describe_modules node_modules
        link_layer "$PAAS_LAYERS_DIR/node_modules" "$modules_path"
      fi
      ;;
  esac
}

# True when something in node_modules is newer than the start of the build script, or when a script may still change it.
script_changed_modules() {
  has_script heroku-cleanup && return 0
  [[ -n $(find "$BUILD_DIR/node_modules" -mindepth 1 \( -path '*/node_modules/.cache' -o -path '*/node_modules/.vite*' \
    -o -name '.pnpm-workspace-state*' \) -prune -o -newer "$1" -print -quit) ]]
}

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
  local log=$PAAS_WORK_DIR/out/prune.log command
  [[ -n $has_dev_dependencies && (-d $BUILD_DIR/node_modules || -n $yarn_berry) ]] || return 0
  if [[ $prune != yes ]]; then
    detail "Development dependencies stay: $prune."
    return 0
  fi
  case $installer-${yarn_berry:-no} in
    npm-*) command=(npm prune --omit=dev --ignore-scripts) ;;
    yarn-yes) command=(yarn workspaces focus --all --production) ;;
    yarn-no)
      command=(yarn install --frozen-lockfile --ignore-engines --ignore-scripts --prefer-offline --non-interactive
        --production=true)
      ;;
    pnpm-*) command=(pnpm prune --prod --ignore-scripts) ;;
  esac
  step 'Pruning devDependencies'
  quiet_lines='^$' indented "$log" in_app "${command[@]}" ||
    stop_with_tail "$log" "Development dependencies could not be pruned: ${command[*]:0:2} failed." \
      'To keep them, set NPM_CONFIG_PRODUCTION=false, YARN_PRODUCTION=false or PNPM_SKIP_PRUNING=true.'
}

# What bundlers keep to be faster next time is worth keeping, and has no place in the dyno.
restore_caches() {
  [[ $reuse_allowed != false && -d $PAAS_PREVIOUS_DIR/layers/node-cache ]] || return 0
  cp --archive "$PAAS_PREVIOUS_DIR/layers/node-cache/." "$BUILD_DIR/"
}

save_caches() {
  local folder kept=$PAAS_LAYERS_DIR/node-cache size
  for folder in "${framework_caches[@]}" "${cache_directories[@]}"; do
    [[ -d $BUILD_DIR/$folder && ! -L $BUILD_DIR/$folder && $folder != *..* ]] || continue
    [[ ! $folder =~ ^(\.?/)?node_modules/?$ ]] || continue
    mkdir -p "$kept/$folder"
    cp --archive "$BUILD_DIR/$folder/." "$kept/$folder/"
    [[ " ${framework_caches[*]} " != *" $folder "* ]] || rm -rf -- "${BUILD_DIR:?}/$folder"
  done
  [[ -d $kept ]] || return 0
  read -r size _ < <(du --summarize --block-size=1M "$kept")
  if ((size > 1000)); then
    rm -rf "$kept"
    return 0
  fi
  layer_inputs=
  describe_layer node-cache app/.node-cache none ',"launch":false'
}
