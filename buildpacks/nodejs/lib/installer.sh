# Which tool installs the dependencies: the one whose lockfile is committed. Fills `installer` (npm, yarn, pnpm),
# `lockfile` (empty without one), `yarn_berry`.

choose_installer() {
  local file found=()
  installer=npm lockfile='' yarn_berry=''
  for file in package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml; do
    [[ ! -f $BUILD_DIR/$file ]] || found+=("$file")
  done
  # npm itself prefers the shrinkwrap, which is the lockfile meant for publishing.
  [[ ${found[*]} != 'package-lock.json npm-shrinkwrap.json' ]] || found=(npm-shrinkwrap.json)
  ((${#found[@]} < 2)) || stop "Two lockfiles are committed: ${found[0]} and ${found[1]}." \
    'They can disagree, and only one tool can install. Remove the one you do not use and push again:' \
    "  git rm ${found[1]} && git commit -m 'Keep one lockfile'"
  lockfile=${found[0]:-}
  [[ -n $lockfile || (! -f $BUILD_DIR/bun.lock && ! -f $BUILD_DIR/bun.lockb) ]] ||
    warning "Bun's lockfile is not read here: npm installs, and may choose other versions." \
      'Commit a package-lock.json (made by: npm install).'
  case $lockfile in
    yarn.lock) installer=yarn ;;
    pnpm-lock.yaml) installer=pnpm ;;
    '') [[ ! $package_manager =~ ^(yarn|pnpm)@ ]] || installer=${BASH_REMATCH[1]} ;;
  esac
  [[ $installer != yarn ]] || choose_yarn
}

choose_yarn() {
  local line
  [[ ! -f $BUILD_DIR/.yarnrc.yml && ! $package_manager =~ ^yarn@([2-9]|[1-9][0-9]) ]] || yarn_berry=yes
  [[ -f $BUILD_DIR/yarn.lock ]] || return 0
  while IFS= read -r line; do
    [[ $line != __metadata:* ]] || { yarn_berry=yes; return 0; }
    [[ $line == '#'* || -z $line ]] || return 0
  done <"$BUILD_DIR/yarn.lock"
}

# Gets the tool in the version asked for, as a small layer: yarn and pnpm always, npm when the runtime's own isn't
# right.
obtain_installer() {
  read_npm_version "$node_root"
  local package=$installer release='' asked=
  case $installer in
    npm) asked=$engine_npm ;;
    yarn) asked=$engine_yarn release=1.22.22 ;;
    pnpm) asked=$engine_pnpm ;;
  esac
  # packageManager names an exact release, perhaps with a checksum after it.
  [[ ! $package_manager =~ ^$installer@([0-9][0-9A-Za-z.-]*) ]] || asked=${BASH_REMATCH[1]}
  obtain_others
  if [[ $installer == npm ]]; then
    [[ -n $asked ]] || return 0
    npm_fits "$asked" && return 0
  elif [[ -n $yarn_berry ]]; then
    yarn_in_repository && return 0
    package=@yarnpkg/cli-dist release=4
  elif [[ $installer == pnpm ]]; then
    release=$(pnpm_for_lockfile)
  fi
  install_tool "$installer" "$package" "${asked:-$release}"
  [[ $installer != npm ]] || read_npm_version /app/.heroku/npm
}

# Scripts may call a tool in a folder of their own that does not install the app itself: engines asks for it. What is
# no version, such as "please use npm", asks for nothing.
obtain_others() {
  local package=yarn
  [[ ! $engine_yarn =~ ^[^0-9]*([2-9]|[1-9][0-9]) ]] || package=@yarnpkg/cli-dist
  [[ $installer == yarn || ! $engine_yarn =~ [0-9*] ]] || install_tool yarn "$package" "$engine_yarn"
  [[ $installer == pnpm || ! $engine_pnpm =~ [0-9*] ]] || install_tool pnpm pnpm "$engine_pnpm"
}

npm_fits() {
  local matching=()
  matching_versions "$1" "$npm_version"
  ((${#matching[@]} == 1))
}

# Fills `npm_version` and `npm_major` with those of the npm in a tree.
read_npm_version() {
  local line
  npm_version=0.0.0
  [[ ! -f $1/lib/node_modules/npm/package.json ]] || while IFS= read -r line; do
    [[ ! $line =~ ^\ \ \"version\":\ \"([0-9.]+) ]] || npm_version=${BASH_REMATCH[1]}
  done <"$1/lib/node_modules/npm/package.json"
  npm_major=${npm_version%%.*}
}

# A repository that carries its yarn wants that one.
yarn_in_repository() {
  local line file
  [[ -f $BUILD_DIR/.yarnrc.yml ]] || return 1
  while IFS= read -r line; do
    [[ $line =~ ^yarnPath:[[:space:]]*[\"\']?([^\"\']+) ]] || continue
    file=$BUILD_DIR/${BASH_REMATCH[1]%%[[:space:]]}
    [[ -f $file ]] || return 1
    # Beside the app, and found from there, so that it works in the dyno too.
    mkdir -p "$BUILD_DIR/.heroku/yarn/bin"
    printf '#!/bin/sh\nexec node "${0%%/*}/../../../%s" "$@"\n' "${file#"$BUILD_DIR/"}" \
      >"$BUILD_DIR/.heroku/yarn/bin/yarn"
    chmod +x "$BUILD_DIR/.heroku/yarn/bin/yarn"
    ln -sfn "$BUILD_DIR/.heroku/yarn" /app/.heroku/yarn
    return 0
  done <"$BUILD_DIR/.yarnrc.yml"
  return 1
}

# Prints the newest pnpm that writes the lockfile's format.
pnpm_for_lockfile() {
  local line=
  [[ ! -f $BUILD_DIR/pnpm-lock.yaml ]] || IFS= read -r line <"$BUILD_DIR/pnpm-lock.yaml" || true
  case $line in
    *5.[34]*) printf 7 ;;
    *6.*) printf 8 ;;
    *) printf 10 ;;
  esac
}

install_tool() {
  local name=$1 package=$2 release=$3 log=$PAAS_WORK_DIR/out/tool.log
  local path=app/.heroku/$name
  [[ $release =~ ^[0-9A-Za-z.*\<\>=~^\ \|-]+$ ]] ||
    stop "'$release' is not a version of $name." 'Mend engines or packageManager in package.json.'
  digest "tool $package $release $node_version"
  if layer_fits "$name" "$layer_key"; then
    reuse_layer "$name" "$path"
    return 0
  fi
  local key=$layer_key
  use_cache
  mkdir -p "$PAAS_LAYERS_DIR/$name"
  local command=(npm install --global --loglevel=error --prefix "$PAAS_LAYERS_DIR/$name" "$package@$release")
  in_app "${command[@]}" >"$log" 2>&1 </dev/null ||
    stop_with_tail "$log" \
      "$name $release could not be installed (asked for in package.json${lockfile:+ or by $lockfile})." \
      'Name a release that exists, commit and push again.'
  layer_inputs=
  describe_layer "$name" "$path" "$key" ',"rank":2'
  link_layer "$PAAS_LAYERS_DIR/$name" "$path"
  detail "Installed $name $release"
}
