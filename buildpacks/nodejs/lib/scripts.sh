# Runs the app's build scripts, and makes node_modules, pruned, a layer again.

readonly framework_caches=(node_modules/.cache node_modules/.vite .next/cache)

# Runs a script of package.json when it has it, with the words that follow as its own.
run_script() {
  local log=$PAAS_WORK_DIR/out/script-$1.log command=("$installer" run "$1") status=0
  has_script "$1" || return 0
  step "Running $1${2:+ (${*:2})}"
  if [[ $installer == npm ]]; then command=(npm --silent run "$1" ${2:+--}); fi
  indented "$log" in_app "${command[@]}" "${@:2}" || status=$?
  ((status != 0)) || return 0
  stop_at_full_heap "$log"
  stop_with_tail "$log" "The script '$1' in package.json failed (exit $status)." \
    'Mend it, commit and push again. What it needs here must be in dependencies, devDependencies or config vars.'
}

# Stops the build when the file with a command's output says that the heap was full. The trace of the collector and the
# addresses after it say nothing to anybody who did not write Node.js.
stop_at_full_heap() {
  grep --quiet 'JavaScript heap out of memory' "$1" || return 0
  sed --in-place --regexp-extended \
    '/^ *[0-9]+: 0x|^\[[0-9]+:0x[0-9a-f]+\]|^<--- |^----- Native stack|^(Aborted|Trace\/breakpoint)|^ *$/d' "$1"
  stop_with_tail "$1" 'The build needs more memory than Node.js allows itself.' \
    "Node.js was started with NODE_OPTIONS=$(in_app printenv NODE_OPTIONS). Allow it more:" \
    '  paas config:set NODE_OPTIONS=--max-old-space-size=…' \
    'or, when that is all that a build may have, raise PAAS_BUILD_MEMORY.'
}

build_app() {
  local marker=$PAAS_WORK_DIR/out/modules.marker flags
  if [[ -n $needs_build ]]; then
    restore_caches
    : >"$marker"
    # Heroku's rule: heroku-postbuild, when it is there, in place of build.
    read -ra flags <<<"$build_flags"
    if has_script heroku-postbuild; then run_script heroku-postbuild; else run_script build "${flags[@]}"; fi
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
        # npm 6 removes a folder that it has emptied.
        mkdir -p "$BUILD_DIR/node_modules"
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
